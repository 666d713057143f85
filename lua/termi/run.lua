--- Starting a program in a session and showing it.
local client = require('termi.client')
local config = require('termi.config')
local message = require('termi.message')
local view = require('termi.view')

local M = {}

--- What a field of |termi.RunOpts| must be.
---@type table<string, string[]>
local TYPES = {
  cmd = { 'string', 'table' },
  session = { 'string' },
  name = { 'string' },
  label = { 'string' },
  group = { 'string' },
  cwd = { 'string' },
  env = { 'table' },
  timeout_ms = { 'number' },
  idle_timeout_ms = { 'number' },
  limits = { 'table' },
  template = { 'string' },
  open = { 'string' },
  new_window = { 'boolean' },
  focus = { 'boolean' },
}

---@param opts table
local function check(opts)
  for key, value in pairs(opts) do
    local allowed = TYPES[key]
    if not allowed then
      local known = vim.tbl_keys(TYPES)
      table.sort(known)
      message.fail('run(): `%s` is not an option (there are: %s)', tostring(key), table.concat(known, ', '))
    elseif not vim.tbl_contains(allowed, type(value)) then
      local types = table.concat(allowed, ' or ')
      message.fail('run(): `%s` must be a %s, not %s', key, types, vim.inspect(value))
    end
  end
  local ways = require('termi.args').OPEN
  if opts.open and not vim.tbl_contains(ways, opts.open) then
    message.fail('run(): `open` must be one of %s, not %s', table.concat(ways, ', '), opts.open)
  end
end

---@param opts termi.RunOpts
---@param size termi.proto.Size
---@return termi.proto.RunParams
local function params(opts, size)
  local env = vim.tbl_extend('force', config.get().env, opts.env or {})
  -- A session and a template have folders of their own.
  local cwd = opts.cwd or not (opts.session or opts.template) and vim.fn.getcwd() or nil
  return {
    cmd = opts.cmd,
    session = opts.session,
    name = opts.name,
    label = opts.label,
    group = opts.group,
    cwd = cwd and vim.fs.normalize(vim.fn.fnamemodify(cwd, ':p')),
    env = next(env) and env or nil,
    size = size,
    timeout_ms = opts.timeout_ms,
    idle_timeout_ms = opts.idle_timeout_ms,
    limits = opts.limits,
    template = opts.template,
    attach = 'ansi',
  }
end

---@param opts termi.RunOpts
---@return termi.Run
local function start(opts)
  check(opts)
  client.ensure()
  if opts.template then
    require('termi.templates').sync()
  end
  local focus = vim.api.nvim_get_current_win()
  local how = opts.open or config.get().open
  local shown, undo = view.create(how, { new_window = opts.new_window, explicit = opts.open ~= nil })
  local ok, result = pcall(client.call, 'run', params(opts, shown.size), {
    on_result = function(answer)
      view.bind(shown, answer)
    end,
  })
  if not ok then
    undo()
    error(result, 0)
  end
  if opts.focus == false and vim.api.nvim_win_is_valid(focus) then
    vim.api.nvim_set_current_win(focus)
  else
    view.start_insert(shown)
  end
  return {
    session_id = result.session_id,
    run_id = result.run_id,
    session_name = result.session_name,
    pid = result.pid,
    terminal_name = result.terminal_name,
    buf = shown.buf,
  }
end

---@param opts? termi.RunOpts|string|string[]
---@return termi.Run
function M.run(opts)
  local bare = type(opts) == 'string' or (type(opts) == 'table' and vim.islist(opts) and #opts > 0)
  return start((bare and { cmd = opts } or opts or {}) --[[@as termi.RunOpts]])
end

return M
