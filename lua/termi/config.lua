--- The options: type, default and documentation of each are one text, here.
local errors = require('termi.core.errors')

local M = {}

---@alias termi.Open 'split'|'vsplit'|'tab'|'float'|'current'|'none'

---@class termi.HostConfig
---@field cmd string[] runs `termi host --persist` there, such as { 'ssh', 'gpu', 'termi', 'host', '--persist' }
---@field cwd? string|fun(here: string): string? where runs start: a folder there, or what it is for the current one here
---@field env? table<string, string> environment variables added to each run there
---@field auto? boolean connect it when Neovim starts

---@class termi.Config
local defaults = {
  --- Path of the `termi` binary. `false`: the plugin's own `target/release/termi`, then $PATH.
  ---@type string|false
  binary = false,

  --- How a run is shown when the tab page has no Termi window yet.
  ---@type termi.Open
  open = 'split',

  ---@class termi.Config.split
  split = {
    --- Where the split is made, over the whole width of the screen.
    ---@type 'below'|'above'
    position = 'below',
    --- Height in lines, or below 1 as a share of the screen.
    ---@type number
    size = 15,
  },

  ---@class termi.Config.vsplit
  vsplit = {
    --- Where the split is made, over the whole height of the screen.
    ---@type 'right'|'left'
    position = 'right',
    --- Width in columns, or below 1 as a share of the screen.
    ---@type number
    size = 0.4,
  },

  ---@class termi.Config.float
  float = {
    --- Width in columns, or up to 1 as a share of the screen.
    ---@type number
    width = 0.8,
    --- Height in lines, or up to 1 as a share of the screen.
    ---@type number
    height = 0.8,
    --- As in |nvim_open_win()|.
    ---@type string|string[]
    border = 'rounded',
  },

  --- Enter terminal mode when a run that is alive is shown by a command.
  ---@type boolean
  start_insert = true,

  --- What happens to the program when its buffer is wiped: it lives on, or its session's run is killed.
  ---@type 'detach'|'kill'
  on_wipe = 'detach',

  --- What happens to the buffer when its program ends: kept to be read, closed, or closed when it ended with 0.
  ---@type 'keep'|'close'|'close_on_success'
  on_exit = 'keep',

  --- Whether the buffers of runs are in the buffer list (|:ls|).
  ---@type boolean
  buflisted = true,

  --- Sessions outlive the editor: they belong to the user's daemon, which is started when there is none.
  ---@type boolean
  persist = false,

  --- What programs inside a session may do to other sessions over `$TERMI_SOCKET`: nothing, list and read them, the
  --- same and everything within their own group, or everything. `false`: leave it as it is, which is `read` at first.
  ---@type 'off'|'read'|'group'|'full'|false
  cross_session = false,

  --- Other machines by name, on which |:TermiRun| `++host=` runs programs. See |termi-hosts|.
  ---@type table<string, termi.HostConfig>
  hosts = {},

  --- Environment variables added to each run.
  ---@type table<string, string>
  env = {},

  --- Templates of runs by name: fields as of |termi.run()|, and `after`. See |termi-templates|.
  ---@type table<string, table>
  templates = {},

  --- How long a call of the Lua API waits for the host, in milliseconds.
  ---@type integer
  timeout_ms = 10000,

  ---@class termi.Config.notify
  notify = {
    --- Say that a run of this editor has ended: always, only when no window shows it, or never.
    ---@type 'always'|'hidden'|'never'
    exit = 'hidden',
    --- Say that a program asks for attention (bell, notification).
    ---@type 'always'|'hidden'|'never'
    attention = 'hidden',
    --- Say that a coding agent is blocked, is done or stopped at an error. Its bells are not told besides.
    ---@type 'always'|'hidden'|'never'
    agent = 'hidden',
  },

  ---@class termi.Config.agents
  agents = {
    --- Start `claude` with hooks that report its states. See |termi-hooks|.
    ---@type boolean
    hooks = false,
  },

  ---@class termi.Config.clipboard
  clipboard = {
    --- Whether programs may copy: what they send (OSC 52) goes to the register `+`, or `*` for the primary selection.
    ---@type boolean
    copy = true,
    --- Whether programs may read these registers; 'ask': |:Termi-clipboard| answers.
    ---@type 'ask'|'allow'|'deny'
    paste = 'ask',
  },

  ---@class termi.Config.list
  list = {
    --- How |:TermiSessions| is shown.
    ---@type 'split'|'vsplit'|'tab'|'float'|'current'
    open = 'split',
    --- Height of its split in lines, or below 1 as a share of the screen.
    ---@type number
    size = 12,
    --- How often times, CPU and memory are brought up to date while it is visible, in milliseconds.
    ---@type integer
    refresh_ms = 1000,
    --- What it is sorted by at first.
    ---@type 'age'|'name'|'status'|'cpu'|'memory'|'activity'|'attention'
    sort = 'age',
  },

  ---@class termi.Config.icons
  icons = {
    --- Shown for the state of a run, in the list and in the statusline.
    ---@type string
    active = '●',
    ---@type string
    attention = '◆',
    --- Of a coding agent that does not take a prompt yet.
    ---@type string
    starting = '◌',
    ---@type string
    success = '✓',
    ---@type string
    failure = '✗',
    ---@type string
    killed = '■',
    --- In front of a line of the list: marked, or with news, or what a fold is.
    ---@type string
    marked = '▌',
    ---@type string
    unread = '•',
    ---@type string
    open = '▾',
    ---@type string
    closed = '▸',
  },
}

