--- Agents that a person looks at: the one in the current window, of a Neovim that has the focus, is seen, and its host
--- is told so once a state.
local capabilities = require('termi.rpc.capabilities')
local client = require('termi.rpc.client')
local message = require('termi.ui.message')
local routing = require('termi.rpc.routing')
local run_state = require('termi.model.run_state')
local size = require('termi.view.size')
local views = require('termi.model.views')

local api = vim.api
local M = {}

--- Terminals that report no focus leave it so.
local has_focus = true

--- Notes that the agent in the current window is seen, if there is one.
function M.look()
  local its = views.of_buf(api.nvim_get_current_buf())
  local run_id = its and its.run_id
  if not has_focus or not run_id or not run_state.agent_seen(run_id) then
    return
  end
  local host = routing.of(run_id)
  if client.running(host) and capabilities.has('seen', host) then
    -- Who may only read is refused, and has looked at it all the same.
    client.request('seen', { run_id = run_id }, function() end, host)
  end
  vim.cmd.redrawstatus({ bang = true })
end

--- Whether a person can see a run: in a window of this tab page, while Neovim has the focus.
---@param run_id string
---@return boolean
function M.is_in_view(run_id)
  local its = views.of_run(run_id)
  return has_focus and its ~= nil and size.is_seen(its.buf)
end

local group = api.nvim_create_augroup('termi.agents', {})

api.nvim_create_autocmd('FocusLost', {
  group = group,
  desc = 'Termi: nobody looks at an agent',
  callback = function()
    has_focus = false
  end,
})

api.nvim_create_autocmd('FocusGained', {
  group = group,
  desc = 'Termi: a person looks at an agent',
  callback = function()
    has_focus = true
    message.guard(M.look)
  end,
})

api.nvim_create_autocmd({ 'BufEnter', 'WinEnter', 'TermEnter' }, {
  group = group,
  desc = 'Termi: a person looks at an agent',
  callback = function()
    message.guard(M.look)
  end,
})

return M
