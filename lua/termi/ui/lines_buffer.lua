--- Buffers of lines with colours that are drawn again and again: only what changed is written, and colours are made
--- only for the lines that are on the screen, so that hundreds of lines cost no more than a few.
local api = vim.api
local M = {}

local namespace = api.nvim_create_namespace('termi.sheet')

---@class termi.LinesBuffer
---@field keys string[] each line with its colours, to see what changed
---@field marks termi.Highlight[][]

local sheets = {} ---@type table<integer, termi.LinesBuffer> by buffer

api.nvim_set_decoration_provider(namespace, {
  on_win = function(_, _, buf)
    return sheets[buf] ~= nil
  end,
  on_line = function(_, _, buf, line)
    for _, mark in ipairs(sheets[buf].marks[line + 1] or {}) do
      -- A line may have been changed by others meanwhile.
      pcall(api.nvim_buf_set_extmark, buf, namespace, line, mark.from, {
        end_col = mark.to,
        hl_group = mark.group,
        ephemeral = true,
      })
    end
  end,
})

--- Makes a buffer that cannot be changed by hand.
---@param name string
---@param filetype string
---@return integer buf
function M.make(name, filetype)
  local buf = api.nvim_create_buf(false, true)
  api.nvim_buf_set_name(buf, name)
  vim.bo[buf].bufhidden = 'hide'
  vim.bo[buf].undolevels = -1
  vim.bo[buf].modifiable = false
  vim.bo[buf].filetype = filetype
  require('termi.ui.highlights').define()
  api.nvim_create_autocmd('BufUnload', {
    buffer = buf,
    callback = function()
      sheets[buf] = nil
    end,
  })
  return buf
end

--- The buffer of that name.
---@param name string
---@return integer? buf
function M.find(name)
  for _, buf in ipairs(api.nvim_list_bufs()) do
    if api.nvim_buf_is_loaded(buf) and api.nvim_buf_get_name(buf) == name then
      return buf
    end
  end
end

--- The windows of this tab page that show it.
---@param buf integer
---@return integer[]
function M.windows(buf)
  return vim.tbl_filter(function(win)
    return api.nvim_win_get_buf(win) == buf
  end, api.nvim_tabpage_list_wins(0))
end

--- The columns that a text may take in all of the windows.
---@param wins integer[] at least one
---@return integer
function M.width(wins)
  local width = math.huge
  for _, win in ipairs(wins) do
    local info = vim.fn.getwininfo(win)[1]
    width = math.min(width, info.width - info.textoff)
  end
  return width --[[@as integer]]
end

---@param line string
---@param marks termi.Highlight[]
---@return string
local function key_of(line, marks)
  local parts = { line } ---@type string[]
  for _, mark in ipairs(marks) do
    parts[#parts + 1] = mark.group
  end
  return table.concat(parts, '\0')
end

--- Writes the lines that changed.
---@param buf integer
---@param lines string[]
---@param marks termi.Highlight[][] of each line
---@return integer changed how many were written
function M.draw(buf, lines, marks)
  local before = sheets[buf] and sheets[buf].keys or {}
  local keys = {} ---@type string[]
  for index, line in ipairs(lines) do
    keys[index] = key_of(line, marks[index] or {})
  end
  sheets[buf] = { keys = keys, marks = marks }
  local changed = 0
  local same = math.min(#before, #keys)
  vim.bo[buf].modifiable = true
  local from = 1
  while from <= same do
    local to = from
    while to <= same and before[to] ~= keys[to] do
      to = to + 1
    end
    if to > from then
      api.nvim_buf_set_lines(buf, from - 1, to - 1, false, vim.list_slice(lines, from, to - 1))
      changed = changed + to - from
    end
    from = to + 1
  end
  if #keys ~= #before or #before == 0 then
    api.nvim_buf_set_lines(buf, same, -1, false, vim.list_slice(lines, same + 1))
    changed = changed + #lines - same
  end
  vim.bo[buf].modifiable = false
  return changed
end

local OPTIONS = {
  number = false,
  relativenumber = false,
  signcolumn = 'no',
  foldcolumn = '0',
  foldenable = false,
  statuscolumn = '',
  colorcolumn = '',
  list = false,
  spell = false,
  wrap = false,
  cursorline = true,
  winhighlight = 'WinBar:TermiHeader,WinBarNC:TermiHeader',
}

--- Sets the options of the current window for such a buffer.
function M.set_options()
  for name, value in pairs(OPTIONS) do
    api.nvim_set_option_value(name, value, { scope = 'local', win = 0 })
  end
end

--- A text for the bar above a window, in a colour.
---@param text string
---@param group string
---@return string
function M.bar_text(text, group)
  return ('%%#%s#%s'):format(group, (text:gsub('%%', '%%%%')))
end

--- Puts a text above a window, when it is another than before. A window of one line has no room for it.
---@param win integer
---@param text string
function M.set_bar(win, text)
  if api.nvim_get_option_value('winbar', { scope = 'local', win = win }) ~= text then
    pcall(api.nvim_set_option_value, 'winbar', text, { scope = 'local', win = win })
  end
end

--- The keys below the last line, in as many lines as the width needs.
---@param buf integer
---@param keys termi.Key[]
---@param width integer
function M.set_hints(buf, keys, width)
  local lines, used = { {}, {} }, 0 ---@type [string, string][][], integer
  for _, key in ipairs(keys) do
    if key.hint then
      local gap = used > 0 and '  ' or ''
      local length = #gap + #key.lhs + 1 + #key.hint
      if used > 0 and used + length > width then
        lines[#lines + 1] = {}
        gap, used, length = '', 0, length - #gap
      end
      used = used + length
      vim.list_extend(lines[#lines], { { gap .. key.lhs, 'TermiKey' }, { ' ' .. key.hint, 'TermiDim' } })
    end
  end
  local last = api.nvim_buf_line_count(buf) - 1
  api.nvim_buf_set_extmark(buf, namespace, last, 0, { id = 1, virt_lines = lines })
end

--- Goes to the window that shows a sheet, or opens one as lists are opened.
---@param buf integer
---@param title string of its windows
function M.open(buf, title)
  local config, window = require('termi.config'), require('termi.ui.window')
  local shown = M.windows(buf)[1]
  if shown then
    api.nvim_set_current_win(shown)
  else
    local list = config.get().list
    window.place(buf, list.open, { explicit = true }, list.size)
  end
  M.set_options()
  window.set_title(buf, title)
end

return M
