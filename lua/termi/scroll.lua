--- Where windows stand in a terminal's text: at its end, or where a person reads while it starts over.
local size = require('termi.size')

local api = vim.api
local M = {}

--- Neovim brings a terminal's buffer up to date 10 ms after bytes were written to it.
M.REFRESH_MS = 20

--- Neovim's terminal drops its scrollback at CSI 3 J from 0.11 on; before, a short 'scrollback' does it.
local CLEARS_SCROLLBACK = vim.fn.has('nvim-0.11') == 1

---@class termi.Reading
---@field buf integer
---@field view vim.fn.winsaveview.ret

local reading = {} ---@type table<integer, termi.Reading> by window
local settling = {} ---@type table<integer, boolean> by buffer
local listeners = {} ---@type fun(buf: integer)[]

--- Calls `fn` after windows of a terminal were put where they stood: what it had scrolled into view may be out of it.
---@param fn fun(buf: integer)
function M.on_settled(fn)
  listeners[#listeners + 1] = fn
end

--- Puts the cursors of all windows of a terminal on its last line: from there Neovim follows the output.
---@param buf integer
function M.follow(buf)
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    api.nvim_win_set_cursor(win, { api.nvim_buf_line_count(buf), 0 })
  end
end

--- Remembers what windows show that are not at the end, before the terminal is emptied and filled anew.
---@param buf integer
function M.remember(buf)
  settling[buf] = true
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    api.nvim_win_call(win, function()
      if vim.fn.line('w$') < vim.fn.line('$') then
        reading[win] = { buf = buf, view = vim.fn.winsaveview() }
      end
    end)
  end
end

--- Makes a terminal of Neovim before 0.11 forget what has left its screen; later ones do so for the frame's CSI 3 J.
---@param buf integer
---@param chan integer
function M.clear(buf, chan)
  if CLEARS_SCROLLBACK then
    return
  end
  -- A short 'scrollback' has to leave one line. With an empty screen, a change of the height takes it back onto the
  -- screen, which the frame then clears. A terminal takes a value only when the next one is set, and brings its buffer
  -- up to date each time.
  pcall(api.nvim_chan_send, chan, '\27[?1049l\27[m\27[r\27[H\27[2J')
  local lines = vim.bo[buf].scrollback
  vim.bo[buf].scrollback = 1
  vim.bo[buf].scrollback = lines
  size.recompute(buf)
  vim.bo[buf].scrollback = math.max(1, lines - 1)
  vim.bo[buf].scrollback = lines
end

---@param buf integer
local function settle(buf)
  local height_of = api.nvim_win_get_height
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    local saved = reading[win] ---@type termi.Reading?
    local last = api.nvim_buf_line_count(buf)
    if saved and last <= height_of(win) and last > 1 then
      -- All of it is in sight: there is nowhere to stand but at its top.
      saved = nil
    end
    if saved and saved.buf == buf and last <= saved.view.lnum then
      -- Its lines are still to come, with the next frames.
      settling[buf] = true
    else
      reading[win] = nil
      local in_use = api.nvim_get_current_win() == win and api.nvim_get_mode().mode == 't'
      api.nvim_win_call(win, function()
        if saved and saved.buf == buf then
          vim.fn.winrestview(saved.view)
        elseif not in_use then
          vim.fn.winrestview({ topline = math.max(1, last - height_of(win) + 1) })
        end
      end)
    end
  end
end

--- After a frame: puts the windows where they stood.
---@param buf integer
function M.restore_soon(buf)
  if not settling[buf] then
    return
  end
  settling[buf] = nil
  vim.defer_fn(function()
    if api.nvim_buf_is_valid(buf) then
      settle(buf)
      for _, listener in ipairs(listeners) do
        listener(buf)
      end
    end
  end, M.REFRESH_MS)
end

return M
