--- Client: calls and notifications to hosts. Each goes to the host of the run or session that it names, else to this
--- machine's, which is started when it is needed. Other machines' hosts are connected by |termi.rpc.remote|.
local config = require('termi.config')
local connection = require('termi.rpc.connection')
local errors = require('termi.core.errors')
local format = require('termi.core.format')
local handshake = require('termi.rpc.handshake')
local input_queue = require('termi.rpc.input_queue')
local message = require('termi.ui.message')
local remote = require('termi.rpc.remote')
local routing = require('termi.rpc.routing')

local M = {}

local here ---@type termi.Connection?
local death_listeners = {} ---@type fun(reason: string, wanted?: boolean)[]

--- Calls `fn` with a sentence when this machine's host has ended, and with whether that was wanted.
---@param fn fun(reason: string, wanted?: boolean)
function M.on_death(fn)
  death_listeners[#death_listeners + 1] = fn
end

--- What is done once the daemon is joined again, before what was typed meanwhile is sent.
local on_rejoined = function(on_done)
  on_done()
end ---@type fun(on_done: fun())

--- Calls `fn` when the daemon was joined again after another binary was put in its place. What was typed meanwhile is
--- sent once it calls back.
---@param fn fun(on_done: fun())
function M.on_rejoined(fn)
  on_rejoined = fn
end

--- A host that runs already and can be called: one that this load of the plugin has connected, or an earlier one.
---@param host? string default: this machine's
---@return termi.Connection?
function M.running(host)
  if host and host ~= '' then
    return remote.running(host)
  end
  -- One that is being started cannot be called yet.
  if handshake.is_under_way() then
    return nil
  end
  for _, found in ipairs(here and {} or connection.adopt()) do
    if found.host == '' then
      here = found
    end
  end
  return here
end

--- Why a process of a host has ended, in words.
---@param its termi.Connection
---@param code integer
---@param default? string for a host of this editor
---@return string
local function reason_of(its, code, default)
  local said = vim.trim(its.stderr)
  -- A shell's way to tell a signal: 128 and its number.
  local how = code > 128 and format.signal(code - 128) or ('exit code %d'):format(code)
  if its.persistent and said ~= '' then
    -- A bridge says in one line what became of the daemon: nobody is to press <Enter> for it.
    return said
  end
  local what = its.persistent and 'the connection to the daemon ended unexpectedly (%s)'
    or default
    or 'the host ended unexpectedly (%s), its programs with it'
  local reason = what:format(how)
  return said ~= '' and reason .. ':\n' .. said or reason
end

--- Joins the daemon again after another binary was put in its place, and shows everything again. What is typed
--- meanwhile arrives after that.
---@param its termi.Connection the one that has ended
local function join_again(its)
  local text = 'the daemon binary was just replaced; try again'
  connection.fail_calls(its, { code = 'host_replaced', message = text })
  input_queue.open('')
  vim.schedule(function()
    local ok, why = pcall(M.ensure)
    if ok then
      return on_rejoined(function()
        input_queue.flush('', M.running())
      end)
    end
    input_queue.discard('')
    for _, listener in ipairs(death_listeners) do
      pcall(listener, tostring(why), false)
    end
  end)
end

--- This machine's host has ended.
---@param its termi.Connection
---@param code integer
local function ended(its, code)
  local is_taken = handshake.ended(its, code, reason_of(its, code, 'it ended before it answered (%s)'))
  if is_taken or here ~= its then
    return
  end
  here = nil
  if code == connection.REPLACED and not its.stopping and vim.v.exiting == vim.NIL then
    return join_again(its)
  end
  local reason = reason_of(its, code)
  connection.fail_calls(its, { code = 'host_ended', message = reason })
  if vim.v.exiting ~= vim.NIL then
    return
  end
  for _, listener in ipairs(death_listeners) do
    pcall(listener, its.stopping and 'the host was stopped, its programs with it' or reason, its.stopping)
  end
end

connection.on_ended(function(its, code)
  if its.host == '' then
    ended(its, code)
  end
end)

--- The host that a call is for.
---@param params table
---@return string
local function host_of(params)
  local id = params.run_id or params.target
  return type(id) == 'string' and routing.of(id:match('^[^:]*')) or ''
end

---@param method string
---@param params table
function M.notify(method, params)
  local host = host_of(params)
  local its = not input_queue.take(host, method, params) and M.running(host)
  if its then
    connection.notify(its, method, params)
  end
end

vim.api.nvim_create_autocmd('ColorScheme', {
  group = vim.api.nvim_create_augroup('termi.client', {}),
  desc = 'Termi: colours for programs that ask',
  callback = function()
    for _, host in ipairs({ '', unpack(remote.ready()) }) do
      local its = M.running(host)
      if its then
        connection.post(its, 'colors', connection.colors(), function() end)
      end
    end
  end,
})

---@param its termi.Connection
---@return termi.proto.InitializeResult? info
---@return termi.proto.Error? err
local function introduce(its)
  return connection.await(its, 'initialize', connection.introduction(its), config.get().timeout_ms)
end

--- Whether this machine's host is being started.
---@return boolean
function M.is_starting()
  return handshake.is_under_way()
end

--- This machine's host, started if there is none. Raises when there is no binary, or one of another version.
---@return termi.Connection
function M.ensure()
  return M.running() or handshake.wait(function(its)
    here = its
  end)
end

--- Ends this machine's host, and with it every session that it owns. Does not wait.
---@return boolean running false: there was none
function M.stop()
  local its = M.running()
  if its then
    its.stopping = true
    M.request('shutdown', {}, function() end)
  end
  return its ~= nil
end

--- Calls a method; `callback` gets its error or its result. Starts this machine's host if there is none.
---@param method string
---@param params table
---@param callback termi.Callback
---@param host? string default: that of what `params` name
function M.request(method, params, callback, host)
  host = host or host_of(params)
  local its = host == '' and M.ensure() or M.running(host)
  if not its then
    return callback({ code = 'host_lost', message = remote.error_text(host) })
  end
  connection.post(its, method, params, callback)
end

--- Calls a method and waits for its result. Raises its error's message.
---@param method string
---@param params table
---@param opts? { timeout_ms?: integer, on_result?: fun(result: any), host?: string } on_result: called while the
--- answer is handled, before any frame or event that follows it
---@return any result
function M.call(method, params, opts)
  opts = opts or {}
  local timeout_ms = opts.timeout_ms or config.get().timeout_ms
  local host = opts.host or host_of(params)
  local its = host == '' and M.ensure() or M.running(host)
  if not its then
    message.fail('%s', remote.error_text(host))
  end
  ---@cast its -?
  local result, err = connection.await(its, method, params, timeout_ms, opts.on_result)
  if err then
    message.fail('%s', errors.of(err))
  end
  return result
end

--- What a host says of itself: at the handshake, or asked again after a reload of the plugin.
---@param host? string default: this machine's
---@return termi.proto.InitializeResult?
function M.info(host)
  local its = M.running(host)
  if its and not its.info then
    its.info = introduce(its)
  end
  return its and its.info
end

--- Where the host writes its log, or wrote the last one.
---@return string
function M.log_path()
  local info = M.info()
  if info and info.log_path then
    return info.log_path
  end
  local state = vim.env.XDG_STATE_HOME
  if not state or state == '' then
    state = vim.fs.normalize('~/.local/state')
  end
  local folder = vim.fs.joinpath(state, 'termi')
  -- One a day, with the day in its name.
  local logs = vim.fn.glob(vim.fs.joinpath(folder, 'termi*.log'), true, true)
  table.sort(logs)
  return logs[#logs] or vim.fs.joinpath(folder, 'termi.log')
end

return M
