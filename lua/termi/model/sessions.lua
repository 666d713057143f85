--- Sessions of all hosts: fetching them, and resolving a target to the runs that it names.
local client = require('termi.rpc.client')
local daemon = require('termi.rpc.daemon')
local errors = require('termi.core.errors')
local message = require('termi.ui.message')
local remote = require('termi.rpc.remote')
local routing = require('termi.rpc.routing')
local run_state = require('termi.model.run_state')
local session_rows = require('termi.model.session_rows')

local M = {}

--- How long another machine's answer is waited for when all are asked; then what it said last has to do.
local REMOTE_MS = 1000

--- The fewest digits of an id that stand for it: as in the host.
local ID_PREFIX_DIGITS = 4

local last = {} ---@type table<string, termi.proto.Sessions> of other machines, by host

--- Whether this machine can have sessions: not before the first command of an editor that owns its host.
---@return boolean
local function may_exist_here()
  return client.running() ~= nil or client.is_starting() or daemon.may_have_sessions()
end

--- The hosts that can be asked.
---@return string[]
local function hosts()
  local found = remote.ready()
  if may_exist_here() then
    table.insert(found, 1, '')
  end
  return found
end

--- Whether there can be sessions anywhere.
---@return boolean
function M.may_exist()
  return may_exist_here() or #remote.ready() > 0
end

--- Takes over what a host says it has.
---@param host string
---@param sessions? termi.proto.Sessions none: it could not say
---@param asked integer when it was asked, as `state` counts
local function take(host, sessions, asked)
  if not sessions then
    return
  end
  for id, session in pairs(sessions) do
    local is_its = routing.learn(id, host)
    for _, process in ipairs(session.processes) do
      is_its = routing.learn(process.run_id, host) and is_its
    end
    session.host = host ~= '' and host or nil
    sessions[id] = is_its and session or nil
  end
  if host ~= '' then
    last[host] = sessions
  end
  run_state.replace(sessions, host, asked)
end

--- Asks one host, and takes over what it says.
---@param host string
---@param callback fun(sessions?: termi.proto.Sessions)
---@param before? fun(sessions?: termi.proto.Sessions) called while all is still as it was known
function M.ask(host, callback, before)
  local asked = run_state.moment()
  client.request('sessions', {}, function(err, sessions)
    sessions = not err and sessions or nil
    if before then
      before(sessions)
    end
    take(host, sessions, asked)
    callback(sessions)
  end, host)
end

--- What this machine has, and what the others were heard to have.
---@param here? termi.proto.Sessions
---@return termi.proto.Sessions
local function all(here)
  local found = {} ---@type termi.proto.Sessions
  for _, sessions in ipairs({
    here or {},
    unpack(vim.tbl_map(function(host)
      return last[host] or {}
    end, remote.ready())),
  }) do
    for id, session in pairs(sessions) do
      found[id] = session
    end
  end
  return found
end

--- What all hosts have. Waits for this machine's, and for a moment for the others'.
---@param opts? { timeout_ms?: integer }
---@return termi.proto.Sessions
function M.fetch(opts)
  local left = 0
  for _, host in ipairs(remote.ready()) do
    left = left + 1
    M.ask(host, function()
      left = left - 1
    end)
  end
  local here ---@type termi.proto.Sessions?
  if may_exist_here() then
    local asked = run_state.moment()
    here = client.call('sessions', {}, { timeout_ms = opts and opts.timeout_ms, host = '' })
    take('', here, asked)
  end
  if left > 0 then
    vim.wait(opts and opts.timeout_ms or REMOTE_MS, function()
      return left == 0
    end, 5)
  end
  return all(here)
end

--- Fetches without waiting; `callback` gets the sessions, or nothing when the host cannot be asked.
---@param callback fun(sessions?: termi.proto.Sessions)
function M.fetch_soon(callback)
  local left, ok, here = 1, true, nil ---@type integer, boolean, termi.proto.Sessions?
  local function done()
    left = left - 1
    if left == 0 then
      callback(ok and all(here) or nil)
    end
  end
  for _, host in ipairs(hosts()) do
    left = left + 1
    local answered = false
    local function answer(sessions)
      if answered then
        return
      end
      answered = true
      if host == '' then
        here, ok = sessions, sessions ~= nil
      end
      done()
    end
    M.ask(host, answer)
    if host ~= '' then
      vim.defer_fn(answer, REMOTE_MS)
    end
  end
  done()
end

--- The host that the end of a target names, `build@gpu`, and the target without it.
---@param target string
---@return string target
---@return string? host
local function split_host(target)
  local name, host = target:match('^(.*)@([^@:]+)$')
  if name and host == routing.LOCAL then
    return name, ''
  elseif name and host and remote.is_known(host) then
    return name, host
  end
  return target, nil
end

--- Raises when something cannot be a target, or when there is nothing that it could name.
---@param target any
---@return string target
function M.checked(target)
  if type(target) ~= 'string' or target == '' then
    message.fail("a target is a session's id or name, SESSION:RUN, group:NAME or all, not %s", vim.inspect(target))
  end
  local _, host = split_host(target)
  host = host or routing.of(target:match('^[^:]*'))
  if host ~= '' and not client.running(host) then
    message.fail('%s', remote.error_text(host))
  elseif not M.may_exist() then
    message.fail('%s', errors.NO_SESSIONS)
  end
  return target
