--- A float of names and texts, to be read and closed: the keys of a buffer, all that is known of a run. Lines are
--- wrapped to the screen, and a border tells what is above and below of a text that is longer than that.
local format = require('termi.core.format')

local api = vim.api
local M = {}

local namespace = api.nvim_create_namespace('termi.popup')

---@class termi.PopupRow
---@field name string
---@field text string
---@field hl? string of the text

--- Splits a text into lines: at its blanks, or within a word that is wider than a line.
---@param text string
---@param width integer of a line, at least 1
---@return string[] at least one
function M.wrap(text, width)
  local lines, line = {}, ''
  for word in format.one_line(text):gmatch('%S+') do
    local joined = line == '' and word or line .. ' ' .. word
    if format.width(joined) <= width then
      line = joined
    else
      if line ~= '' then
        lines[#lines + 1] = line
      end
      line = ''
      for _, char in ipairs(vim.fn.split(word, '\\zs')) do
        if line ~= '' and format.width(line .. char) > width then
          lines[#lines + 1], line = line, ''
        end
        line = line .. char
      end
    end
  end
  lines[#lines + 1] = line
  return lines
end

--- The rows as lines: the names in a column of their own, where that leaves room for the texts.
---@param rows termi.PopupRow[]
---@param room integer
---@return string[] lines
---@return { line: integer, from: integer, to: integer, group: string }[] marks
---@return integer width of the widest line
local function laid_out(rows, room)
  local widest = 0
  for _, row in ipairs(rows) do
    widest = math.max(widest, format.width(row.name))
  end
  local indent = 1 + widest + 2
  local lines, marks, width = {}, {}, 1 ---@type string[], { line: integer, from: integer, to: integer, group: string }[], integer
  for _, row in ipairs(rows) do
    for index, part in ipairs(M.wrap(row.text, math.max(1, room - indent - 1))) do
      local before = ' ' .. format.fit(index == 1 and row.name or '', widest) .. '  '
      local line = before .. part
      if index == 1 then
        marks[#marks + 1] = { line = #lines, from = 1, to = 1 + #row.name, group = 'TermiKey' }
      end
      if row.hl then
        marks[#marks + 1] = { line = #lines, from = #before, to = #line, group = row.hl }
      end
      lines[#lines + 1] = line
      width = math.max(width, format.width(line) + 1)
    end
  end
  return lines, marks, math.min(width, room)
end

---@param buf integer
---@param title string
---@param rows termi.PopupRow[]
---@return vim.api.keyset.win_config
---@return boolean fits all of it is seen
local function draw(buf, title, rows)
  local screen, columns = vim.o.lines - vim.o.cmdheight, vim.o.columns
  local room = math.max(1, columns - 2)
  local lines, marks, width = laid_out(rows, room)
  width = math.min(math.max(width, format.width(title) + 2), room)
  vim.bo[buf].modifiable = true
  api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  vim.bo[buf].modifiable = false
  api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
  for _, mark in ipairs(marks) do
    local opts = { end_col = mark.to, hl_group = mark.group }
    api.nvim_buf_set_extmark(buf, namespace, mark.line, mark.from, opts)
  end
  local height = math.min(#lines, math.max(1, screen - 2))
  return {
    relative = 'editor',
    width = width,
    height = height,
    row = math.max(0, math.floor((screen - height - 2) / 2)),
    col = math.max(0, math.floor((columns - width - 2) / 2)),
    title = (' %s '):format(title),
    title_pos = 'center',
  },
    height == #lines
end

--- Says on the lower border what is not seen.
---@param win integer
local function tell_more(win)
  local above, below = unpack(api.nvim_win_call(win, function()
    return { vim.fn.line('w0') - 1, vim.fn.line('$') - vim.fn.line('w$') }
  end))
  local parts = {} ---@type string[]
  if below > 0 then
    parts[#parts + 1] = ('j ↓ %d more'):format(below)
  end
  if above > 0 then
    parts[#parts + 1] = ('k ↑ %d'):format(above)
  end
  local config = api.nvim_win_get_config(win)
  config.footer = #parts > 0 and { { (' %s '):format(table.concat(parts, '  ')), 'TermiAttention' } } or ''
  config.footer_pos = 'right'
  api.nvim_win_set_config(win, config)
end

--- Opens it. `q`, <Esc>, <CR> and `?` close it, and leaving its window does.
---@param title string
---@param rows termi.PopupRow[] at least one
function M.open(title, rows)
  local buf = api.nvim_create_buf(false, true)
  vim.bo[buf].bufhidden = 'wipe'
  local config, fits = draw(buf, title, rows)
  local win = api.nvim_open_win(
    buf,
    true,
    vim.tbl_extend('error', config, { style = 'minimal', border = 'rounded', zindex = 70 })
  )
  for name, value in pairs({ wrap = false, scrolloff = 0 }) do
    api.nvim_set_option_value(name, value, { scope = 'local', win = win })
  end
  for _, lhs in ipairs({ 'q', '?', '<Esc>', '<CR>' }) do
    vim.keymap.set('n', lhs, '<Cmd>close<CR>', { buffer = buf, nowait = true })
  end
  -- A cursor would have to cross what is seen before anything moved.
  for lhs, scroll in pairs({ j = '<C-e>', k = '<C-y>', ['<Down>'] = '<C-e>', ['<Up>'] = '<C-y>' }) do
    vim.keymap.set('n', lhs, function()
      return fits and lhs or scroll
    end, { buffer = buf, nowait = true, expr = true, replace_keycodes = true })
  end
  local group = api.nvim_create_augroup('termi.popup', {})
  api.nvim_create_autocmd('WinScrolled', {
    group = group,
    buffer = buf,
    callback = function()
      tell_more(win)
    end,
  })
  api.nvim_create_autocmd('VimResized', {
    group = group,
    callback = function()
      if api.nvim_win_is_valid(win) and api.nvim_win_get_buf(win) == buf then
        config, fits = draw(buf, title, rows)
        api.nvim_win_set_config(win, config)
        api.nvim_win_set_cursor(win, { 1, 0 })
        tell_more(win)
      end
    end,
  })
  api.nvim_create_autocmd('WinLeave', { group = group, buffer = buf, once = true, command = 'silent! close' })
  tell_more(win)
end

return M