--- Rules that a value's type alone does not say, by the option's path.
---@type table<string, string[]|fun(value: any): string?>
local rules = {}

---@param value any
---@return string? complaint
local function positive(value)
  return value <= 0 and 'must be greater than 0' or nil
end

---@param value any
---@return string? complaint
local function string_map(value)
  for key, item in pairs(value) do
    if type(key) ~= 'string' or type(item) ~= 'string' then
      return 'must map names to strings, such as { PAGER = "cat" }'
    end
  end
end

---@param value any
---@return string? complaint
local function template_map(value)
  for key, item in pairs(value) do
    if type(key) ~= 'string' or type(item) ~= 'table' then
      return 'must map names to tables, such as { server = { cmd = "npm run dev" } }'
    end
  end
end

---@type table<string, string[]>
local HOST_TYPES = { cmd = { 'table' }, cwd = { 'string', 'function' }, env = { 'table' }, auto = { 'boolean' } }

---@param value any
---@return string? complaint
local function host_map(value)
  for name, host in pairs(value) do
    if type(name) ~= 'string' or not name:find('^[%w_][%w._-]*$') or name == 'local' then
      local text = 'has the name %s: a name is letters, digits, ., _ or -, and not `local`, which is this machine'
      return text:format(vim.inspect(name))
    elseif type(host) ~= 'table' or type(host.cmd) ~= 'table' or #host.cmd == 0 or not vim.islist(host.cmd) then
      local text = 'needs a list as the `cmd` of %s, such as { "ssh", "%s", "termi", "host", "--persist" }'
      return text:format(name, name)
    end
    for key, item in pairs(host) do
      local allowed = HOST_TYPES[key]
      if not allowed then
        return ('has no key `%s` (%s): its keys are auto, cmd, cwd, env'):format(tostring(key), name)
      elseif not vim.tbl_contains(allowed, type(item)) then
        local text = 'needs a %s as the `%s` of %s, not %s'
        return text:format(table.concat(allowed, ' or '), key, name, vim.inspect(item))
      end
    end
    local complaint = host.env and string_map(host.env)
    if complaint then
      return ('has an `env` of %s that %s'):format(name, complaint)
    end
  end
end

rules['cross_session'] = function(value)
  local allowed = { 'off', 'read', 'group', 'full', false }
  return not vim.tbl_contains(allowed, value) and 'must be off, read, group, full or false' or nil
