--- Hosts on other machines, by their names in the option `hosts`: connected when they are first asked for, and joined
--- again when the connection is lost. Nothing here waits: a connection may take seconds, or never be had.
local bus = require('termi.rpc.bus')
local config = require('termi.config')
local connection = require('termi.rpc.connection')
local errors = require('termi.core.errors')
local format = require('termi.core.format')
local input_queue = require('termi.rpc.input_queue')
local message = require('termi.ui.message')

local M = {}

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

---@class termi.Remote
---@field name string
---@field state 'off'|'connecting'|'ready'|'waiting'|'failed'
---@field its? termi.Connection while connecting and ready
---@field keep boolean it is to be joined again: a person has had it, or wants it from the start
---@field lost boolean it was ready, and its views wait for it
---@field attempts integer that have failed in a row
---@field retry_at? integer as |vim.uv.now()| counts
---@field timer? uv.uv_timer_t
---@field why? string what was wrong last
---@field callbacks fun(err?: string)[] who waits for the connection

local remotes = {} ---@type table<string, termi.Remote>

--- What is done with a host that has just been connected, before those who wait for it go on.
local on_connected = function(_, _, on_known)
  on_known()
end ---@type fun(name: string, was_lost: boolean, on_known: fun())

--- Calls `fn` when a host is connected. Who waits for that goes on once it calls back.
---@param fn fun(name: string, was_lost: boolean, on_known: fun())
function M.on_connected(fn)
  on_connected = fn
end

---@param name string
---@return termi.Remote
local function of(name)
  local remote = remotes[name]
  if not remote then
    remote = { name = name, state = 'off', keep = false, lost = false, attempts = 0, callbacks = {} }
    remotes[name] = remote
  end
  return remote
end

--- The names of all hosts that are configured, or connected, in order.
---@return string[]
function M.names()
  local names = vim.tbl_keys(vim.tbl_extend('force', {}, remotes, config.get().hosts))
  table.sort(names)
  return names
end

--- Whether there is such a host.
---@param name string
---@return boolean
function M.is_known(name)
  return config.get().hosts[name] ~= nil or remotes[name] ~= nil
end

---@param name string
---@return termi.HostConfig
function M.settings(name)
  local settings = config.get().hosts[name]
  if not settings then
    message.fail('%s', errors.none_of('host', name, M.names(), 'termi-hosts'))
  end
  return settings --[[@as termi.HostConfig]]
end

--- The hosts that can be called, in order.
---@return string[]
function M.ready()
  local names = vim.tbl_filter(function(name)
    return remotes[name] ~= nil and remotes[name].state == 'ready'
  end, M.names())
  return names
end

--- A host's connection, when it can be called.
---@param name string
---@return termi.Connection?
function M.running(name)
  local remote = remotes[name]
  return remote and remote.state == 'ready' and remote.its or nil
end

--- Whether a host is there, or will be tried again.
---@param name string
---@return boolean
function M.is_wanted(name)
  local remote = remotes[name]
  return remote ~= nil and remote.state ~= 'off' and remote.state ~= 'failed'
end

--- What is to be seen of a host that should be there and is not: `connection lost, trying again in 4 s`.
---@param name string
---@return string? text nil: it is there, or nobody wants it
function M.trouble(name)
  local remote = remotes[name]
  if not remote or remote.state == 'ready' or remote.state == 'off' then
    return nil
  end
  local what = remote.lost and 'connection lost' or 'no connection'
  if remote.state == 'failed' then
    return ('%s: %s'):format(what, ((remote.why or ''):gsub('^cannot connect to %S+: ', '')))
  elseif remote.state == 'waiting' then
    local left = math.max(0, (remote.retry_at or 0) - vim.uv.now())
    return ('%s, trying again in %d s'):format(what, math.ceil(left / 1000))
  end
  return remote.attempts > 0 and what .. ', trying again now' or 'connecting …'
end

--- Why a host cannot be called, and what to do.
---@param name string
---@return string
function M.sentence(name)
  local trouble = M.trouble(name)
  local text = trouble and ('%s: %s.'):format(name, trouble) or ('%s is not connected.'):format(name)
  return ('%s `:Termi connect %s` connects it now.'):format(text, name)
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

--- Forgets what was typed for a host that is not joined again.
---@param remote termi.Remote
local function let_go(remote)
  local bytes = input_queue.discard(remote.name)
  if bytes > 0 then
    local text = 'what was typed for %s meanwhile (%s) is lost'
    message.aside(text:format(remote.name, format.bytes(bytes)), vim.log.levels.WARN)
  end
end

---@param remote termi.Remote
local function stop_timer(remote)
  if remote.timer then
    remote.timer:stop()
    remote.timer:close()
    remote.timer, remote.retry_at = nil, nil
  end
end

