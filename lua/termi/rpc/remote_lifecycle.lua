--- Lifecycle of the connection to a host on another machine: a state machine. Nothing here waits: a connection may take
--- seconds, or never be had.
local bus = require('termi.rpc.bus')
local connection = require('termi.rpc.connection')
local format = require('termi.core.format')
local input_queue = require('termi.rpc.input_queue')
local message = require('termi.ui.message')
local remotes = require('termi.rpc.remotes')
local texts = require('termi.rpc.remote_text')

local M = {}

---@alias termi.RemoteState 'off'|'connecting'|'ready'|'backoff'|'failed'

---@alias termi.RemoteEvent
---| 'open' a person wants it, or its time to be tried again has come
---| 'introduced' it has answered, and can be called
---| 'replaced' its daemon was given another binary
---| 'retry' the connection was lost, or not had, and is tried again
---| 'refused' the same, and trying again would not help
---| 'dropped' the same, of a host that nobody has had yet
---| 'leave' a person leaves it

---@type table<termi.RemoteState, table<termi.RemoteEvent, termi.RemoteState>>
local TRANSITIONS = {
  off = { open = 'connecting' },
  connecting = { introduced = 'ready', retry = 'backoff', refused = 'failed', dropped = 'off', leave = 'off' },
  ready = { replaced = 'connecting', retry = 'backoff', refused = 'failed', dropped = 'off', leave = 'off' },
  backoff = { open = 'connecting', leave = 'off' },
  failed = { open = 'connecting', leave = 'off' },
}

--- How long a host may take to answer for the first time: a login over a slow network is in it.
local HANDSHAKE_MS = 30000

--- Between attempts: doubled from the first to the last.
local FIRST_RETRY_MS = 1000
local LAST_RETRY_MS = 30000

--- How long a connection that is closed may take to end by itself.
local CLOSING_MS = 2000

---@class (partial) termi.proto.Event
---@field notice? string what views of a lost host's runs are to show
---@field is_wanted_off? boolean of a lost host: a person has left it

--- What is done with a host that has just been connected, before those who wait for it go on.
local on_connected = function(_, _, on_known)
  on_known()
end ---@type fun(name: string, was_lost: boolean, on_known: fun())

--- Calls `fn` when a host is connected. Who waits for that goes on once it calls back.
---@param fn fun(name: string, was_lost: boolean, on_known: fun())
function M.on_connected(fn)
  on_connected = fn
end

---@param remote termi.Remote
---@param event termi.RemoteEvent
local function transition(remote, event)
  local to = TRANSITIONS[remote.state][event]
  if not to then
    error(('no transition from %s by %s'):format(remote.state, event))
  end
  if remote.timer then
    remote.timer:stop()
    remote.timer:close()
    remote.timer, remote.retry_at = nil, nil
  end
  remote.state = to
end

--- Tells what has become of a connection.
---@param remote termi.Remote
---@param type 'host_connecting'|'host_connected'|'host_lost'
---@param more? { notice?: string, is_wanted_off?: boolean } of a lost one
local function publish(remote, type, more)
  bus.publish(vim.tbl_extend('force', { type = type, host = remote.name }, more or {}) --[[@as termi.proto.Event]])
end

---@param remote termi.Remote
---@param err? string
local function call_back(remote, err)
  local callbacks = remote.callbacks
  remote.callbacks = {}
  for _, callback in ipairs(callbacks) do
    message.guard(callback, err)
  end
end

--- Forgets what was typed for a host that is not connected again.
---@param remote termi.Remote
local function discard_input(remote)
  local bytes = input_queue.discard(remote.name)
  if bytes > 0 then
    local text = 'what was typed for %s meanwhile (%s) is lost'
    message.aside(text:format(remote.name, format.bytes(bytes)), vim.log.levels.WARN)
  end
end

---@param remote termi.Remote
local function close(remote)
  local conn = remote.conn
  remote.conn = nil
  if not conn then
    return
  end
  conn.stopping = true
  if not conn.info then
    -- Nothing was sent yet that could be lost.
    pcall(vim.fn.jobstop, conn.chan)
    return
  end
  pcall(vim.fn.chanclose, conn.chan)
  vim.defer_fn(function()
    pcall(vim.fn.jobstop, conn.chan)
  end, CLOSING_MS)
end

--- Exponential backoff.
---@param remote termi.Remote
local function retry_later(remote)
  remote.attempts = remote.attempts + 1
  local after_ms = math.floor(math.min(FIRST_RETRY_MS * 2 ^ (remote.attempts - 1), LAST_RETRY_MS))
  remote.retry_at = vim.uv.now() + after_ms
  remote.timer = assert(vim.uv.new_timer())
  remote.timer:start(
    after_ms,
    0,
    vim.schedule_wrap(function()
      if package.loaded['termi.rpc.remote_lifecycle'] == M and remote.state == 'backoff' then
        M.open(remote)
      end
    end)
  )
end

--- A connection could not be had, or is not any more.
---@param remote termi.Remote
---@param reason string
---@param is_final boolean trying again would not help
local function fail(remote, reason, is_final)
  close(remote)
  local name, was_ready, is_news = remote.name, remote.state == 'ready', remote.reason ~= reason
  -- Who is told of it by a callback need not be told twice.
  local is_awaited = #remote.callbacks > 0
  local event = not remote.keep and 'dropped' or is_final and 'refused' or 'retry' ---@type termi.RemoteEvent
  local notice ---@type string?
  remote.reason, remote.lost = reason, remote.lost or was_ready
  transition(remote, event)
  if was_ready then
    input_queue.open(name)
    message.aside(('the connection to %s is lost, trying again: %s'):format(name, reason), vim.log.levels.WARN)
    notice = ('[Connection to %s lost, trying again]'):format(name)
  end
  if event == 'retry' then
    if not remote.lost and is_news and not is_awaited then
      message.aside(reason .. ', trying again', vim.log.levels.WARN)
    end
    retry_later(remote)
  else
    if event == 'refused' and not is_awaited then
      message.error(reason)
    end
    discard_input(remote)
    notice = ('[Connection to %s lost: :Termi connect %s tries again]'):format(name, name)
  end
  call_back(remote, reason)
  publish(remote, 'host_lost', { notice = notice })
