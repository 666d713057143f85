--- The line that says how a run ended: virtual text below the program's output, so that neither search nor yank
--- takes it for output.
local scroll = require('termi.scroll')

local api = vim.api
local M = {}

local namespace = api.nvim_create_namespace('termi.ending')

---@class termi.Ending
---@field text string
---@field hl string

local shown = {} ---@type table<integer, termi.Ending> by buffer

---@param buf integer
---@return integer line 0-based, of the last line with text on it; -1: there is none
local function last_text_line(buf)
  for line = api.nvim_buf_line_count(buf) - 1, 0, -1 do
    if api.nvim_buf_get_lines(buf, line, line + 1, false)[1]:find('%S') then
      return line
    end
  end
  return -1
end

---@param buf integer
local function place(buf)
  local ended = shown[buf]
  if not ended or not api.nvim_buf_is_loaded(buf) then
    return
  end
  api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
  local chunks = { { ended.text, ended.hl } }
  local below = last_text_line(buf) + 1
  local count = api.nvim_buf_line_count(buf)
  if below < count then
    api.nvim_buf_set_extmark(buf, namespace, below, 0, { virt_text = chunks, virt_text_pos = 'overlay' })
    for _, win in ipairs(vim.fn.win_findbuf(buf)) do
      -- Who followed the output is at its end now, not below it.
      if api.nvim_win_get_cursor(win)[1] == count then
        api.nvim_win_set_cursor(win, { below + 1, 0 })
      end
    end
    return
  end
  -- The screen is full: a line of its own under the last, which windows at the end are scrolled to show.
  api.nvim_buf_set_extmark(buf, namespace, below - 1, 0, { virt_lines = { chunks } })
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    api.nvim_win_call(win, function()
      local wanted = below - api.nvim_win_get_height(win) + 2
      local top = vim.fn.line('w0')
      if vim.fn.line('w$') >= below and top < wanted then
        vim.fn.winrestview({ topline = wanted })
      end
    end)
  end
end

scroll.on_settled(place)

---@param buf integer
local function place_soon(buf)
  vim.defer_fn(function()
    if api.nvim_buf_is_valid(buf) then
      place(buf)
    end
  end, scroll.REFRESH_MS)
end

--- Shows the line, and keeps it below the text when the terminal is drawn anew (a resize).
---@param buf integer
---@param text string
---@param failed boolean
function M.show(buf, text, failed)
  local watched = shown[buf] ~= nil
  shown[buf] = { text = text, hl = failed and 'TermiEndingFailure' or 'TermiEnding' }
  require('termi.highlights').define()
  place_soon(buf)
  if not watched then
    api.nvim_buf_attach(buf, false, {
      on_lines = function()
        if not shown[buf] then
          return true
        end
        place_soon(buf)
      end,
      on_detach = function()
        shown[buf] = nil
      end,
    })
  end
end

---@param buf integer
function M.clear(buf)
  shown[buf] = nil
  api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
end

--- After a reload of the plugin: takes over the line that an earlier load put there.
---@param buf integer
---@return boolean ended
function M.adopt(buf)
  local mark = api.nvim_buf_get_extmarks(buf, namespace, 0, -1, { limit = 1, details = true })[1]
  local details = mark and mark[4] or {}
  local chunk = details.virt_text and details.virt_text[1] or details.virt_lines and details.virt_lines[1][1]
  if chunk then
    M.show(buf, chunk[1], chunk[2] == 'TermiEndingFailure')
  end
  return chunk ~= nil
end

--- Keys must not go where no program reads them.
function M.leave_terminal_mode()
  if api.nvim_get_mode().mode == 't' then
    vim.cmd.stopinsert()
  end
end

return M
