--- The size of the terminal that |nvim_open_term()| keeps in a buffer, which nothing reports: the widest and the
--- tallest of the windows that show the buffer, in all tab pages, less the columns before the text.
local M = {}

---@param buf integer
---@return termi.proto.Size? size nil when no window shows the buffer
function M.of(buf)
  local rows, cols = 0, 0
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    local info = vim.fn.getwininfo(win)[1]
    rows = math.max(rows, info.height)
    cols = math.max(cols, info.width - info.textoff)
  end
  if rows > 0 and cols > 0 then
    return { rows = rows, cols = cols }
  end
end

--- The size that a terminal opened in a buffer that no window shows gets: that of the current window.
---@return termi.proto.Size
function M.of_current_window()
  local info = vim.fn.getwininfo(vim.api.nvim_get_current_win())[1]
  return { rows = math.max(1, info.height), cols = math.max(1, info.width - info.textoff) }
end

--- Makes Neovim compute the terminal's size again, through another one. It does not by itself when an option changes the columns before
--- the text, nor, before 0.12, when the largest of the windows is closed; a change of 'winbar' makes it. What this
--- does to the terminal's text is made good by the frame that follows a resize.
---@param buf integer
function M.recompute(buf)
  local ignored, everywhere = vim.o.eventignore, vim.go.winbar
  local own = {} ---@type table<integer, string> 'winbar' of each window
  local function set(win, winbar)
    -- Fails in a window of one line, which then keeps what it has.
    pcall(vim.api.nvim_set_option_value, 'winbar', winbar, { scope = 'local', win = win })
  end
  vim.o.eventignore = 'all'
  if everywhere ~= '' then
    vim.go.winbar = ''
  end
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    own[win] = vim.api.nvim_get_option_value('winbar', { scope = 'local', win = win })
    if everywhere == '' or own[win] ~= '' then
      set(win, own[win] == '' and ' ' or '')
    end
  end
  for win, winbar in pairs(own) do
    set(win, winbar)
  end
  if everywhere ~= '' then
    vim.go.winbar = everywhere
  end
  vim.o.eventignore = ignored
end

--- Whether a window of the current tab page shows the buffer: a person can see it.
---@param buf integer
---@return boolean
function M.is_seen(buf)
  for _, win in ipairs(vim.api.nvim_tabpage_list_wins(0)) do
    if vim.api.nvim_win_get_buf(win) == buf then
      return true
    end
  end
  return false
end

return M
