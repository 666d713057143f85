--- The options of a run: one table for what |termi.run()| takes, for the `++` arguments of |:TermiRun| and their
--- completion, and for the fields of templates. The help and the types of |termi.RunOpts| are held to it by a test.
local errors = require('termi.core.errors')
local format = require('termi.core.format')

local M = {}

M.OPEN = { 'split', 'vsplit', 'tab', 'float', 'current', 'none' }

--- One `++` argument of an option.
---@class termi.RunArgument
---@field key string `++key=value`
---@field member? string the field within the option that it sets
---@field read? fun(value: string, key: string): any, string? the value, and the field within; none: it takes no value
---@field desc string

--- One option: a field of |termi.RunOpts|.
---@class termi.RunOption
---@field field string
---@field type string as the types of Lua write it
---@field types string[] Lua's own
---@field members? table<string, string> fields within it, with Lua's own type of each
---@field wire? boolean it goes to the host as it is
---@field template? boolean a template has it too
---@field args termi.RunArgument[]

---@param value string
---@return string
local function text(value)
  return value
end

---@param value string
---@param key string
---@return integer
local function duration(value, key)
  local ms = format.parse_duration(value)
  if not ms or ms <= 0 then
    errors.fail('++%s=%s is not a duration. Write 500ms, 30s, 5m or 1h; a plain number is seconds.', key, value)
  end
  return ms --[[@as integer]]
end

---@param value string
---@param key string
---@return integer
local function count(value, key)
  local number = value:find('^%d+$') and tonumber(value) or 0
  if number <= 0 then
    errors.fail('++%s=%s is not a whole number above 0.', key, value)
  end
  return number --[[@as integer]]
end

---@type table<string, integer>
local FACTORS = { k = 1000, M = 1000000, G = 1000000000 }

---@param value string
---@param key string
---@return integer
local function size(value, key)
  local digits, unit = value:match('^(%d+%.?%d*)([kMG]?)B?$')
  local number = tonumber(digits) or 0
  if number <= 0 then
    errors.fail('++%s=%s is not a size. Write 500k, 16M or 2G; a plain number is bytes.', key, value)
  end
  return math.floor(number * (FACTORS[unit] or 1))
end

---@param value string
---@param key string
---@return string value
---@return string name
local function variable(value, key)
  local name, its = value:match('^([^=]+)=(.*)$')
  if not name or not its then
    errors.fail('++%s=%s is not a variable. Write ++%s=NAME=value.', key, value, key)
  end
  return tostring(its), tostring(name)
end

---@param value string
---@param key string
---@return string
local function way(value, key)
  if not vim.tbl_contains(M.OPEN, value) then
    errors.fail('++%s=%s must be one of %s.', key, value, table.concat(M.OPEN, ', '))
  end
  return value
end