---@param remote termi.Remote
local function close(remote)
  local its = remote.its
  remote.its = nil
  if not its then
    return
  end
  its.stopping = true
  if not its.info then
    -- Nothing was sent yet that could be lost.
    pcall(vim.fn.jobstop, its.chan)
    return
  end
  pcall(vim.fn.chanclose, its.chan)
  vim.defer_fn(function()
    pcall(vim.fn.jobstop, its.chan)
  end, CLOSING_MS)
end

local open ---@type fun(remote: termi.Remote) defined below, for it tries again by what follows

---@param remote termi.Remote
---@param after_ms integer
local function try_again(remote, after_ms)
  remote.state, remote.retry_at = 'waiting', vim.uv.now() + after_ms
  remote.timer = assert(vim.uv.new_timer())
  remote.timer:start(
    after_ms,
    0,
    vim.schedule_wrap(function()
      if package.loaded['termi.rpc.remote'] == M and remote.state == 'waiting' then
        open(remote)
      end
    end)
  )
end

---@param attempts integer that have failed, at least one
---@return integer ms
local function delay(attempts)
  return math.floor(math.min(FIRST_RETRY_MS * 2 ^ (attempts - 1), LAST_RETRY_MS))
end

--- A connection could not be had, or is not any more.
---@param remote termi.Remote
---@param why string
---@param for_good boolean trying again would not help
local function failed(remote, why, for_good)
  close(remote)
  local was_ready, news = remote.state == 'ready', remote.why ~= why
  local notice ---@type string?
  remote.why, remote.lost = why, remote.lost or was_ready
  if was_ready then
    input_queue.open(remote.name)
    message.aside(('the connection to %s is lost, trying again: %s'):format(remote.name, why), vim.log.levels.WARN)
    notice = ('[Connection to %s lost, trying again]'):format(remote.name)
  end
  -- Who is told of it by a callback need not be told twice.
  local waited_for = #remote.callbacks > 0
  if remote.keep and not for_good then
    if not was_ready and not remote.lost and news and not waited_for then
      message.aside(why .. ', trying again', vim.log.levels.WARN)
    end
    remote.attempts = remote.attempts + 1
    try_again(remote, delay(remote.attempts))
  else
    if remote.keep and not waited_for then
      message.error(why)
    end
    let_go(remote)
    notice = ('[Connection to %s lost: :Termi connect %s tries again]'):format(remote.name, remote.name)
    remote.state = remote.keep and 'failed' or 'off'
  end
  call_back(remote, why)
  publish(remote, 'host_lost', { notice = notice })
end

