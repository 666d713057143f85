--- Resync of a view, which is filled anew: its frames are collected, and what is read in its windows is found again
--- afterwards.
local follow_state = require('termi.view.follow_state')
local size = require('termi.view.size')

local api = vim.api
local M = {}

--- Neovim's terminal drops its scrollback at CSI 3 J from 0.11 on; before, a short 'scrollback' does it.
local CLEARS_SCROLLBACK = vim.fn.has('nvim-0.11') == 1

--- The highest that 'scrollback' can be in Neovim 0.10.
local MOST_SCROLLBACK = 100000

--- Lines around the cursor by which a place in the text is found again when the text was written anew.
local CONTEXT = 2

---@class termi.Anchor
---@field view vim.fn.winsaveview.ret
---@field lines string[] around the cursor's
---@field offset integer of the cursor's line in them

---@class termi.Resync
---@field anchors table<integer, termi.Anchor> by window
---@field data string[] frames that wait for the last one
---@field written boolean all of it has been written to the terminal

local fillings = {} ---@type table<integer, termi.Resync> by buffer
local clearing = false

--- What a buffer is filled with, if it is.
---@param buf integer
---@return termi.Resync?
function M.of(buf)
  return fillings[buf]
end

--- What a buffer's terminal forgets just now is no change of its text.
---@return boolean
function M.is_clearing()
  return clearing
end

--- Remembers what is read in windows that do not follow.
---@param buf integer
---@return table<integer, termi.Anchor>
local function anchors_of(buf)
  local anchors = {} ---@type table<integer, termi.Anchor>
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    if follow_state.of(win, buf).reading then
      local view = api.nvim_win_call(win, vim.fn.winsaveview)
      local lnum = view.lnum --[[@as integer]]
      local first = math.max(1, lnum - CONTEXT)
      local lines = api.nvim_buf_get_lines(buf, first - 1, lnum + CONTEXT, false)
      anchors[win] = { view = view, lines = lines, offset = lnum - first + 1 }
    end
  end
  return anchors
end

--- A buffer is filled anew, from its next frame on.
---@param buf integer
---@return termi.Resync
function M.begin(buf)
  local before = fillings[buf]
  local filling = { anchors = before and before.anchors or anchors_of(buf), data = {}, written = false }
  fillings[buf] = filling
  return filling
end

--- Ends the filling of a buffer when all of it has been written; returns it then.
---@param buf integer
---@return termi.Resync?
function M.take_written(buf)
  local filling = fillings[buf]
  if filling and filling.written then
    fillings[buf] = nil
    return filling
  end
end

---@param buf integer
function M.forget(buf)
  fillings[buf] = nil
end

--- Where a place in the text is after the text was written anew: the same lines, the nearest if there are several.
---@param buf integer
---@param anchor termi.Anchor
---@return integer? lnum
local function find(buf, anchor)
  local lines = api.nvim_buf_get_lines(buf, 0, -1, false)
  local function fits(first, last, at)
    for number = first, last do
      if lines[at + number - anchor.offset] ~= anchor.lines[number] then
        return false
      end
    end
    return true
  end
  for _, range in ipairs({ { 1, #anchor.lines }, { anchor.offset, anchor.offset } }) do
    for distance = 0, #lines do
      for _, at in ipairs({ anchor.view.lnum - distance, anchor.view.lnum + distance }) do
        if lines[at] and fits(range[1], range[2], at) then
          return at
        end
      end
    end
  end
end

--- Puts a window where it was in the text.
---@param win integer
---@param buf integer
---@param anchor termi.Anchor
function M.put_at(win, buf, anchor)
  local view = anchor.view
  local lnum = find(buf, anchor) or math.min(view.lnum, api.nvim_buf_line_count(buf))
  view.topline = math.max(1, view.topline + lnum - view.lnum)
  view.lnum = lnum
  api.nvim_win_call(win, function()
    vim.fn.winrestview(view)
  end)
end

--- Has Neovim bring a terminal's buffer up to date at once, which it does 10 ms after bytes were written to it, or
--- when its 'scrollback' changes.
---@param buf integer
function M.bring_up_to_date(buf)
  local lines = vim.bo[buf].scrollback
  vim.bo[buf].scrollback = lines < MOST_SCROLLBACK and lines + 1 or lines - 1
  vim.bo[buf].scrollback = lines
end

--- Makes a terminal of Neovim before 0.11 forget what has left its screen; later ones do so for the frame's CSI 3 J.
---@param buf integer
---@param chan integer
function M.clear(buf, chan)
  if CLEARS_SCROLLBACK then
    return
  end
  clearing = true
  -- A short 'scrollback' has to leave one line. With an empty screen, a change of the height takes it back onto the
  -- screen, which the frame then clears. A terminal takes a value only when the next one is set, and brings its buffer
  -- up to date each time.
  pcall(api.nvim_chan_send, chan, '\27[?1049l\27[m\27[r\27[H\27[2J')
  local lines = vim.bo[buf].scrollback
  vim.bo[buf].scrollback = 1
  vim.bo[buf].scrollback = lines
  size.recompute(buf)
  M.bring_up_to_date(buf)
  clearing = false
end

follow_state.on_change(function(win, buf)
  if fillings[buf] then
    fillings[buf].anchors[win] = nil
  end
end)

return M