-- stylua: ignore start
---@type termi.RunOption[]
M.list = {
  { field = 'cmd', type = 'string|string[]', types = { 'string', 'table' }, wire = true, template = true, args = {} },
  { field = 'host', type = 'string', types = { 'string' }, args = {
    { key = 'host', read = text, desc = 'run on this machine of the option `hosts`' },
  } },
  { field = 'session', type = 'string', types = { 'string' }, wire = true, template = true, args = {
    { key = 'session', read = text, desc = 'run in this session instead of a new one' },
  } },
  { field = 'name', type = 'string', types = { 'string' }, wire = true, template = true, args = {
    { key = 'name', read = text, desc = 'name of the new session' },
  } },
  { field = 'label', type = 'string', types = { 'string' }, wire = true, template = true, args = {
    { key = 'label', read = text, desc = 'a line that is shown beside the name' },
  } },
  { field = 'group', type = 'string', types = { 'string' }, wire = true, template = true, args = {
    { key = 'group', read = text, desc = 'group of the new session' },
  } },
  { field = 'cwd', type = 'string', types = { 'string' }, wire = true, template = true, args = {
    { key = 'cwd', read = text, desc = 'directory to run in' },
  } },
  { field = 'env', type = 'table<string, string>', types = { 'table' }, wire = true, template = true, args = {
    { key = 'env', read = variable, desc = 'add a variable to the environment' },
  } },
  { field = 'timeout_ms', type = 'integer', types = { 'number' }, wire = true, template = true, args = {
    { key = 'timeout', read = duration, desc = 'end the run after this time' },
  } },
  { field = 'idle_timeout_ms', type = 'integer', types = { 'number' }, wire = true, template = true, args = {
    { key = 'idle', read = duration, desc = 'end the run after this time in silence' },
  } },
  { field = 'limits', type = 'termi.proto.Limits', types = { 'table' }, wire = true, template = true,
    members = { memory_bytes = 'number', cpu_seconds = 'number', processes = 'number', open_files = 'number' },
    args = {
      { key = 'memory', member = 'memory_bytes', read = size, desc = 'end it when all its processes take more memory' },
      { key = 'cpu', member = 'cpu_seconds', read = count, desc = 'seconds of processor time for all its processes' },
      { key = 'processes', member = 'processes', read = count, desc = 'end it when it has more processes' },
      { key = 'open_files', member = 'open_files', read = count, desc = 'open files of each process' },
    } },
  { field = 'transcript_bytes', type = 'integer', types = { 'number' }, wire = true, template = true, args = {
    { key = 'transcript', read = size, desc = 'how much text the new session keeps' },
  } },
  { field = 'keep', type = 'termi.proto.Keep', types = { 'table' }, wire = true, template = true,
    members = { count = 'number', age_ms = 'number' },
    args = {
      { key = 'keep', member = 'count', read = count, desc = 'how many ended runs the new session keeps' },
      { key = 'keep_for', member = 'age_ms', read = duration, desc = 'how long the new session keeps an ended run' },
    } },
  { field = 'log', type = 'boolean', types = { 'boolean' }, wire = true, template = true, args = {
    { key = 'log', desc = 'keep the whole output in a file' },
  } },
  { field = 'log_bytes', type = 'integer', types = { 'number' }, wire = true, template = true, args = {
    { key = 'log_size', read = size, desc = 'the most that this file may hold' },
  } },
  { field = 'template', type = 'string', types = { 'string' }, wire = true, args = {
    { key = 'template', read = text, desc = 'start from this template' },
  } },
  { field = 'open', type = 'termi.Open', types = { 'string' }, args = {
    { key = 'open', read = way, desc = 'where to show it: ' .. table.concat(M.OPEN, ', ') },
  } },
  { field = 'new_window', type = 'boolean', types = { 'boolean' }, args = {} },
  { field = 'focus', type = 'boolean', types = { 'boolean' }, args = {} },
}
-- stylua: ignore end

--- What a template has besides.
---@type table<string, string[]>
local TEMPLATE_ONLY = { after = { 'table' }, resume = { 'string', 'table' }, stream = { 'string' } }

---@param types string[]
---@param value any
---@return string? complaint
local function mistyped(types, value)
  if not vim.tbl_contains(types, type(value)) then
    return ('must be a %s, not %s'):format(table.concat(types, ' or '), vim.inspect(value))
  end
end

--- What is not an option, and which one was likely meant.
---@param name string
---@param known string[]
---@return string?
local function unknown(name, known)
  local likely = errors.nearest(name, known)
  return likely and ('Did you mean `%s`?'):format(likely) or nil
end

--- What is wrong with one value of the options.
---@param option termi.RunOption
---@param value any
---@return string? complaint
local function complaint_about(option, value)
  local complaint = mistyped(option.types, value)
  if complaint then
    return ('`%s` %s'):format(option.field, complaint)
  end
  local members = option.members or {}
  for member, its in pairs(option.members and value or {}) do
    local wanted = members[member]
    if not wanted then
      local advice = unknown(tostring(member), vim.tbl_keys(members))
      return ('`%s.%s` is not an option%s'):format(option.field, tostring(member), advice and '. ' .. advice or '')
    end
    complaint = mistyped({ wanted }, its)
    if complaint then
      return ('`%s.%s` %s'):format(option.field, member, complaint)
    end
  end
