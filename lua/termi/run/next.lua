--- Going to the agent that has waited longest for a person.
local agent_seen = require('termi.view.agent_seen')
local agents = require('termi.model.agents')
local attach = require('termi.view.attach')
local message = require('termi.ui.message')
local sessions = require('termi.model.sessions')
local views = require('termi.model.views')

local M = {}

--- Shows the run that has waited longest; from one that waits, the one after it.
---@return termi.Run? # nil: none waits
function M.next()
  if sessions.may_exist() then
    sessions.fetch()
  end
  local here = views.run_of()
  local waiting = vim.tbl_filter(function(run)
    return agents.waits(run.agent)
  end, agents.all())
  local chosen = waiting[1]
  for index, run in ipairs(waiting) do
    if here and run.run_id == here.run_id then
      chosen = waiting[index % #waiting + 1]
    end
  end
  if not chosen then
    message.info('no agent waits for you.')
  elseif here and chosen.run_id == here.run_id then
    message.info('no other agent waits for you.')
  else
    local shown = attach.attach(chosen.session_id .. ':' .. chosen.run_id)
    agent_seen.look()
    return shown
  end
end

return M
