--- The end of a run in its view: its buffer stays to be read, says how the run ended, and takes no more keys.
local exit_status = require('termi.view.exit_status')
local new_output_badge = require('termi.view.new_output_badge')
local views = require('termi.model.views')

local M = {}

--- Marks the view of a run that has ended.
---@param run_id string
---@param text string the line that says how
---@param has_failed boolean
function M.mark(run_id, text, has_failed)
  local view = views.of_run(run_id)
  if not view then
    return
  end
  view.ended = true
  if view.held then
    -- Its place is below text that is not there yet.
    exit_status.hold(view.buf, text, has_failed)
    new_output_badge.show(view)
  else
    exit_status.show(view.buf, text, has_failed)
  end
  if vim.api.nvim_get_current_buf() == view.buf then
    exit_status.leave_terminal_mode()
  end
end

return M
