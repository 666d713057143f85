--- The connection to the host: starts it, shakes hands, calls its methods, notices its death.
---
--- Everything goes to the host as a notification and answers come back as messages (see |termi.host|), so that
--- a host that hangs never hangs the editor. Callbacks of the job look this module up anew: after a reload of the
--- plugin the running host is found again and goes on with the new code.
local binary = require('termi.binary')
local config = require('termi.config')
local message = require('termi.message')

local M = {}

M.PROTOCOL = 1

--- How much of the host's stderr is kept for the message about its death.
local STDERR_BYTES = 4096

---@class termi.Connection
---@field chan integer
---@field info? termi.proto.InitializeResult nil until the handshake is done, or after a reload
---@field stopping? boolean a person wants it to end
---@field persistent? boolean it is a bridge to the daemon, whose sessions go on without it

---@alias termi.Callback fun(err?: termi.proto.Error, result?: any)

--- How a bridge exits when the daemon has been given another binary: it is to be joined again.
local REPLACED = 75

local connection ---@type termi.Connection?
--- Channels of hosts that have ended: Neovim lists them for a moment longer.
local dead = {} ---@type table<integer, true>
--- Typed while the daemon is joined again, in order; nil at all other times.
local held ---@type { [1]: string, [2]: table }[]?
local pending = {} ---@type table<integer, termi.Callback>
-- Starts anywhere: an answer to a call of a module that was since unloaded must find no taker.
local last_id = vim.uv.hrtime() % 2 ^ 40
local stderr = ''
local death_listeners = {} ---@type fun(reason: string, wanted?: boolean)[]

