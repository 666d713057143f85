--- Going to the agent that has waited longest for a person.
local agent_seen = require('termi.view.agent_seen')
local agents = require('termi.model.agents')
local attach = require('termi.view.attach')
local message = require('termi.ui.message')
local sessions = require('termi.model.sessions')
local views = require('termi.model.views')

local M = {}

--- Shows the run that has waited longest; from an agent, the one that waits after it, round and round.
---@return termi.Run? # nil: none waits
function M.next()
  if sessions.may_exist() then
    sessions.fetch()
  end
  local here = views.run_of()
  local chosen = agents.next_waiting(here and here.run_id)
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
