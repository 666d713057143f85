--- Marker of skipped rows: where a view in which someone reads lacks rows: in a flood its screen is of now, and what
--- has left it may be of long ago. When it is let go, it is filled again.
local api = vim.api
local M = {}

local namespace = api.nvim_create_namespace('termi.gap')

--- Says above a buffer's last rows, its screen, that so many are missing there.
---@param buf integer
---@param screen integer rows of the screen
---@param missing integer
function M.show(buf, screen, missing)
  -- Nothing moves while someone reads: where it stands, also from an earlier load of the plugin, it stands.
  if #api.nvim_buf_get_extmarks(buf, namespace, 0, -1, { limit = 1 }) > 0 then
    return
  end
  local row = math.max(0, api.nvim_buf_line_count(buf) - screen)
  local text = ('── %s lines are not shown here while you read ──'):format(
    require('termi.core.format').with_commas(missing)
  )
  require('termi.ui.highlights').define()
  api.nvim_buf_set_extmark(
    buf,
    namespace,
    row,
    0,
    { virt_lines = { { { text, 'TermiDim' } } }, virt_lines_above = true }
  )
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    api.nvim_win_call(win, function()
      if vim.fn.line('w0') == row + 1 then
        -- What is above a window's first line is not seen otherwise.
        vim.fn.winrestview({ topfill = 1 })
      end
    end)
  end
end

---@param buf integer
function M.clear(buf)
  api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
end

return M