--- Calls `fn` with a sentence when the host has ended, and with whether that was wanted.
---@param fn fun(reason: string, wanted?: boolean)
function M.on_death(fn)
  death_listeners[#death_listeners + 1] = fn
end

--- The channel of a host that runs already: ours, or one that an earlier load of this module started.
---@return termi.Connection?
function M.running()
  if connection then
    return connection
  end
  for _, chan in ipairs(vim.api.nvim_list_chans()) do
    if chan.stream == 'job' and chan.client and chan.client.name == 'termi' and not dead[chan.id] then
      connection = { chan = chan.id }
    end
  end
  return connection
end

---@param chan integer
---@param code integer
function M.exited(chan, code)
  if not connection or connection.chan ~= chan then
    return
  end
  local wanted, persistent = connection.stopping, connection.persistent
  connection = nil
  dead[chan] = true
  if code == REPLACED and not wanted and vim.v.exiting == vim.NIL then
    return M.join_again()
  end
  local said = vim.trim(stderr)
  -- A shell's way to tell a signal: 128 and its number.
  local how = code > 128 and require('termi.format').signal(code - 128) or ('exit code %d'):format(code)
  local what = persistent and 'the connection to the daemon ended unexpectedly (%s)'
    or 'the host ended unexpectedly (%s), its programs with it'
  local reason = what:format(how)
  if persistent and said ~= '' then
    -- A bridge says in one line what became of the daemon: nobody is to press <Enter> for it.
    reason = said
  elseif said ~= '' then
    reason = reason .. ':\n' .. said
  end
  local waiting = pending
  pending = {}
  for _, callback in pairs(waiting) do
    pcall(callback, { code = 'host_ended', message = reason })
  end
  if vim.v.exiting ~= vim.NIL then
    return
  end
  for _, listener in ipairs(death_listeners) do
    pcall(listener, wanted and 'the host was stopped, its programs with it' or reason, wanted)
  end
end

--- Holds what is typed, while the daemon is given another binary; or sends what was held.
---@param begins boolean
function M.hold(begins)
  if begins then
    held = held or {}
    return
  end
  local typed = held or {}
  held = nil
  for _, call in ipairs(typed) do
    M.notify(call[1], call[2])
  end
end

--- Joins the daemon again after another binary was put in its place, and shows everything again. What is typed
--- meanwhile arrives after that.
function M.join_again()
  local waiting = pending
  pending = {}
  for _, callback in pairs(waiting) do
    pcall(callback, { code = 'host_replaced', message = 'the daemon was just given another binary; try again' })
  end
  M.hold(true)
  vim.schedule(function()
    local ok, why = pcall(M.ensure)
    if ok then
      return require('termi.persist').reattach(function()
        M.hold(false)
      end)
    end
    held = nil
    for _, listener in ipairs(death_listeners) do
      pcall(listener, tostring(why), false)
    end
  end)
end

---@param data string[]
function M.heard(data)
  stderr = (stderr .. table.concat(data, '\n')):sub(-STDERR_BYTES)
end

---@param reply termi.proto.Reply
function M.replied(reply)
  local callback = pending[reply.id]
  pending[reply.id] = nil
  if callback then
    callback(reply.error, reply.result)
  end
end

---@param method string
---@param params table
function M.notify(method, params)
  if held and method == 'input' then
    held[#held + 1] = { method, params }
    return
  end
  local host = M.running()
  if host then
    -- A host that has just died: its on_exit follows and says so.
    pcall(vim.rpcnotify, host.chan, method, next(params) and params or vim.empty_dict())
  end
end

---@param host termi.Connection
---@param method string
---@param params table
---@param callback termi.Callback
---@return integer id
local function post(host, method, params, callback)
  last_id = last_id + 1
  local id = last_id
  pending[id] = callback
  local call = { id = id, method = method, params = next(params) and params or vim.empty_dict() }
  local sent, why = pcall(vim.rpcnotify, host.chan, 'call', call)
  if not sent then
    pending[id] = nil
    callback({ code = 'host_ended', message = 'the host does not listen: ' .. tostring(why) })
  end
  return id
end

--- Waits for one call's answer while the editor's events go on. CTRL-C ends the waiting.
---@param host termi.Connection
---@param method string
---@param params table
---@param timeout_ms integer
---@param on_result? fun(result: any) called while the answer is handled
---@return any result
---@return termi.proto.Error? err
local function await(host, method, params, timeout_ms, on_result)
  local answered, result, err = false, nil, nil
  local id = post(host, method, params, function(e, r)
    answered, err, result = true, e, r
    if not e and on_result then
      on_result(r)
    end
  end)
  local _, why = vim.wait(timeout_ms, function()
    return answered
  end, 5)
  if answered then
    return result, err
  end
  pending[id] = nil
  if why == -2 then
    return nil, { code = 'interrupted', message = ('interrupted while waiting for `%s`'):format(method) }
  end
  local text = 'the host did not answer `%s` within %g s. `:Termi log` opens its log.'
  return nil, { code = 'timeout', message = text:format(method, timeout_ms / 1000) }
end

---@return { foreground: string, background: string }
local function colors()
  local normal = vim.api.nvim_get_hl(0, { name = 'Normal', link = false })
  local dark = vim.o.background == 'dark'
  return {
    foreground = ('#%06x'):format(normal.fg or (dark and 0xe0e2ea or 0x14161b)),
    background = ('#%06x'):format(normal.bg or (dark and 0x14161b or 0xe0e2ea)),
  }
end

vim.api.nvim_create_autocmd('ColorScheme', {
  group = vim.api.nvim_create_augroup('termi.client', {}),
  desc = 'Termi: colours for programs that ask',
  callback = function()
    local host = M.running()
    if host then
      post(host, 'colors', colors(), function() end)
    end
  end,
})

---@param host termi.Connection
---@return termi.proto.InitializeResult? info
---@return termi.proto.Error? err
local function introduce(host)
  local version = vim.version()
  return await(host, 'initialize', {
    protocol = M.PROTOCOL,
    client = { name = 'nvim', version = ('%d.%d.%d'):format(version.major, version.minor, version.patch) },
    frontend = 'nvim',
    colors = colors(),
    cross_session = config.get().cross_session or nil,
  }, config.get().timeout_ms)
end

---@param host termi.Connection
local function handshake(host)
  local info, err = introduce(host)
  if info and not err and info.protocol == M.PROTOCOL then
    host.info = info
    return
  end
  connection = nil
  pcall(vim.fn.chanclose, host.chan)
  if err then
    message.fail('the host could not be used: %s', err.message)
  end
  local text = 'the binary %s speaks protocol %s, this plugin speaks %d. Bring both to one version: `:Termi build`.'
  message.fail(text, binary.find(), tostring(info and info.protocol), M.PROTOCOL)
end

--- The host, started if there is none. Raises when there is no binary, or one of another version.
---@return termi.Connection
function M.ensure()
  local host = M.running()
  if host then
    return host
  end
  local path = binary.find()
  local command = { path, 'host' } ---@type string[]
  if config.get().persist then
    command[#command + 1] = '--persist'
  end
  stderr = ''
  local ok, chan = pcall(vim.fn.jobstart, command, {
    rpc = true,
    -- Neovim is not to wait for it on exit: it ends by itself when its stdin closes, and its programs with it.
    detach = true,
    on_exit = function(ended, code)
      require('termi.client').exited(ended, code)
    end,
    on_stderr = function(_, data)
      require('termi.client').heard(data)
    end,
  })
  if not ok or chan <= 0 then
    message.fail('%s cannot be started: %s', path, ok and 'it is not executable' or tostring(chan))
  end
  host = { chan = chan, persistent = config.get().persist }
  connection = host
  handshake(host)
  return host
end

--- Ends the host, and with it every session that it owns. Does not wait.
---@return boolean running false: there was none
function M.stop()
  local host = M.running()
  if host then
    host.stopping = true
    M.request('shutdown', {}, function() end)
  end
  return host ~= nil
end

--- Calls a method; `callback` gets its error or its result. Starts the host if there is none.
---@param method string
---@param params table
---@param callback termi.Callback
function M.request(method, params, callback)
  post(M.ensure(), method, params, callback)
end

--- Calls a method and waits for its result. Raises its error's message.
---@param method string
---@param params table
---@param opts? { timeout_ms?: integer, on_result?: fun(result: any) } on_result: called while the answer is handled,
--- before any frame or event that follows it
---@return any result
function M.call(method, params, opts)
  opts = opts or {}
  local timeout_ms = opts.timeout_ms or config.get().timeout_ms
  local result, err = await(M.ensure(), method, params, timeout_ms, opts.on_result)
  if err then
    message.fail('%s', require('termi.wording').of(err))
  end
  return result
end

--- What the host says of itself: at the handshake, or asked again after a reload of the plugin.
---@return termi.proto.InitializeResult?
function M.info()
  local host = M.running()
  if host and not host.info then
    host.info = introduce(host)
  end
  return host and host.info
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
