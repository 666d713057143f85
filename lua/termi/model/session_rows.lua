--- Rows: runs with their sessions, in order, as lists and targets need them. Pure but for the current directory.
local M = {}

---@class termi.Row one run with its session
---@field session_id string
---@field session termi.proto.Session
---@field process termi.proto.Process

--- The runs of a session, as they were started.
---@param sessions termi.proto.Sessions
---@param session_id string
---@return termi.Row[]
function M.of_session(sessions, session_id)
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
function M.all(sessions)
  local ids, started = vim.tbl_keys(sessions), {} ---@type string[], table<string, integer>
  local runs = {} ---@type table<string, termi.Row[]>
  for id in pairs(sessions) do
    runs[id] = M.of_session(sessions, id)
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

--- Whether a session was started in the current directory.
---@param session termi.proto.Session
---@return boolean
function M.is_here(session)
  if session.host then
    return false
  end
  local here = vim.uv.fs_realpath(vim.fn.getcwd())
  return here ~= nil and vim.uv.fs_realpath(session.cwd) == here
end

--- The rows of sessions that were started in the current directory, then the others.
---@param rows termi.Row[]
---@return termi.Row[]
function M.here_first(rows)
  local here, elsewhere = {}, {} ---@type termi.Row[], termi.Row[]
  for _, row in ipairs(rows) do
    table.insert(M.is_here(row.session) and here or elsewhere, row)
  end
  return vim.list_extend(here, elsewhere)
end

return M
