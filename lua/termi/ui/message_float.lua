--- Message float: a message that is too long for the command line: whole in a float above it, which the next key takes
--- away. Nobody is asked for <Enter>, and the key does what it always does.
local format = require('termi.core.format')
local popup = require('termi.ui.popup')

local api = vim.api
local M = {}

local namespace = api.nvim_create_namespace('termi.long_message')

local win ---@type integer?

--- Takes it away, if it is still the one that is shown.
---@param its integer?
local function close(its)
  if its and its == win then
    vim.on_key(nil, namespace)
    win = nil
  end
  if its and api.nvim_win_is_valid(its) then
    pcall(api.nvim_win_close, its, true)
  end
end

--- The text in lines that are no wider than that.
---@param text string
---@param width integer
---@return string[]
function M.parts(text, width)
  local lines = {} ---@type string[]
  for _, line in ipairs(vim.split(text, '\n')) do
    -- What fits keeps its blanks, such as the indentation of a program's output.
    vim.list_extend(lines, format.width(line) <= width and { line } or popup.wrap(line, width))
  end
  return lines
end

--- Shows it. Of a text that is longer than half of the screen the end is seen, where the reason of an error is.
---@param title string
---@param text string
---@param group? string highlight group
---@return boolean shown false: no float can be opened now, as in the command-line window
function M.show(title, text, group)
  close(win)
  local columns, rows = vim.o.columns, vim.o.lines - vim.o.cmdheight
  local lines = M.parts(text, math.max(1, columns - 4))
  local width = format.width(title) + 2
  for index, line in ipairs(lines) do
    width = math.max(width, format.width(line) + 2)
    lines[index] = ' ' .. line
  end
  local height = math.min(#lines, math.max(1, math.floor(rows / 2)))
  local buf = api.nvim_create_buf(false, true)
  api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  vim.bo[buf].bufhidden = 'wipe'
  if group then
    api.nvim_buf_set_extmark(buf, namespace, 0, 0, { end_row = #lines - 1, end_col = #lines[#lines], hl_group = group })
  end
  local opened, its = pcall(api.nvim_open_win, buf, false, {
    relative = 'editor',
    anchor = 'SW',
    row = rows,
    col = 0,
    width = math.max(1, math.min(width, columns - 2)),
    height = height,
    style = 'minimal',
    border = 'rounded',
    title = { { (' %s '):format(title), group or 'FloatTitle' } },
    focusable = false,
    noautocmd = true,
    zindex = 240,
  })
  if not opened then
    api.nvim_buf_delete(buf, { force = true })
    return false
  end
  win = its
  api.nvim_set_option_value('wrap', false, { scope = 'local', win = win })
  pcall(api.nvim_win_set_cursor, win, { #lines, 0 })
  vim.on_key(function(key, typed)
    typed = typed or key
    -- Neovim's own events come as keys that nobody has typed; the mouse may just have been moved.
    if typed ~= '' and vim.fn.keytrans(typed) ~= '<MouseMove>' then
      vim.schedule(function()
        -- Keys come faster than this: by now there may be another one.
        close(its)
      end)
    end
  end, namespace)
  return true
end

return M
