--- What runs there are, and which of them a target names.
local client = require('termi.client')
local message = require('termi.message')
local state = require('termi.state')

local M = {}

---@class termi.Row one run with its session
---@field session_id string
---@field session termi.proto.Session
---@field process termi.proto.Process

--- Whether there can be sessions: not before the first command of an editor that owns its host.
---@return boolean
function M.may_exist()
  return client.running() ~= nil or require('termi.persist').may_have_sessions()
end

--- Raises when something cannot be a target, or when there is nothing that it could name.
---@param target any
---@return string target
function M.checked(target)
  if type(target) ~= 'string' or target == '' then
    message.fail("a target is a session's id or name, SESSION:RUN, group:NAME or all, not %s", vim.inspect(target))
  end
  if not M.may_exist() then
    message.fail('there are no sessions. :TermiRun starts one.')
  end
  return target
end

---@return termi.proto.Sessions
function M.fetch()
  if not M.may_exist() then
    return {}
  end
  local sessions = client.call('sessions', {})
  state.replace(sessions)
  return sessions
end

--- Fetches without waiting; `callback` gets the sessions, or nothing when the host cannot be asked.
---@param callback fun(sessions?: termi.proto.Sessions)
function M.fetch_soon(callback)
  if not M.may_exist() then
    return callback({})
  end
  client.request('sessions', {}, function(err, sessions)
    if not err then
      state.replace(sessions)
    end
    callback(not err and sessions or nil)
  end)
end

---@param sessions termi.proto.Sessions
---@param session_id string
---@return termi.Row[]
local function rows_of(sessions, session_id)
  local session = sessions[session_id]
  local rows = {} ---@type termi.Row[]
  for _, process in ipairs(session.processes) do
    rows[#rows + 1] = { session_id = session_id, session = session, process = process }
  end
  table.sort(rows, function(a, b)
    if a.process.started_at ~= b.process.started_at then
      return a.process.started_at < b.process.started_at
    end
    return a.process.run_id < b.process.run_id
  end)
  return rows
end

--- All runs: by group, then sessions as they were started, then their runs as they were started.
---@param sessions termi.proto.Sessions
---@return termi.Row[]
function M.rows(sessions)
  local ids, started = vim.tbl_keys(sessions), {} ---@type string[], table<string, integer>
  local runs = {} ---@type table<string, termi.Row[]>
  for id in pairs(sessions) do
    runs[id] = rows_of(sessions, id)
    local first = runs[id][1]
    started[id] = first and first.process.started_at or 0
  end
  table.sort(ids, function(a, b)
    local group_a, group_b = sessions[a].group or '', sessions[b].group or ''
    if group_a ~= group_b then
      return group_a < group_b
    elseif started[a] ~= started[b] then
      return started[a] < started[b]
    end
    return a < b
  end)
  local rows = {} ---@type termi.Row[]
  for _, id in ipairs(ids) do
    vim.list_extend(rows, runs[id])
  end
  return rows
end

---@param sessions termi.proto.Sessions
---@param name string id, unique prefix of it, or name
---@return string? session_id
---@return string? complaint
local function find_session(sessions, name)
  if sessions[name] then
    return name
  end
  local named, prefixed = {}, {} ---@type string[], string[]
  for id, session in pairs(sessions) do
    if session.name == name then
      named[#named + 1] = id
    elseif name ~= '' and vim.startswith(id, name) then
      prefixed[#prefixed + 1] = id
    end
  end
  local found = #named > 0 and named or prefixed
  if #found > 1 then
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
  local all = M.rows(sessions)
  local group = target:match('^group:(.+)$')
  if target == 'all' or group then
    local rows = vim.tbl_filter(function(row)
      return not group or row.session.group == group
    end, all)
    if #rows == 0 then
      message.fail(group and 'no session is in the group `%s`.' or 'there are no sessions.', group)
    end
    return rows
  end
  local id, complaint = find_session(sessions, target)
  if id then
    return rows_of(sessions, id)
  end
  local of, run = target:match('^([^:]*):(.+)$')
  id = of and find_session(sessions, of)
  if id and run then
    local rows = vim.tbl_filter(function(row)
      return vim.startswith(row.process.run_id, run)
    end, rows_of(sessions, id))
    if #rows > 0 then
      return rows
    end
    complaint = ('the session `%s` has no run `%s`.'):format(of, run)
  end
  local by_run = vim.tbl_filter(function(row)
    return vim.startswith(row.process.run_id, target)
  end, all)
  if #by_run == 1 then
    return by_run
  end
  complaint = complaint or ('no session is called `%s`. :TermiSessions lists them.'):format(target)
  return message.fail('%s', complaint) --[[@as termi.Row[] ]]
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
