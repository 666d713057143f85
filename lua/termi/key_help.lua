--- The keys of a buffer: mapped from one table, and explained from it in a float.
local format = require('termi.format')
local message = require('termi.message')

local api = vim.api
local M = {}

---@class termi.Key
---@field lhs string
---@field also? string[] other keys that do the same
---@field hint? string shown below the lines
---@field desc string
---@field visual? boolean works on a selection too
---@field run fun()

--- Maps the keys in a buffer.
---@param buf integer
---@param keys termi.Key[]
function M.map(buf, keys)
  for _, key in ipairs(keys) do
    local modes = key.visual and { 'n', 'x' } or { 'n' }
    for _, lhs in ipairs(vim.list_extend({ key.lhs }, key.also or {})) do
      vim.keymap.set(modes, lhs, function()
        message.guard(key.run)
      end, { buffer = buf, nowait = true, silent = true, desc = 'Termi: ' .. key.desc })
    end
  end
end

---@param keys termi.Key[]
---@return string[] lines
---@return integer[] ends of the keys in them
local function explained(keys)
  local names, widest = {}, 0 ---@type string[], integer
  for index, key in ipairs(keys) do
    names[index] = table.concat(vim.list_extend({ key.lhs }, key.also or {}), ' ')
    widest = math.max(widest, format.width(names[index]))
  end
  local lines, ends = {}, {} ---@type string[], integer[]
  for index, key in ipairs(keys) do
    lines[index] = (' %s  %s '):format(format.fit(names[index], widest), key.desc)
    ends[index] = 1 + #names[index]
  end
  return lines, ends
end

--- Opens the help.
---@param title string
---@param keys termi.Key[]
function M.show(title, keys)
  local lines, ends = explained(keys)
  local width = 0
  for _, line in ipairs(lines) do
    width = math.max(width, format.width(line))
  end
  local buf = api.nvim_create_buf(false, true)
  api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  local namespace = api.nvim_create_namespace('termi.help')
  for index, stop in ipairs(ends) do
    api.nvim_buf_set_extmark(buf, namespace, index - 1, 1, { end_col = stop, hl_group = 'TermiKey' })
  end
  vim.bo[buf].bufhidden = 'wipe'
  vim.bo[buf].modifiable = false
  local rows, columns = vim.o.lines - vim.o.cmdheight, vim.o.columns
  local room = math.max(1, columns - 2)
  local wraps = width > room
  width = math.min(width, room)
  local height = 0
  for _, line in ipairs(lines) do
    height = height + math.max(1, math.ceil(format.width(line) / width))
  end
  height = math.min(height, math.max(1, rows - 2))
  local win = api.nvim_open_win(buf, true, {
    relative = 'editor',
    width = width,
    height = height,
    row = math.max(0, math.floor((rows - height - 2) / 2)),
    col = math.max(0, math.floor((columns - width - 2) / 2)),
    style = 'minimal',
    border = 'rounded',
    title = (' %s '):format(title),
    title_pos = 'center',
    zindex = 70,
  })
  for name, value in pairs({ wrap = wraps, linebreak = true, breakindent = true }) do
    api.nvim_set_option_value(name, value, { scope = 'local', win = win })
  end
  for _, lhs in ipairs({ 'q', '?', '<Esc>', '<CR>' }) do
    vim.keymap.set('n', lhs, '<Cmd>close<CR>', { buffer = buf, nowait = true })
  end
  api.nvim_create_autocmd('WinLeave', { buffer = buf, once = true, command = 'silent! close' })
end

--- Closes a buffer's window and goes back to where it was opened from.
function M.close()
  local win = api.nvim_get_current_win()
  vim.cmd('wincmd p')
  require('termi.window').close(win)
end

return M
