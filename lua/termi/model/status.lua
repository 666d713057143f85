--- Status of a run: what it is doing, in an icon and a word: for the list, for choosing, for filters.
local agents = require('termi.model.agents')
local config = require('termi.config')
local format = require('termi.core.format')
local outcome = require('termi.core.outcome')
local run_state = require('termi.model.run_state')

local M = {}

---@class termi.StatusWord
---@field icon string
---@field word string
---@field hl string
---@field rank number what wants a person first is lowest

---@param icon string
---@param word string
---@param hl string
---@param rank number
---@return termi.StatusWord
local function made(icon, word, hl, rank)
  return { icon = icon, word = word, hl = hl, rank = rank }
end

--- How a run has ended: the same in every list. What lives on of it is said: `done, 2 live on`.
---@param run termi.proto.Process|termi.proto.HistoryRecord
---@return termi.StatusWord
function M.of_ended(run)
  local left = run.left_running or 0
  if left > 0 then
    local ended = M.of_ended(vim.tbl_extend('force', run, { left_running = 0 }) --[[@as termi.proto.Process]])
    ended.word = ('%s, %d %s on'):format(ended.word, left, left == 1 and 'lives' or 'live')
    return ended
  end
  local icons = config.get().icons
  if run.status == 'killed' then
    local failed = outcome.failed(run)
    return made(icons.killed, 'killed', failed and 'TermiFailure' or 'TermiKilled', failed and 2 or 4)
  elseif run.status == 'timed_out' then
    return made(icons.killed, 'timed out', 'TermiFailure', 2)
  elseif run.status == 'failed' then
    return made(icons.failure, 'failed', 'TermiFailure', 2)
  elseif outcome.failed(run) then
    return made(icons.failure, (outcome.text(run):gsub('^ended by ', '')), 'TermiFailure', 2)
  end
  return made(icons.success, 'done', 'TermiSuccess', 5)
end

--- What a coding agent is doing: `asks`, `your turn`, `working 40% 2m`.
---@param agent termi.proto.AgentInfo
---@return termi.StatusWord? # nil: nothing says
local function of_agent(agent)
  local icons = config.get().icons
  if agent.state == 'blocked' then
    return made(icons.attention, agent.kind == 'auth' and 'asks to log in' or 'asks', 'TermiAttention', 1)
  elseif agent.state == 'error' then
    return made(icons.failure, 'error', 'TermiFailure', 1.1)
  elseif agent.state == 'done' then
    local is_news = agents.waits(agent)
    return made(icons.success, 'your turn', is_news and 'TermiSuccess' or 'TermiDim', is_news and 1.2 or 3.2)
  elseif agent.state == 'working' then
    -- Of one width, so that what follows stays in its column as it goes on.
    local progress = agent.progress and (' %2d%%'):format(agent.progress) or ''
    local time = format.short_duration(run_state.now() - agent.since)
    return made(icons.active, ('working%s %3s'):format(progress, time), 'TermiActive', 3)
  elseif agent.state == 'ready' then
    return made(icons.success, 'ready', 'TermiDim', 3.2)
  elseif agent.state == 'starting' then
    return made(icons.starting, 'starting', 'TermiDim', 3.1)
  end
end

---@param process termi.proto.Process
---@return termi.StatusWord
function M.of(process)
  local agent = run_state.agent(process)
  local of_its_agent = agent and of_agent(agent)
  if of_its_agent then
    return of_its_agent
  end
  local icons = config.get().icons
  local active = process.status == 'active'
  if run_state.attention(process.run_id) then
    return made(icons.attention, active and 'waiting' or outcome.text(process), 'TermiAttention', 1)
  elseif active then
    local percent = process.progress and process.progress.percent
    return made(icons.active, 'running' .. (percent and (' %2d%%'):format(percent) or ''), 'TermiActive', 3)
  end
  return M.of_ended(process)
end

--- How pressing a status is among those of several runs: what runs goes before what has failed.
---@param its termi.StatusWord
---@return number
local function pressure(its)
  return (its.rank >= 3 and its.rank < 4) and its.rank - 1.5 or its.rank
end

--- The most pressing status of several runs; one that runs goes before one that has failed.
---@param rows termi.Row[] at least one
---@return termi.StatusWord
function M.of_all(rows)
  local best ---@type termi.StatusWord?
  for _, row in ipairs(rows) do
    local its = M.of(row.process)
    if not best or pressure(its) < pressure(best) then
      best = its
    end
  end
  return best --[[@as termi.StatusWord]]
end

--- The agent that the status of several runs is of, if it is one's.
---@param rows termi.Row[]
---@return termi.proto.AgentInfo?
function M.agent_of_all(rows)
  local best, agent ---@type termi.StatusWord?, termi.proto.AgentInfo?
  for _, row in ipairs(rows) do
    local its = M.of(row.process)
    if not best or pressure(its) < pressure(best) then
      best, agent = its, run_state.agent(row.process)
    end
  end
  return agent
end

--- How many of the runs are agents that wait for a person, how many others are alive, and how many failed:
--- `1 waiting, 2 running, 1 failed`; empty when none is.
---@param rows termi.Row[]
---@return string
function M.summary(rows)
  local waiting, running, failed = 0, 0, 0
  for _, row in ipairs(rows) do
    local agent = run_state.agent(row.process)
    if row.process.status == 'active' and agent and agents.waits(agent) then
      waiting = waiting + 1
    elseif row.process.status == 'active' then
      running = running + 1
    elseif outcome.failed(row.process) then
      failed = failed + 1
    end
  end
  local parts = {} ---@type string[]
  if waiting > 0 then
    parts[#parts + 1] = waiting .. ' waiting'
  end
  if running > 0 then
    parts[#parts + 1] = running .. ' running'
  end
  if failed > 0 then
    parts[#parts + 1] = failed .. ' failed'
  end
  return table.concat(parts, ', ')
end

return M
