--- State of the runs: what is known of them without asking the host, kept from its events: for the statusline, for
--- completion, and for which run waits for a person or has news.
local outcome = require('termi.core.outcome')
local views = require('termi.model.views')

local M = {}

---@class termi.RunState
---@field session_id string
---@field host string
---@field session_name? string
---@field active boolean
---@field told integer the moment of its start or end, when an event told of it
---@field attention? string why it wants a person
---@field failed? boolean it failed, and nobody has looked at it since
---@field unread? 'ended'|'printed' what nobody has seen
---@field bytes? integer that it had printed when the host was asked last
---@field agent? termi.proto.AgentInfo of a coding agent
---@field agent_since? integer when the state began that an event told of last
---@field agent_told? integer the moment at which an event, or this editor, said so
---@field activity? integer when it was seen to have printed something, in unix milliseconds

--- Counts what events tell. An answer of the host does not know of what was told after it was asked.
local moment = 0

local runs = {} ---@type table<string, termi.RunState> by run id

--- Bytes printed by a run that no view has shown yet are news, unless a person has seen them in another way.
local seen_bytes = {} ---@type table<string, integer> by run id

---@return integer unix milliseconds
function M.now()
  local seconds, microseconds = assert(vim.uv.gettimeofday())
  return seconds * 1000 + math.floor((microseconds or 0) / 1000)
end

--- The runs that windows of the current tab page show.
---@return table<string, true>
local function in_sight()
  local found = {} ---@type table<string, true>
  for _, win in ipairs(vim.api.nvim_tabpage_list_wins(0)) do
    local view = views.of_buf(vim.api.nvim_win_get_buf(win))
    if view and view.run_id then
      found[view.run_id] = true
    end
  end
  return found
end

---@return integer
function M.moment()
  return moment
end

---@param event termi.proto.RunEvent
function M.started(event)
  moment = moment + 1
  runs[event.run_id] = {
    session_id = event.session_id,
    host = event.host or '',
    session_name = event.session_name,
    active = true,
    told = moment,
  }
end

---@param event termi.proto.RunEvent
function M.ended(event)
  local run = runs[event.run_id]
  if run then
    moment = moment + 1
    run.active, run.told = false, moment
    local failed = outcome.failed(event)
    local out_of_sight = not in_sight()[event.run_id]
    run.failed = failed and out_of_sight or nil
    -- Who killed it knows.
    run.unread = out_of_sight and (failed or event.status ~= 'killed') and 'ended' or run.unread
  end
end

--- It has printed something while no window showed it.
---@param run_id string
function M.printed(run_id)
  local run = runs[run_id]
  if run then
    run.unread, run.activity = run.unread or 'printed', M.now()
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

--- A run is an agent in another state than before, or none any more.
---@param event termi.proto.RunEvent
---@return boolean is_news its state is another, or has begun anew
function M.agent_is(event)
  moment = moment + 1
  local run = runs[event.run_id]
  if not run then
    return false
  end
  local agent, since = event.agent, run.agent_since
  run.agent, run.agent_told, run.agent_since = agent, moment, agent and agent.since
  if agent and agent.state ~= 'unknown' then
    -- Its state says more than the bell did.
    run.attention = nil
  end
  -- Not by what is known: an answer of the host may have told it before the event does.
  return agent ~= nil and (event.was ~= agent.state or (since ~= nil and since ~= agent.since))
end

--- Whether a run is an agent of which is known what it is doing: that says more than its bells.
---@param run_id string
---@return boolean
function M.is_known_agent(run_id)
  local agent = runs[run_id] and runs[run_id].active and runs[run_id].agent
  return agent ~= nil and agent ~= false and agent.state ~= 'unknown'
end

--- A person looks at an agent that is blocked, done or stopped at an error.
---@param run_id string
---@return boolean is_first since its state began
function M.agent_seen(run_id)
  local run = runs[run_id]
  local agent = run and run.active and run.agent
  local shows = agent and (agent.state == 'blocked' or agent.state == 'done' or agent.state == 'error')
  if not run or not agent or not shows or agent.seen then
    return false
  end
  moment = moment + 1
  agent.seen, run.agent_told = true, moment
  return true
end

