--- Focus reports (DEC 1004): a Neovim that loses or gains the focus tells the program in the current window, if that asked
--- to be told, which its host knows. Neovim's own terminal reports only that terminal mode begins and ends, and before
--- 0.11 not even that. The host leaves out what the program has been told already.
local client = require('termi.rpc.client')
local views = require('termi.model.views')

local api = vim.api
local M = {}

local FOCUS_IN, FOCUS_OUT = '\27[I', '\27[O'

--- Terminals that report no focus leave it so.
local has_focus = true

--- Neovim's own terminal reports terminal mode: then a run has the focus in that mode only.
local is_by_mode = false

--- Runs that were told of the loss, and not yet of the gain.
local told_out = {} ---@type table<string, true>

---@return termi.View? # the living run's in the current window
local function current()
  local view = views.of_buf(api.nvim_get_current_buf())
  return view and view.run_id and not view.ended and view or nil
end

---@param view termi.View
---@param report string
local function send(view, report)
  if client.running(view.host) then
    client.notify('input', { run_id = view.run_id, data = report })
  end
end

--- Takes what Neovim's own terminal reports.
---@param data string
---@return boolean is_wrong Neovim has no focus that it could give
function M.take(data)
  if data ~= FOCUS_IN and data ~= FOCUS_OUT then
    return false
  end
  is_by_mode = true
  return data == FOCUS_IN and not has_focus
end

local function lost()
  has_focus = false
  local view = current()
  if view then
    told_out[view.run_id] = true
    send(view, FOCUS_OUT)
  end
end

--- The run of the current window has the focus again.
local function regain()
  local view = current()
  if not has_focus or not view or not told_out[view.run_id] then
    return
  end
  -- Where terminal mode counts, its beginning is reported by Neovim.
  if not is_by_mode or api.nvim_get_mode().mode == 't' then
    told_out[view.run_id] = nil
    send(view, FOCUS_IN)
  end
end

local group = api.nvim_create_augroup('termi.focus', {})

api.nvim_create_autocmd('FocusLost', {
  group = group,
  desc = 'Termi: the program in the current window has no focus',
  callback = lost,
})

api.nvim_create_autocmd('FocusGained', {
  group = group,
  desc = 'Termi: the program in the current window has the focus',
  callback = function()
    has_focus = true
    regain()
  end,
})

-- One may come back to another window than it left.
api.nvim_create_autocmd({ 'BufEnter', 'WinEnter', 'TermEnter' }, {
  group = group,
  desc = 'Termi: the program in the current window has the focus',
  callback = regain,
})

return M
