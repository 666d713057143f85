--- Status of a run: what it is doing, in an icon and a word: for the list, for choosing, for filters.
local config = require('termi.config')
local outcome = require('termi.core.outcome')
local run_state = require('termi.model.run_state')

local M = {}

---@class termi.StatusWord
---@field icon string
---@field word string
---@field hl string
---@field rank integer what wants a person first is lowest

---@param icon string
---@param word string
---@param hl string
---@param rank integer
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

---@param process termi.proto.Process
---@return termi.StatusWord
function M.of(process)
  local icons = config.get().icons
  local active = process.status == 'active'
  if run_state.attention(process.run_id) then
    return made(icons.attention, active and 'waiting' or outcome.text(process), 'TermiAttention', 1)
  elseif active then
    return made(icons.active, 'running', 'TermiActive', 3)
  end
  return M.of_ended(process)
end

--- The most pressing status of several runs; one that runs goes before one that has failed.
---@param rows termi.Row[] at least one
---@return termi.StatusWord
function M.of_all(rows)
  local best ---@type termi.StatusWord?
  for _, row in ipairs(rows) do
    local its = M.of(row.process)
    local rank = its.rank == 3 and 1.5 or its.rank
    if not best or rank < (best.rank == 3 and 1.5 or best.rank) then
      best = its
    end
  end
  return best --[[@as termi.StatusWord]]
end

--- How many of the runs are alive, and how many failed: `2 running, 1 failed`; empty when neither.
---@param rows termi.Row[]
---@return string
function M.summary(rows)
  local running, failed = 0, 0
  for _, row in ipairs(rows) do
    if row.process.status == 'active' then
      running = running + 1
    elseif outcome.failed(row.process) then
      failed = failed + 1
    end
  end
  local parts = {} ---@type string[]
  if running > 0 then
    parts[#parts + 1] = running .. ' running'
  end
  if failed > 0 then
    parts[#parts + 1] = failed .. ' failed'
  end
  return table.concat(parts, ', ')
end

return M
