--- Connections to hosts: a process whose stdin and stdout speak the protocol, its calls and their answers.
---
--- Everything goes to a host as a notification and answers come back as messages (see |termi.host|), so that a host
--- that hangs never hangs the editor. Callbacks of the jobs look this module up anew: after a reload of the plugin the
--- running hosts are found again and go on with the new code.
local config = require('termi.config')
local renamed = require('termi.core.renamed')

local M = {}

--- The connections of the plugin as it was before an update.
local before = renamed.unload()

M.PROTOCOL = 1

--- How a bridge exits when the daemon has been given another binary: it is to be joined again.
M.REPLACED = 75

--- How much of a host's stderr is kept for the message about its death.
local STDERR_BYTES = 4096

---@class termi.Connection
---@field host string its name in the option `hosts`; '' is this machine
---@field chan integer
---@field info? termi.proto.InitializeResult nil until the handshake is done, or after a reload
---@field stderr string its end
---@field stopping? boolean a person wants it to end
---@field persistent? boolean it is a bridge to the daemon, whose sessions go on without it

---@alias termi.Callback fun(err?: termi.proto.Error, result?: any)

---@class termi.PendingCall
---@field chan integer
---@field callback termi.Callback

local by_chan = {} ---@type table<integer, termi.Connection>
--- Channels of hosts that have ended: Neovim lists them for a moment longer.
local dead = {} ---@type table<integer, true>
local pending = {} ---@type table<integer, termi.PendingCall>
-- Starts anywhere: an answer to a call of a module that was since unloaded must find no taker.
local last_id = vim.uv.hrtime() % 2 ^ 40

local ended_listeners = {} ---@type fun(connection: termi.Connection, code: integer)[]