end

---@param sessions termi.proto.Sessions
---@param host? string
---@return termi.proto.Sessions
local function only_of(sessions, host)
  local found = {} ---@type termi.proto.Sessions
  for id, session in pairs(sessions) do
    if not host or (session.host or '') == host then
      found[id] = session
    end
  end
  return found
end

---@param sessions termi.proto.Sessions
---@param name string id, unique prefix of it, or name
---@param host? string that it is on
---@return string? session_id
---@return string? complaint
local function find_session(sessions, name, host)
  if sessions[name] then
    return name
  elseif not host then
    local bare, its = split_host(name)
    if its then
      local id, complaint = find_session(only_of(sessions, its), bare, its)
      if id or complaint then
        return id, complaint
      end
    end
  end
  local named, prefixed = {}, {} ---@type string[], string[]
  local on = {} ---@type table<string, true>
  for id, session in pairs(sessions) do
    if session.name == name then
      on[session.host or ''] = true
      named[#named + 1] = id
    elseif #name >= ID_PREFIX_DIGITS and vim.startswith(id, name) then
      prefixed[#prefixed + 1] = id
    end
  end
  local found = #named > 0 and named or prefixed
  if #found > 1 and vim.tbl_count(on) > 1 then
    local names = vim.tbl_map(function(its)
      return ('%s@%s'):format(name, routing.word(its))
    end, vim.tbl_keys(on))
    table.sort(names)
    return nil, ('`%s` exists on several hosts: %s. Write one of these.'):format(name, table.concat(names, ', '))
  elseif #found > 1 then
    table.sort(found)
    return nil, ('`%s` names several sessions: %s. Use more of the id.'):format(name, table.concat(found, ', '))
  end
  return found[1]
end

--- The runs that a target names. Raises when it names none.
---@param target string
---@param sessions? termi.proto.Sessions default: fetched
---@return termi.Row[]
function M.resolve(target, sessions)
  target = M.checked(target)
  sessions = sessions or M.fetch()
  local every = session_rows.all(sessions)
  local bare, host = split_host(target)
  local group = bare:match('^group:(.+)$')
  if bare == 'all' or group then
    local rows = vim.tbl_filter(function(row)
      return (not group or row.session.group == group) and (not host or (row.session.host or '') == host)
    end, every)
    if #rows == 0 then
      local where = host and '@' .. routing.word(host) or ''
      local none = host and ('there are no sessions on %s.'):format(routing.word(host)) or errors.NO_SESSIONS
      message.fail('%s', group and errors.none('group', group .. where) or none)
    end
    return rows
  end
  local id, complaint = find_session(sessions, target)
  if id then
    return session_rows.of_session(sessions, id)
  end
  local of, run = target:match('^([^:]*):(.+)$')
  id = of and find_session(sessions, of)
  if id and run then
    local rows = vim.tbl_filter(function(row)
      return vim.startswith(row.process.run_id, run)
    end, session_rows.of_session(sessions, id))
    if #rows > 0 then
      return rows
    end
    complaint = errors.none('run', target)
  end
  local by_run = vim.tbl_filter(function(row)
    return #target >= ID_PREFIX_DIGITS and vim.startswith(row.process.run_id, target)
  end, every)
  if #by_run == 1 then
    return by_run
  end
  complaint = complaint or errors.none('session', target)
  return message.fail('%s', complaint) --[[@as termi.Row[] ]]
end

--- How the hosts call what a target names: of several sessions each host knows by the word which they are; of one, its
--- id is what no other has.
---@param target string
---@return { host: string, target: string }[]
function M.route(target)
  target = M.checked(target)
  local known = routing.of(target:match('^[^:]*'))
  local bare, host = split_host(target)
  if known ~= '' or (not host and #remote.ready() == 0) then
    return { { host = known, target = target } }
  end
  local is_several = bare == 'all' or vim.startswith(bare, 'group:')
  local rows = M.resolve(target)
  local routes, seen = {}, {} ---@type { host: string, target: string }[], table<string, true>
  for _, row in ipairs(rows) do
    local its = row.session.host or ''
    local word = #rows == #row.session.processes and row.session_id or M.target(row)
    word = is_several and bare or word
    if not seen[its .. word] then
      seen[its .. word] = true
      routes[#routes + 1] = { host = its, target = word }
    end
  end
  return routes
end

--- The one run that a target stands for: of several, the living one started last.
---@param target string
---@return termi.Row
function M.resolve_one(target)
  local rows = M.resolve(target)
  local chosen = rows[#rows]
  for _, row in ipairs(rows) do
    if row.process.status == 'active' then
      chosen = row
    end
  end
  return chosen or message.fail('the session `%s` has no run.', target)
end

--- How a run is written as a target.
---@param row termi.Row
---@return string
function M.target(row)
  return row.session_id .. ':' .. row.process.run_id
end

return M