---@param text string
---@return string?
local function last_line(text)
  local lines = vim.split(vim.trim(text), '%s*\n%s*')
  local line = lines[#lines] or ''
  return line ~= '' and format.one_line(line) or nil
end

--- Why a connection has ended, in words.
---@param remote termi.Remote
---@param its termi.Connection
---@param code integer
---@return string why
---@return boolean for_good
local function reason(remote, its, code)
  local name, said = remote.name, last_line((its.stderr:gsub('termi: ', '')))
  if code == 127 and remote.state == 'connecting' then
    -- Short enough for one line: it comes when somebody may be typing elsewhere.
    local what = said and said:gsub('^%S+: line %d+: ', '') or 'exit code 127'
    return ('%s has no termi: %s. Install it, or set hosts.%s.cmd'):format(name, what, name), true
  end
  -- Of what ssh says, what comes last is the reason.
  said = said and said:gsub('^ssh: ', ''):gsub('^connect to host %S+ port %d+: ', '')
  said = said and said:gsub('^Could not resolve hostname %S+: ', '')
  local how = said or code > 128 and format.signal(code - 128) or ('its command ended with exit code %d'):format(code)
  return remote.state == 'ready' and how or ('cannot connect to %s: %s'):format(name, how), false
end

--- The process of a connection has ended.
---@param its termi.Connection
---@param code integer
local function ended(its, code)
  local remote = remotes[its.host]
  if not remote or remote.its ~= its or vim.v.exiting ~= vim.NIL then
    return connection.fail_calls(its, { code = 'host_ended', message = M.sentence(its.host) })
  end
  remote.its = nil
  if code == connection.REPLACED and remote.state == 'ready' then
    local text = ('the daemon of %s binary was just replaced; try again'):format(remote.name)
    connection.fail_calls(its, { code = 'host_replaced', message = text })
    input_queue.open(remote.name)
    remote.lost = true
    return vim.schedule(function()
      open(remote)
    end)
  end
  local why, for_good = reason(remote, its, code)
  local text = ('the connection to %s ended: %s'):format(remote.name, why)
  -- The answer to the introduction is among them: it has nothing to say any more.
  local was_connecting = remote.state == 'connecting'
  connection.fail_calls(its, { code = 'host_ended', message = text })
  -- What Neovim says last of its output comes a moment after its end.
  if was_connecting and its.stderr == '' then
    return vim.schedule(function()
      failed(remote, reason(remote, its, code))
    end)
  end
  failed(remote, why, for_good)
end

---@param remote termi.Remote
local function ready(remote)
  local was_lost, was_said = remote.lost, remote.why ~= nil
  remote.state, remote.keep, remote.lost, remote.attempts, remote.why = 'ready', true, false, 0, nil
  if was_lost and was_said then
    message.aside(('connected to %s again'):format(remote.name))
  end
  on_connected(remote.name, was_lost, function()
    call_back(remote)
    publish(remote, 'host_connected')
  end)
end

---@param remote termi.Remote
---@param its termi.Connection
local function introduce(remote, its)
  local answered = false
  connection.post(its, 'initialize', connection.introduction(its), function(err, info)
    answered = true
    if remote.its ~= its or (err and err.code == 'host_ended') then
      return
    end
    vim.schedule(function()
      if remote.its ~= its then
        return
      elseif err then
        return failed(remote, ('the termi on %s cannot be used: %s'):format(remote.name, err.message), true)
      elseif info.protocol ~= connection.PROTOCOL then
        local text = 'the termi on %s speaks protocol %s, this plugin speaks %d. Bring both to one version.'
        return failed(remote, text:format(remote.name, tostring(info.protocol), connection.PROTOCOL), true)
      end
      its.info = info
      ready(remote)
    end)
  end)
  vim.defer_fn(function()
    if not answered and remote.its == its then
      pcall(vim.fn.jobstop, its.chan)
      local text = 'cannot connect to %s: no answer within %d s'
      failed(remote, text:format(remote.name, HANDSHAKE_MS / 1000), false)
    end
  end, HANDSHAKE_MS)
end

open = function(remote)
  stop_timer(remote)
  remote.state = 'connecting'
  local known, settings = pcall(M.settings, remote.name)
  if not known then
    return failed(remote, tostring(settings), true)
  end
  local started, its = pcall(connection.open, remote.name, settings.cmd)
  if not started then
    local what = settings.cmd[1]
    local is_there = vim.fn.executable(what) == 1
    local why = is_there and tostring(its):gsub('^.-E%d+: *', '') or ('`%s` is not executable'):format(what)
    return failed(remote, ('cannot connect to %s: %s'):format(remote.name, why), true)
  end
  its.persistent = true
  remote.its = its
  publish(remote, 'host_connecting')
  introduce(remote, its)
end

--- Connects a host, now if it is waited for, and calls back once that is done. Raises when there is no such host.
---@param name string
---@param callback fun(err?: string)
function M.connect(name, callback)
  if M.running(name) then
    return callback()
  end
  M.settings(name)
  local remote = of(name)
  remote.callbacks[#remote.callbacks + 1] = callback
  if remote.state ~= 'connecting' then
    open(remote)
  end
end

--- The same, and says what came of it.
---@param name string
function M.connect_and_say(name)
  M.connect(name, function(err)
    if err then
      return message.error(err)
    end
    message.info(('connected to %s'):format(name))
  end)
end

--- Leaves a host, whose sessions go on. It is not joined again by itself.
---@param name string
function M.disconnect(name)
  local remote = remotes[name]
  if not remote or remote.state == 'off' then
    M.settings(name)
    message.fail('%s is not connected.', name)
  end
  ---@cast remote -?
  stop_timer(remote)
  local its = remote.its
  close(remote)
  if its then
    connection.fail_calls(its, { code = 'host_ended', message = ('%s was disconnected'):format(name) })
  end
  let_go(remote)
  remote.state, remote.keep, remote.lost, remote.attempts = 'off', false, true, 0
  call_back(remote, ('%s was disconnected'):format(name))
  local notice = ('[Disconnected from %s: :Termi connect %s shows it again]'):format(name, name)
  publish(remote, 'host_lost', { notice = notice, is_wanted_off = true })
end

--- Connects the hosts that are wanted from the start, once the editor has started.
function M.watch()
  if vim.v.vim_did_enter == 0 then
    vim.api.nvim_create_autocmd('VimEnter', {
      group = vim.api.nvim_create_augroup('termi.remote', {}),
      once = true,
      desc = 'Termi: connect the hosts that are wanted from the start',
      callback = function()
        require('termi.rpc.remote').watch()
      end,
    })
    return
  end
  for name, settings in pairs(config.get().hosts) do
    local remote = settings.auto and of(name)
    if remote and remote.state == 'off' then
      remote.keep = true
      open(remote)
    end
  end
end

connection.on_ended(function(its, code)
  if its.host ~= '' then
    ended(its, code)
  end
end)

-- After a reload of the plugin: the connections of the load before.
for _, its in ipairs(connection.adopt()) do
  if its.host ~= '' then
    local remote = of(its.host)
    remote.state, remote.its, remote.keep = 'ready', its, true
  end
end

return M