--- The agent that a run is, as the latest of what its host said and what events told.
---@param process termi.proto.Process
---@return termi.proto.AgentInfo? # nil: it is none, or has ended
function M.agent(process)
  local run = runs[process.run_id]
  if process.status ~= 'active' or (run and not run.active) then
    return nil
  elseif run then
    return run.agent
  end
  return process.agent
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
  local run = run_id and runs[run_id]
  if not run then
    return
  end
  local told = run.attention or run.failed
  run.attention, run.failed, run.unread = nil, nil, nil
  seen_bytes[run_id] = run.bytes
  if told then
    vim.cmd.redrawstatus({ bang = true })
  end
end

---@param run_id string
---@return string?
function M.attention(run_id)
  return runs[run_id] and runs[run_id].attention
end

--- Whether a run has printed, or ended, since a person saw it.
---@param process termi.proto.Process
---@return boolean
function M.unread(process)
  local run = runs[process.run_id]
  if run and run.unread == 'ended' then
    return true
  end
  -- The host tells what hidden views miss; of a run without a view it is known how much it has printed.
  local missed = run and run.unread == 'printed' or views.of_run(process.run_id) == nil
  return missed and process.bytes > (seen_bytes[process.run_id] or 0)
end

--- When a run printed last, as far as is known here, in unix milliseconds.
---@param process termi.proto.Process
---@return integer
function M.activity(process)
  local run = runs[process.run_id]
  return math.max(run and run.activity or 0, process.ended_at or 0, process.started_at)
end

--- Takes over what a host says there is.
---@param sessions termi.proto.Sessions
---@param host string
---@param asked integer the moment it was asked
function M.replace(sessions, host, asked)
  local before, shown = runs, in_sight()
  runs = {}
  for run_id, run in pairs(before) do
    runs[run_id] = (run.host ~= host or run.told > asked) and run or nil
  end
  for session_id, session in pairs(sessions) do
    for _, process in ipairs(session.processes) do
      local known = before[process.run_id] or {}
      local more = known.bytes and process.bytes > known.bytes
      local told = known.agent_told
      local agent = process.agent
      if told and told > asked then
        agent = known.agent
      end
      local run = {
        session_id = session_id,
        host = host,
        session_name = session.name,
        active = process.status == 'active' and (not runs[process.run_id] or runs[process.run_id].active),
        told = known.told or 0,
        attention = known.attention,
        failed = known.failed,
        unread = known.unread,
        bytes = process.bytes,
        activity = more and M.now() or known.activity,
        agent = agent,
        agent_since = known.agent_since,
        agent_told = told,
      }
      runs[process.run_id] = run
      if shown[process.run_id] then
        run.failed, run.unread = nil, nil
        seen_bytes[process.run_id] = process.bytes
      end
    end
  end
  for run_id in pairs(seen_bytes) do
    seen_bytes[run_id] = runs[run_id] and seen_bytes[run_id]
  end
end

--- A host has gone, and what it had.
---@param host string
function M.clear(host)
  M.replace({}, host, moment)
end

--- How many runs a host has alive, as far as is known.
---@param host string
---@return integer
function M.count_active(host)
  local count = 0
  for _, run in pairs(runs) do
    count = count + (run.active and run.host == host and 1 or 0)
  end
  return count
end

--- Each run is in one of them at most, but for programs that ring, which are alive too.
---@return integer active alive, and no agents, or agents that work
---@return integer waiting they ring, or are agents that are blocked
---@return integer failed and not looked at since
---@return integer done agents that have finished and were not looked at since
function M.counts()
  local active, waiting, failed, done = 0, 0, 0, 0
  for _, run in pairs(runs) do
    local agent = run.active and run.agent
    if agent and agent.state ~= 'unknown' then
      active = active + ((agent.state == 'working' or agent.state == 'starting') and 1 or 0)
      waiting = waiting + (agent.state == 'blocked' and 1 or 0)
      failed = failed + ((agent.state == 'error' and not agent.seen) and 1 or 0)
      done = done + ((agent.state == 'done' and not agent.seen) and 1 or 0)
    else
      active = active + (run.active and 1 or 0)
      waiting = waiting + (run.attention and 1 or 0)
      failed = failed + (run.failed and 1 or 0)
    end
  end
  return active, waiting, failed, done
end

---@return table<string, termi.RunState>
function M.runs()
  return runs
end

return M
