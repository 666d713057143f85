--- Coding agents among the runs: which of them waits for a person, and for how long.
local run_state = require('termi.model.run_state')

local M = {}

---@class termi.AgentRun a run that is an agent
---@field session_name string
---@field session_id string
---@field run_id string
---@field host? string where it is, when that is another machine
---@field agent termi.proto.AgentInfo

---@type table<termi.proto.AgentState, integer>
local ranks = { blocked = 1, error = 2, done = 3, working = 4 }

--- Ready for a prompt, starting, unknown, or looked at since it was done.
local RANK_OF_REST = 5

--- How an agent compares with others: who wants a person most is lowest.
---@param agent termi.proto.AgentInfo
---@return integer
function M.rank(agent)
  if agent.state == 'done' and agent.seen then
    return RANK_OF_REST
  end
  return ranks[agent.state] or RANK_OF_REST
end

--- Whether it waits for a person: one that is blocked until it is answered, the others until they are looked at.
---@param agent termi.proto.AgentInfo
---@return boolean
function M.waits(agent)
  return agent.state == 'blocked' or ((agent.state == 'error' or agent.state == 'done') and not agent.seen)
end

--- Whether an agent began to wait before another, whatever for: in that order they are gone through.
---@param a termi.AgentRun
---@param b termi.AgentRun
---@return boolean
local function is_before(a, b)
  if a.agent.since ~= b.agent.since then
    return a.agent.since < b.agent.since
  end
  return a.run_id < b.run_id
end

--- Who waits and comes after a run, round and round; from one that has not waited, who has waited longest. One that was
--- looked at meanwhile keeps its place.
---@param run_id? string
---@return termi.AgentRun? # nil: none waits; the run itself: no other does
function M.next_waiting(run_id)
  local all, here = M.all(), nil ---@type termi.AgentRun[], termi.AgentRun?
  for _, run in ipairs(all) do
    here = run.run_id == run_id and (ranks[run.agent.state] or RANK_OF_REST) <= ranks.done and run or here
  end
  table.sort(all, is_before)
  local first ---@type termi.AgentRun?
  for _, run in ipairs(all) do
    if M.waits(run.agent) then
      if here and is_before(here, run) then
        return run
      end
      first = first or run
    end
  end
  return first
end

--- All that run, as events have told: who wants a person most first, and of those who has been so the longest.
---@return termi.AgentRun[]
function M.all()
  local found = {} ---@type termi.AgentRun[]
  for run_id, run in pairs(run_state.runs()) do
    if run.active and run.agent then
      found[#found + 1] = {
        session_name = run.session_name or run.session_id,
        session_id = run.session_id,
        run_id = run_id,
        host = run.host ~= '' and run.host or nil,
        agent = vim.deepcopy(run.agent),
      }
    end
  end
  table.sort(found, function(a, b)
    local rank_a, rank_b = M.rank(a.agent), M.rank(b.agent)
    if rank_a ~= rank_b then
      return rank_a < rank_b
    elseif a.agent.since ~= b.agent.since then
      return a.agent.since < b.agent.since
    end
    return a.run_id < b.run_id
  end)
  return found
end

return M
