--- Paste: text that Neovim puts into a run's terminal: a terminal UI's paste (|vim.paste()|), `p`, |nvim_put()|. Neovim
--- gives it in parts, as if each were a key; it goes to the host as one paste, which brackets it where the program
--- asked for that and in which no control character can act.
local client = require('termi.rpc.client')
local views = require('termi.model.views')

local api = vim.api
local M = {}

local BEGINS, ENDS = '\27[200~', '\27[201~'

--- What Neovim reports by itself, in whatever mode: focus and background.
local REPORTS = { ['\27[I'] = true, ['\27[O'] = true, ['\27[?997;1n'] = true, ['\27[?997;2n'] = true }

--- A paste of more goes out in several: the host takes 4 MiB at a time.
local MOST_BYTES = 1024 * 1024

---@class termi.Paste
---@field buf integer
---@field parts string[]
---@field bytes integer

local pending ---@type termi.Paste?
local in_handler = false
local is_streaming = false
--- Neovim has written a begin bracket, and no end bracket yet.
local is_open = false

--- Sends what was pasted so far: before a key that follows it, or once all of it is there.
function M.flush()
  local its = pending
  pending = nil
  local view = its and views.of_buf(its.buf)
  if its and view and view.run_id and not view.ended and its.bytes > 0 then
    client.notify('input', { run_id = view.run_id, data = table.concat(its.parts), paste = true })
  end
end

---@param buf integer
---@param data string
local function add(buf, data)
  if pending and (pending.buf ~= buf or pending.bytes + #data > MOST_BYTES) then
    M.flush()
  end
  if not pending then
    pending = { buf = buf, parts = {}, bytes = 0 }
    if not is_streaming then
      vim.schedule(M.flush)
    end
  end
  pending.parts[#pending.parts + 1] = data
  pending.bytes = pending.bytes + #data
end

--- Takes what Neovim writes to a run's terminal if it is pasted text, and not a key.
---@param buf integer
---@param data string
---@return boolean taken
function M.take(buf, data)
  -- Keys reach a terminal in terminal mode only. There, a bracket tells what is put by |nvim_put()|.
  local is_pasted = in_handler or (api.nvim_get_mode().mode ~= 't' and not REPORTS[data])
  if data == BEGINS or data == ENDS then
    is_open = not is_pasted and data == BEGINS
  elseif is_pasted or is_open then
    add(buf, data)
  else
    M.flush()
    return false
  end
  return true
end

--- What |vim.paste()| does while the current buffer shows a run.
---@param overridden fun(lines: string[], phase: integer): boolean
---@param lines string[]
---@param phase integer
---@return boolean
function M.handle(overridden, lines, phase)
  if not views.of_buf(api.nvim_get_current_buf()) then
    return overridden(lines, phase)
  end
  in_handler, is_streaming = true, phase == 1 or phase == 2
  local ok, result = pcall(overridden, lines, phase)
  in_handler, is_streaming = false, is_streaming and ok and result ~= false
  if not is_streaming then
    M.flush()
  end
  if not ok then
    error(result, 0)
  end
  return result
end

-- A reload of the plugin finds it in place.
if not vim.g.termi_paste then
  vim.g.termi_paste = true
  vim.paste = (function(overridden)
    return function(lines, phase)
      return require('termi.view.paste').handle(overridden, lines, phase)
    end
  end)(vim.paste)
end

return M
