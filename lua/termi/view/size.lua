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

--- Turns the winbars of windows off and on, or on and off.
---@param wins integer[]
local function flip_winbars(wins)
  local function set(win, winbar)
    -- Fails in a window of one line, which then keeps what it has.
    pcall(vim.api.nvim_set_option_value, 'winbar', winbar, { scope = 'local', win = win })
  end
  local own = {} ---@type table<integer, string>
  for _, win in ipairs(wins) do
    own[win] = vim.api.nvim_get_option_value('winbar', { scope = 'local', win = win })
    set(win, own[win] == '' and ' ' or '')
  end
  for win, winbar in pairs(own) do
    set(win, winbar)
  end
end

--- Shows the buffer in floats for a moment: one a line taller than its windows, then a small one.
---@param buf integer
---@param rows integer
local function flash_floats(buf, rows)
  for _, height in ipairs({ rows + 1, 1 }) do
    local config = { relative = 'editor', row = 0, col = 0, width = 1, height = height, noautocmd = true }
    -- Fails where no window can be opened, as in the command-line window.
    local ok, win = pcall(vim.api.nvim_open_win, buf, false, config)
    if ok then
      -- Neovim remembers the cursor of the window closed last; a terminal is read from its end.
      vim.api.nvim_win_set_cursor(win, { vim.api.nvim_buf_line_count(buf), 0 })
      vim.api.nvim_win_close(win, true)
    end
  end
end

--- Makes Neovim compute the terminal's size again, through a taller or lower one. It does not by itself when an option
--- changes the columns before the text, nor, before 0.12, when the largest of the windows is closed; but it does when a
--- window gets or loses its winbar, which works only where the global 'winbar' is empty, or is opened. What this does
--- to the terminal's text is made good by the frame that follows a resize.
---@param buf integer
function M.recompute(buf)
  local now = M.of(buf)
  if not now then
    return
  end
  local ignored = vim.o.eventignore
  vim.o.eventignore = 'all'
  if vim.go.winbar == '' then
    flip_winbars(vim.fn.win_findbuf(buf))
  else
    flash_floats(buf, now.rows)
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
