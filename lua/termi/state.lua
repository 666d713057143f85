--- What is known of the runs without asking the host, kept from its events: for the statusline, for completion, and
--- for which run waits for a person.
local M = {}

---@class termi.RunState
---@field session_id string
---@field session_name? string
---@field active boolean
---@field attention? string why it wants a person

local runs = {} ---@type table<string, termi.RunState> by run id

---@param event termi.proto.RunEvent
function M.started(event)
  runs[event.run_id] = { session_id = event.session_id, session_name = event.session_name, active = true }
end

---@param event termi.proto.RunEvent
function M.ended(event)
  local run = runs[event.run_id]
  if run then
    run.active = false
  end
end

---@param session_id string
---@param run_id? string only this run of it
function M.removed(session_id, run_id)
  for id, run in pairs(runs) do
    if run.session_id == session_id and (not run_id or id == run_id) then
      runs[id] = nil
    end
  end
end

---@param session_id string
---@param name string
function M.renamed(session_id, name)
  for _, run in pairs(runs) do
    if run.session_id == session_id then
      run.session_name = name
    end
  end
end

---@param run_id string
---@param why string
---@return boolean news it did not want any before, or for another reason
function M.wants_attention(run_id, why)
  local run = runs[run_id]
  local news = run ~= nil and run.attention ~= why
  if news then
    run.attention = why
  end
  return news
end

--- A person looks at the run.
---@param run_id? string
function M.seen(run_id)
  if run_id and runs[run_id] and runs[run_id].attention then
    runs[run_id].attention = nil
    vim.cmd.redrawstatus({ bang = true })
  end
end

---@param run_id string
---@return string?
function M.attention(run_id)
  return runs[run_id] and runs[run_id].attention
end

--- Takes over what the host says there is.
---@param sessions termi.proto.Sessions
function M.replace(sessions)
  local now = {} ---@type table<string, termi.RunState>
  for session_id, session in pairs(sessions) do
    for _, process in ipairs(session.processes) do
      local known = runs[process.run_id]
      now[process.run_id] = {
        session_id = session_id,
        session_name = session.name,
        active = process.status == 'active',
        attention = known and known.attention,
      }
    end
  end
  runs = now
end

function M.clear()
  runs = {}
end

---@return integer active
---@return integer waiting for a person
function M.counts()
  local active, waiting = 0, 0
  for _, run in pairs(runs) do
    active = active + (run.active and 1 or 0)
    waiting = waiting + (run.attention and 1 or 0)
  end
  return active, waiting
end

---@return table<string, termi.RunState>
function M.runs()
  return runs
end

return M
