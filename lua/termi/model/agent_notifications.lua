--- Agent notifications: which coding agents have begun to wait for a person, those that do so at about the same time in
--- one message.
local batch = require('termi.ui.batch')
local config = require('termi.config')
local format = require('termi.core.format')
local message = require('termi.ui.message')
local run_state = require('termi.model.run_state')

local M = {}

---@class termi.AgentNotification
---@field run_id string
---@field name string of its session
---@field state termi.proto.AgentState

--- What one does, and what it says of that.
---@param agent termi.proto.AgentInfo
---@return string verb
---@return string? text
local function told(agent)
  local text = agent.message and agent.message ~= '' and format.one_line(agent.message) or nil
  if agent.state == 'blocked' then
    return (text or agent.kind) and 'asks' or 'waits for you', text
  elseif agent.state == 'error' then
    return 'stopped at an error', text
  end
  return 'is done: your turn', nil
end

--- The agent, if it still waits as it did.
---@param item termi.AgentNotification
---@return termi.proto.AgentInfo?
local function still(item)
  local run = run_state.runs()[item.run_id]
  local agent = run and run.active and run.agent
  local is_known = agent and agent.seen and config.get().notify.agent ~= 'always'
  return agent and agent.state == item.state and not is_known and agent or nil
end

---@param items termi.AgentNotification[]
local function tell(items)
  local order, of_run = {}, {} ---@type termi.AgentNotification[], table<string, true>
  for _, item in ipairs(items) do
    if not of_run[item.run_id] and still(item) then
      order[#order + 1], of_run[item.run_id] = item, true
    end
  end
  local parts, failed = {}, false ---@type string[], boolean
  for _, item in ipairs(order) do
    local agent = still(item) --[[@as termi.proto.AgentInfo]]
    local verb, text = told(agent)
    failed = failed or agent.state == 'error'
    if #order > 1 then
      parts[#parts + 1] = item.name .. ' ' .. verb:gsub(':.*', '')
    else
      parts[1] = ('%s %s%s'):format(item.name, verb, text and ': ' .. text or '')
    end
  end
  if #parts > 0 then
    local head = #order > 1 and ('%d agents: '):format(#order) or ''
    message.aside(head .. table.concat(parts, ', '), failed and vim.log.levels.WARN or vim.log.levels.INFO)
  end
end

local add = batch.new(tell)

--- Tells that an agent waits, soon.
---@param run_id string
---@param name string of its session
---@param state termi.proto.AgentState
function M.waits(run_id, name, state)
  add({ run_id = run_id, name = name, state = state })
end

return M
