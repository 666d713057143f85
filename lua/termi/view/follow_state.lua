--- Follow state of windows: whether a window of a Termi buffer *follows* the output, or a person *reads* there.
---
--- It is a flag of the window that only the person changes: terminal mode, or the cursor on or below the last line
--- with text, and it follows; the cursor moved up from there, a scroll away, a selection or a search, and it is
--- reading. What Neovim does to windows when it brings a terminal's buffer up to date never counts.
local api = vim.api
local M = {}

---@class termi.WindowState where a window stands, as far as the person or this plugin has put it there
---@field buf integer
---@field reading boolean
---@field lnum integer
---@field top integer

local states = {} ---@type table<integer, termi.WindowState> by window
local on_change = {} ---@type fun(win: integer, buf: integer)[]

--- Calls `fn` when a window has begun or ceased to follow.
---@param fn fun(win: integer, buf: integer)
function M.on_change(fn)
  on_change[#on_change + 1] = fn
end

---@param win integer
---@return integer lnum
---@return integer top
function M.place_of(win)
  return api.nvim_win_get_cursor(win)[1], vim.fn.getwininfo(win)[1].topline
end

--- Notes where a window has been put.
---@param win integer
---@param its termi.WindowState
function M.note(win, its)
  its.lnum, its.top = M.place_of(win)
end

--- The last line with text on it; 0: there is none.
---@param buf integer
---@return integer lnum
function M.last_text(buf)
  local count = api.nvim_buf_line_count(buf)
  local step = 64
  for from = math.max(0, count - step), -step + 1, -step do
    local lines = api.nvim_buf_get_lines(buf, math.max(0, from), from + step, false)
    for number = #lines, 1, -1 do
      if lines[number]:find('%S') then
        return math.max(0, from) + number
      end
    end
  end
  return 0
end

---@param win integer
---@return boolean
function M.in_terminal_mode(win)
  return api.nvim_get_current_win() == win and api.nvim_get_mode().mode == 't'
end

---@param win integer
---@param buf integer
---@return termi.WindowState
function M.of(win, buf)
  local known = states[win]
  if known and known.buf == buf then
    return known
  end
  local lnum, top = M.place_of(win)
  local new = { buf = buf, lnum = lnum, top = top, reading = vim.w[win].termi_reading == buf }
  -- A split of a window in which a person reads is one, too.
  for other, its in pairs(states) do
    if its.buf == buf and its.reading and its.lnum == lnum and api.nvim_win_is_valid(other) then
      new.reading = true
    end
  end
  states[win] = new
  return new
end

---@param win integer
---@param buf integer
---@param reading boolean
function M.set(win, buf, reading)
  local its = M.of(win, buf)
  if its.reading == reading then
    return
  end
  its.reading = reading
  -- Kept with the window, for the next load of the plugin.
  vim.w[win].termi_reading = reading and buf or nil
  for _, fn in ipairs(on_change) do
    fn(win, buf)
  end
end

--- The windows of the current tab page in which a person reads a buffer; none when another there follows it.
---@param buf integer
---@return integer[]
function M.readers(buf)
  local wins = {} ---@type integer[]
  for _, win in ipairs(api.nvim_tabpage_list_wins(0)) do
    if api.nvim_win_get_buf(win) == buf then
      if not M.of(win, buf).reading then
        return {}
      end
      wins[#wins + 1] = win
    end
  end
  return wins
end

--- Windows that are closed stand nowhere.
function M.forget_closed()
  for win in pairs(states) do
    if not api.nvim_win_is_valid(win) then
      states[win] = nil
    end
  end
end

return M
