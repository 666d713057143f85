--- Showing and hiding the tab page's Termi window.
local config = require('termi.config')
local message = require('termi.ui.message')
local run = require('termi.run')
local view = require('termi.view')
local views = require('termi.model.views')
local window = require('termi.ui.window')

local M = {}

--- Hides the Termi window of the tab page.
---@return boolean hidden false: there was none
function M.hide()
  local win = window.of_tab()
  if not win then
    return false
  end
  vim.t.termi_buffer = vim.api.nvim_win_get_buf(win)
  if win == vim.api.nvim_get_current_win() and vim.api.nvim_get_mode().mode == 't' then
    vim.cmd.stopinsert()
  end
  window.close(win)
  return true
end

---@return boolean shown
function M.toggle()
  if M.hide() then
    return false
  end
  local shown = views.of_buf(vim.t.termi_buffer or -1) or views.last()
  if not shown then
    run.run({})
    return true
  end
  local how = config.get().open
  view.show(shown, how == 'none' and 'split' or how)
  return true
end

--- Hides the Termi window for a command: says so when there is none.
function M.hide_or_say()
  if not M.hide() then
    message.info('no Termi window is open in this tab page.')
  end
end

return M
