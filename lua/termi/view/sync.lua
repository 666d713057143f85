--- Resizes and visibility: keeps the host informed of each view's size and of whether a window shows it. What happens
--- in one turn of the event loop is coalesced.
local autoscroll = require('termi.view.autoscroll')
local client = require('termi.rpc.client')
local exit_status = require('termi.view.exit_status')
local follow_state = require('termi.view.follow_state')
local new_output_badge = require('termi.view.new_output_badge')
local size = require('termi.view.size')
local views = require('termi.model.views')

local api = vim.api
local M = {}

---@param view termi.View
local function sync(view)
  if not view.run_id or not api.nvim_buf_is_valid(view.buf) then
    return
  end
  -- The size first: what becomes visible is then sent once, and right.
  local now = size.of(view.buf)
  if now and (now.rows ~= view.size.rows or now.cols ~= view.size.cols) then
    -- A view of an earlier load of the plugin has its size; only what the host knows is not known.
    if view.size.rows > 0 then
      autoscroll.undisturbed(view.buf, function()
        size.recompute(view.buf)
      end)
    end
    view.size = now
    client.notify('resize', { run_id = view.run_id, rows = now.rows, cols = now.cols })
  end
  local seen = size.is_seen(view.buf)
  -- Held before it is seen, so that nothing moves when a person comes back to what they read.
  local held = seen and #follow_state.readers(view.buf) > 0
  if seen and held ~= view.held then
    view.held = held
    client.notify('hold', { run_id = view.run_id, hold = held })
    if not held then
      view.waiting_rows, view.skipped_rows = nil, nil
      require('termi.view.skipped_marker').clear(view.buf)
      exit_status.release(view.buf)
    end
  end
  new_output_badge.show(view)
  if seen ~= view.seen then
    view.seen = seen
    client.notify('visible', { run_id = view.run_id, visible = seen })
  end
end

local due = false

--- Looks at all views once the editor is done with what it does now: several events make one look.
function M.soon()
  if due or not views.last() then
    return
  end
  due = true
  vim.schedule(function()
    due = false
    if package.loaded['termi.view.sync'] ~= M then
      return
    end
    for _, view in ipairs(views.all()) do
      sync(view)
    end
  end)
end

follow_state.on_change(M.soon)

local group = api.nvim_create_augroup('termi.sync', {})
api.nvim_create_autocmd(
  { 'WinResized', 'VimResized', 'WinNew', 'WinClosed', 'BufWinEnter', 'BufWinLeave', 'TabEnter', 'WinEnter' },
  { group = group, desc = 'Termi: sizes of terminals', callback = M.soon }
)
api.nvim_create_autocmd('OptionSet', {
  group = group,
  desc = 'Termi: sizes of terminals',
  pattern = {
    'number',
    'relativenumber',
    'numberwidth',
    'signcolumn',
    'foldcolumn',
    'statuscolumn',
    'winbar',
    'laststatus',
    'cmdheight',
    'showtabline',
  },
  callback = M.soon,
})

return M