end

---@param remote termi.Remote
local function ready(remote)
  local was_lost, was_said = remote.lost, remote.reason ~= nil
  transition(remote, 'introduced')
  remote.keep, remote.lost, remote.attempts, remote.reason = true, false, 0, nil
  if was_lost and was_said then
    message.aside(('connected to %s again'):format(remote.name))
  end
  on_connected(remote.name, was_lost, function()
    call_back(remote)
    publish(remote, 'host_connected')
  end)
end

---@param remote termi.Remote
---@param conn termi.Connection
local function introduce(remote, conn)
  local is_answered = false
  connection.post(conn, 'initialize', connection.introduction(conn), function(err, info)
    is_answered = true
    if remote.conn ~= conn or (err and err.code == 'host_ended') then
      return
    end
    vim.schedule(function()
      if remote.conn ~= conn then
        return
      elseif err then
        return fail(remote, ('the termi on %s cannot be used: %s'):format(remote.name, err.message), true)
      elseif info.protocol ~= connection.PROTOCOL then
        local text = 'the termi on %s speaks protocol %s, this plugin speaks %d. Bring both to one version.'
        return fail(remote, text:format(remote.name, tostring(info.protocol), connection.PROTOCOL), true)
      end
      conn.info = info
      ready(remote)
    end)
  end)
  vim.defer_fn(function()
    if not is_answered and remote.conn == conn then
      pcall(vim.fn.jobstop, conn.chan)
      local text = 'cannot connect to %s: no answer within %d s'
      fail(remote, text:format(remote.name, HANDSHAKE_MS / 1000), false)
    end
  end, HANDSHAKE_MS)
end

--- Starts the process of a host that is connecting.
---@param remote termi.Remote
local function start(remote)
  local is_known, settings = pcall(remotes.settings, remote.name)
  if not is_known then
    return fail(remote, tostring(settings), true)
  end
  local is_started, conn = pcall(connection.open, remote.name, settings.cmd)
  if not is_started then
    local what = settings.cmd[1]
    local is_there = vim.fn.executable(what) == 1
    local why = is_there and tostring(conn):gsub('^.-E%d+: *', '') or ('`%s` is not executable'):format(what)
    return fail(remote, ('cannot connect to %s: %s'):format(remote.name, why), true)
  end
  conn.persistent = true
  remote.conn = conn
  publish(remote, 'host_connecting')
  introduce(remote, conn)
end

--- Connects a host that is not connected, nor connecting.
---@param remote termi.Remote
function M.open(remote)
  transition(remote, 'open')
  start(remote)
end

--- Leaves a host, which is not connected again by itself.
---@param remote termi.Remote
function M.leave(remote)
  local name, conn = remote.name, remote.conn
  close(remote)
  if conn then
    connection.fail_calls(conn, { code = 'host_ended', message = ('%s was disconnected'):format(name) })
  end
  discard_input(remote)
  transition(remote, 'leave')
  remote.keep, remote.lost, remote.attempts = false, true, 0
  call_back(remote, ('%s was disconnected'):format(name))
  local notice = ('[Disconnected from %s: :Termi connect %s shows it again]'):format(name, name)
  publish(remote, 'host_lost', { notice = notice, is_wanted_off = true })
end

--- Calls `fn` in the next turn of the event loop, should the host still be without a process then.
---@param remote termi.Remote
---@param fn fun()
local function while_connecting(remote, fn)
  vim.schedule(function()
    if remote.state == 'connecting' and not remote.conn then
      fn()
    end
  end)
end

--- The process of a connection has ended.
---@param conn termi.Connection
---@param code integer
local function ended(conn, code)
  local remote = remotes.find(conn.host)
  if not remote or remote.conn ~= conn or vim.v.exiting ~= vim.NIL then
    return connection.fail_calls(conn, { code = 'host_ended', message = texts.error(conn.host, remote) })
  end
  remote.conn = nil
  if code == connection.REPLACED and remote.state == 'ready' then
    local text = ('the daemon of %s binary was just replaced; try again'):format(remote.name)
    connection.fail_calls(conn, { code = 'host_replaced', message = text })
    input_queue.open(remote.name)
    remote.lost = true
    transition(remote, 'replaced')
    return while_connecting(remote, function()
      start(remote)
    end)
  end
  local reason, is_final = texts.reason(remote, conn.stderr, code)
  local text = ('the connection to %s ended: %s'):format(remote.name, reason)
  -- The answer to the introduction is among them: it has nothing to say any more.
  local was_connecting = remote.state == 'connecting'
  connection.fail_calls(conn, { code = 'host_ended', message = text })
  -- What Neovim says last of its output comes a moment after its end.
  if was_connecting and conn.stderr == '' then
    return while_connecting(remote, function()
      fail(remote, texts.reason(remote, conn.stderr, code))
    end)
  end
  fail(remote, reason, is_final)
end

connection.on_ended(function(conn, code)
  if conn.host ~= '' then
    ended(conn, code)
  end
end)

-- After a reload of the plugin: the connections of the load before.
for _, conn in ipairs(connection.adopt()) do
  if conn.host ~= '' then
    local remote = remotes.of(conn.host)
    remote.state, remote.conn, remote.keep = 'ready', conn, true
  end
end

return M