end

---@return table<string, termi.RunOption>
local function by_field()
  local found = {} ---@type table<string, termi.RunOption>
  for _, option in ipairs(M.list) do
    found[option.field] = option
  end
  return found
end

--- Raises for what |termi.run()| does not take.
---@param opts table
function M.check(opts)
  local known = by_field()
  for key, value in pairs(opts) do
    local option = known[key]
    if not option then
      local advice = unknown(tostring(key), vim.tbl_keys(known)) or 'See :help termi.run()'
      errors.fail('run(): `%s` is not an option. %s', tostring(key), advice)
    end
    ---@cast option -?
    local complaint = complaint_about(option, value)
    if complaint then
      errors.fail('run(): %s', complaint)
    end
  end
  if opts.open and not vim.tbl_contains(M.OPEN, opts.open) then
    errors.fail('run(): `open` must be one of %s, not %s', table.concat(M.OPEN, ', '), opts.open)
  end
end

--- What is wrong with a template, in words that go behind its name.
---@param template table
---@return string? complaint
function M.complaint_about_template(template)
  local known = vim.deepcopy(TEMPLATE_ONLY) ---@type table<string, string[]>
  local options = by_field()
  for field, option in pairs(options) do
    known[field] = option.template and option.types or nil
  end
  for key, value in vim.spairs(template) do
    if not known[key] then
      local advice = unknown(tostring(key), vim.tbl_keys(known))
      return ('`%s` is not an option of templates%s'):format(tostring(key), advice and '. ' .. advice or '')
    end
    local complaint = mistyped(known[key], value)
    complaint = complaint and ('`%s` %s'):format(key, complaint)
      or options[key] and complaint_about(options[key], value)
    if complaint then
      return complaint
    end
  end
end

--- What of the options goes to the host as it is.
---@param opts termi.RunOpts
---@return termi.proto.RunParams
function M.wire(opts)
  local found = {} ---@type table<string, any>
  for _, option in ipairs(M.list) do
    if option.wire then
      found[option.field] = opts[option.field]
    end
  end
  return found --[[@as termi.proto.RunParams]]
end

--- All `++` arguments.
---@return termi.RunArgument[]
function M.arguments()
  local found = {} ---@type termi.RunArgument[]
  for _, option in ipairs(M.list) do
    vim.list_extend(found, option.args)
  end
  return found
end

---@return string[]
function M.keys()
  return vim.tbl_map(function(argument)
    return argument.key
  end, M.arguments())
end

--- Takes one `++` argument into the options. Raises for an unknown key or a bad value.
---@param opts table<string, any>
---@param key string
---@param value string '' is none
function M.take(opts, key, value)
  for _, option in ipairs(M.list) do
    for _, argument in ipairs(option.args) do
      if argument.key == key then
        if (value ~= '') ~= (argument.read ~= nil) then
          local text_ = value == '' and '++%s needs a value: ++%s=…' or '++%s takes no value: write ++%s'
          errors.fail(text_, key, key)
        end
        local read, member = true, nil ---@type any, string?
        if argument.read then
          read, member = argument.read(value, key)
        end
        member = member or argument.member
        if member then
          opts[option.field] = opts[option.field] or {}
          opts[option.field][member] = read
        else
          opts[option.field] = read
        end
        return
      end
    end
  end
  local likely = errors.nearest(key, M.keys())
  local advice = likely and ('Did you mean ++%s?'):format(likely) or ':help :TermiRun lists them.'
  errors.fail('++%s is not an option. %s', key, advice)
end

return M
