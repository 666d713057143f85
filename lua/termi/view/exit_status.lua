--- Exit status: the line that says how a run ended, as virtual text below the program's output, so that neither search
--- nor yank takes it for output.
local autoscroll = require('termi.view.autoscroll')
local follow_state = require('termi.view.follow_state')

local api = vim.api
local M = {}

local namespace = api.nvim_create_namespace('termi.ending')

---@class termi.ExitStatus
---@field text string
---@field hl string

--- Neovim brings a terminal's buffer up to date 10 ms after bytes were written to it, and puts windows at its last line
--- then, whether they changed anything or not.
local UP_TO_DATE_MS = 20

local shown = {} ---@type table<integer, termi.ExitStatus> by buffer

---@param buf integer
local function place(buf)
  local ended = shown[buf]
  if not ended or not api.nvim_buf_is_loaded(buf) then
    return
  end
  api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
  local chunks = { { ended.text, ended.hl } }
  local below = follow_state.last_text(buf)
  local count = api.nvim_buf_line_count(buf)
  if below < count then
    api.nvim_buf_set_extmark(buf, namespace, below, 0, { virt_text = chunks, virt_text_pos = 'overlay' })
    autoscroll.set_tail(buf, { line = below + 1, below = 0 })
  else
    -- The screen is full: a line of its own under the last, which windows at the end are scrolled to show.
    api.nvim_buf_set_extmark(buf, namespace, below - 1, 0, { virt_lines = { chunks } })
    autoscroll.set_tail(buf, { below = 1 })
    vim.defer_fn(function()
      if shown[buf] and api.nvim_buf_is_loaded(buf) then
        autoscroll.put_at_end(buf)
      end
    end, UP_TO_DATE_MS)
  end
  autoscroll.put_at_end(buf)
end

autoscroll.on_update(place)

--- Shows the line, and keeps it below the text when that changes (the last words, a resize).
---@param buf integer
---@param text string
---@param failed boolean
function M.show(buf, text, failed)
  shown[buf] = { text = text, hl = failed and 'TermiEndingFailure' or 'TermiEnding' }
  vim.b[buf].termi_held_ending = nil
  require('termi.ui.highlights').define()
  -- The last words may have been written just now.
  autoscroll.refresh(buf)
  place(buf)
end

--- Someone reads: the line is to be shown when they are through. The buffer keeps it for a reload of the plugin.
---@param buf integer
---@param text string
---@param failed boolean
function M.hold(buf, text, failed)
  vim.b[buf].termi_held_ending = { text = text, failed = failed }
end

--- What is to be shown when nobody reads any more.
---@param buf integer
---@return { text: string, failed: boolean }?
function M.held(buf)
  return vim.b[buf].termi_held_ending
end

--- Nobody reads any more.
---@param buf integer
---@return boolean shown
function M.release(buf)
  local held = M.held(buf)
  if held then
    M.show(buf, held.text, held.failed)
  end
  return held ~= nil
end

---@param buf integer
function M.clear(buf)
  shown[buf] = nil
  vim.b[buf].termi_held_ending = nil
  api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
  autoscroll.set_tail(buf)
end

--- The buffer is going away.
---@param buf integer
function M.forget(buf)
  shown[buf] = nil
end

--- After a reload of the plugin: takes over the line that an earlier load put there.
---@param buf integer
---@return boolean ended
function M.adopt(buf)
  local mark = api.nvim_buf_get_extmarks(buf, namespace, 0, -1, { limit = 1, details = true })[1]
  local details = mark and mark[4] or {}
  local chunk = details.virt_text and details.virt_text[1] or details.virt_lines and details.virt_lines[1][1]
  if M.release(buf) then
    return true
  elseif chunk then
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