end
rules['open'] = { 'split', 'vsplit', 'tab', 'float', 'current', 'none' }
rules['split.position'] = { 'below', 'above' }
rules['split.size'] = positive
rules['vsplit.position'] = { 'right', 'left' }
rules['vsplit.size'] = positive
rules['float.width'] = positive
rules['float.height'] = positive
rules['on_wipe'] = { 'detach', 'kill' }
rules['on_exit'] = { 'keep', 'close', 'close_on_success' }
rules['env'] = string_map
rules['hosts'] = host_map
rules['templates'] = template_map
rules['timeout_ms'] = positive
rules['notify.exit'] = { 'always', 'hidden', 'never' }
rules['notify.attention'] = { 'always', 'hidden', 'never' }
rules['notify.agent'] = { 'always', 'hidden', 'never' }
rules['clipboard.paste'] = { 'ask', 'allow', 'deny' }
rules['list.open'] = { 'split', 'vsplit', 'tab', 'float', 'current' }
rules['list.size'] = positive
rules['list.sort'] = { 'age', 'name', 'status', 'cpu', 'memory', 'activity', 'attention' }
rules['list.refresh_ms'] = function(value)
  return value < 100 and 'must be at least 100' or nil
end

--- Options with more than one type.
---@type table<string, string[]>
local types = {
  binary = { 'string', 'boolean' },
  cross_session = { 'string', 'boolean' },
  ['float.border'] = { 'string', 'table' },
}

---@param path string
---@param value any
---@param default any
---@return string? complaint
local function complaint_about(path, value, default)
  local allowed = types[path] or { type(default) }
  if not vim.tbl_contains(allowed, type(value)) or (path == 'binary' and value == true) then
    local expected = path == 'binary' and 'string or false' or table.concat(allowed, ' or ')
    return ('must be a %s, not %s'):format(expected, vim.inspect(value))
  end
  local rule = rules[path]
  if type(rule) == 'table' then
    if not vim.tbl_contains(rule, value) then
      return ('must be one of %s, not %s'):format(table.concat(rule, ', '), vim.inspect(value))
    end
  elseif rule then
    return rule(value)
  end
end

---@param given table
---@param known table
---@param path string
---@param found string[] complaints
local function check(given, known, path, found)
  for key, value in pairs(given) do
    local full = path .. tostring(key)
    local default = known[key]
    if default == nil then
      local likely = errors.nearest(tostring(key), vim.tbl_keys(known))
      local advice = likely and (' (did you mean `%s`?)'):format(path .. likely) or ''
      found[#found + 1] = ('`%s` is not an option%s'):format(full, advice)
    else
      local complaint = complaint_about(full, value, default)
      if complaint then
        found[#found + 1] = ('`%s` %s'):format(full, complaint)
      elseif type(default) == 'table' and full ~= 'env' and full ~= 'templates' and full ~= 'hosts' then
        check(value, default, full .. '.', found)
      end
    end
  end
end

---@type termi.Config
local current = vim.deepcopy(defaults)

--- What is wrong with templates, by name: they are left out, and the others hold.
---@type table<string, string>
M.faulty_templates = {}

--- Sorts the templates that cannot be started out of the options.
---@param opts termi.Config
local function leave_out_templates(opts)
  M.faulty_templates = {}
  for name, template in vim.spairs(opts.templates) do
    local complaint = require('termi.core.run_options').complaint_about_template(template)
    if complaint then
      opts.templates[name] = nil
      M.faulty_templates[name] = complaint
    end
  end
end

--- The options in force.
---@return termi.Config
function M.get()
  return current
end

--- The defaults, for the documentation and its test.
---@return termi.Config
function M.defaults()
  return vim.deepcopy(defaults)
end

--- Takes a person's options over the defaults. Raises with every unknown key and bad value named.
---@param opts? table any part of |termi.Config|
function M.set(opts)
  if opts ~= nil and type(opts) ~= 'table' then
    errors.fail('setup() takes a table of options, not %s. See :help termi-config', vim.inspect(opts))
  end
  opts = opts or {}
  local found = {} ---@type string[]
  check(opts, defaults, '', found)
  if #found > 0 then
    table.sort(found)
    errors.fail('setup(): %s. See :help termi-config', table.concat(found, '; '))
  end
  current = vim.tbl_deep_extend('force', vim.deepcopy(defaults), opts)
  leave_out_templates(current)
end

return M