--- Calls `fn` when the process of a connection has ended.
---@param fn fun(connection: termi.Connection, code: integer)
function M.on_ended(fn)
  ended_listeners[#ended_listeners + 1] = fn
end

--- Starts a host. Raises when its program cannot be started.
---@param host string
---@param command string[]
---@return termi.Connection
function M.open(host, command)
  local chan = vim.fn.jobstart(command, {
    rpc = true,
    -- Neovim is not to wait for it on exit: it ends by itself when its stdin closes, and its programs with it.
    detach = true,
    on_exit = function(ended, code)
      require('termi.rpc.connection').exited(ended, code)
    end,
    on_stderr = function(from, data)
      require('termi.rpc.connection').heard(from, data)
    end,
  })
  if chan <= 0 then
    error('it is not executable', 0)
  end
  local connection = { host = host, chan = chan, stderr = '' } ---@type termi.Connection
  by_chan[chan] = connection
  if host ~= '' then
    -- For a reload of the plugin: only the name that a person gave tells these from each other.
    local names = vim.g.termi_hosts or {}
    names[host] = chan
    vim.g.termi_hosts = names
  end
  return connection
end

--- Connections that an earlier load of this module opened.
---@return termi.Connection[]
function M.adopt()
  local names = {} ---@type table<integer, string>
  for name, chan in pairs(vim.g.termi_hosts or {}) do
    names[chan] = name
  end
  local found = {} ---@type termi.Connection[]
  for _, chan in ipairs(vim.api.nvim_list_chans()) do
    if chan.stream == 'job' and chan.client and chan.client.name == 'termi' and not dead[chan.id] then
      by_chan[chan.id] = by_chan[chan.id] or { host = names[chan.id] or '', chan = chan.id, stderr = '' }
      found[#found + 1] = by_chan[chan.id]
    end
  end
  return found
end

---@param chan integer
---@param data string[]
function M.heard(chan, data)
  local connection = by_chan[chan]
  if connection then
    connection.stderr = (connection.stderr .. table.concat(data, '\n')):sub(-STDERR_BYTES)
  end
end

---@param chan integer
---@param code integer
function M.exited(chan, code)
  local connection = by_chan[chan]
  dead[chan] = true
  -- Its last words may still come.
  vim.schedule(function()
    by_chan[chan] = nil
  end)
  for _, fn in ipairs(connection and ended_listeners or {}) do
    fn(connection --[[@as termi.Connection]], code)
  end
end

--- Gives up what a connection's calls still wait for.
---@param connection termi.Connection
---@param err termi.proto.Error
function M.fail_calls(connection, err)
  for id, call in pairs(pending) do
    if call.chan == connection.chan then
      pending[id] = nil
      pcall(call.callback, err)
    end
  end
end

--- An answer to a call that nobody waits for any more has no taker.
---@param id integer
function M.forget(id)
  pending[id] = nil
end

---@param reply termi.proto.Reply
---@param host string whose it says it is
function M.replied(reply, host)
  local call = pending[reply.id]
  pending[reply.id] = nil
  local connection = call and by_chan[call.chan]
  if call and connection and connection.host ~= host then
    local text = 'the termi there is older than this plugin, and cannot be one of several hosts. Update it.'
    call.callback({ code = 'protocol_mismatch', message = text })
  elseif call then
    call.callback(reply.error, reply.result)
  elseif before then
    before.replied(reply, host)
  end
end

---@param connection termi.Connection
---@param method string
---@param params table
---@param callback termi.Callback
---@return integer id
function M.post(connection, method, params, callback)
  last_id = last_id + 1
  local id = last_id
  pending[id] = { chan = connection.chan, callback = callback }
  local call = { id = id, method = method, params = next(params) and params or vim.empty_dict() }
  local sent, why = pcall(vim.rpcnotify, connection.chan, 'call', call)
  if not sent then
    pending[id] = nil
    callback({ code = 'host_ended', message = 'the host does not listen: ' .. tostring(why) })
  end
  return id
end

--- Waits for one call's answer while the editor's events go on. CTRL-C ends the waiting.
---@param connection termi.Connection
---@param method string
---@param params table
---@param timeout_ms integer
---@param on_result? fun(result: any) called while the answer is handled
---@return any result
---@return termi.proto.Error? err
function M.await(connection, method, params, timeout_ms, on_result)
  local answered, result, err = false, nil, nil
  local id = M.post(connection, method, params, function(e, r)
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
  M.forget(id)
  if why == -2 then
    return nil, { code = 'interrupted', message = ('interrupted while waiting for `%s`'):format(method) }
  end
  local text = 'the host%s did not answer `%s` within %g s. `:Termi log` opens its log.'
  local where = connection.host ~= '' and ' on ' .. connection.host or ''
  return nil, { code = 'timeout', message = text:format(where, method, timeout_ms / 1000) }
end

---@param connection termi.Connection
---@param method string
---@param params table
function M.notify(connection, method, params)
  -- A host that has just died: its on_exit follows and says so.
  pcall(vim.rpcnotify, connection.chan, method, next(params) and params or vim.empty_dict())
end

---@return { foreground: string, background: string }
function M.colors()
  local normal = vim.api.nvim_get_hl(0, { name = 'Normal', link = false })
  local dark = vim.o.background == 'dark'
  return {
    foreground = ('#%06x'):format(normal.fg or (dark and 0xe0e2ea or 0x14161b)),
    background = ('#%06x'):format(normal.bg or (dark and 0x14161b or 0xe0e2ea)),
  }
end

--- The parameters of `initialize`.
---@param connection termi.Connection
---@return table
function M.introduction(connection)
  local version = vim.version()
  return {
    protocol = M.PROTOCOL,
    client = { name = 'nvim', version = ('%d.%d.%d'):format(version.major, version.minor, version.patch) },
    frontend = 'nvim',
    colors = M.colors(),
    cross_session = config.get().cross_session or nil,
    agent_hooks = config.get().agents.hooks or nil,
    tag = connection.host ~= '' and connection.host or nil,
  }
end

return M
