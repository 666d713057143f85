--- Preview: a float that shows the end of the screen of the run under the list's cursor. It takes a snapshot of the run
--- and no view of it, and no window changes its size for it: the program notices nothing.
local ansi_highlights = require('termi.ui.ansi_highlights')
local client = require('termi.rpc.client')
local format = require('termi.core.format')
local render = require('termi.list.render')
local routing = require('termi.rpc.routing')
local status = require('termi.model.status')

local api = vim.api
local M = {}

local namespace = api.nvim_create_namespace('termi.preview')

local win ---@type integer? the float
local list ---@type integer? the window that it belongs to
local node_of ---@type nil|fun(win: integer): termi.ListNode? what is under the cursor of that window
local asking = false
local wanted ---@type string? run that was asked for last

--- Where the most room is beside the list, or a part of it where it fills the screen.
---@return { relative: 'editor', row: integer, col: integer, height: integer, width: integer }
local function place()
  local info = vim.fn.getwininfo(list)[1]
  local lines, columns = vim.o.lines - vim.o.cmdheight, vim.o.columns
  local top, left = info.winrow - 1, info.wincol - 1
  local bottom, right = top + info.height + (info.winbar or 0), left + info.width
  -- Row, column, height and width, the border included.
  local rooms = {
    { 0, 0, top, columns },
    { bottom + 1, 0, lines - bottom - 1, columns },
    { 0, right + 1, lines, columns - right - 1 },
    { 0, 0, lines, left - 1 },
  }
  local best ---@type integer[]?
  for _, room in ipairs(rooms) do
    local fits = room[3] >= 5 and room[4] >= 24
    if fits and (not best or room[3] * room[4] > best[3] * best[4]) then
      best = room
    end
  end
  if not best then
    local half = math.max(3, math.floor((bottom - top) / 2))
    best = { bottom - half, left, half, info.width }
  end
  return {
    relative = 'editor',
    row = best[1],
    col = best[2],
    height = math.max(1, best[3] - 2),
    width = math.max(1, best[4] - 2),
  }
end

---@return boolean
function M.is_open()
  return win ~= nil and api.nvim_win_is_valid(win)
end

function M.close()
  if win and api.nvim_win_is_valid(win) then
    pcall(api.nvim_win_close, win, true)
  end
  win, list, wanted = nil, nil, nil
end

---@param title string
---@return integer win
local function opened(title)
  local config = vim.tbl_extend('force', place(), {
    border = 'rounded',
    style = 'minimal',
    focusable = false,
    title = { { (' %s '):format(title), 'TermiName' } },
    title_pos = 'left',
    zindex = 60,
  })
  if win and api.nvim_win_is_valid(win) then
    api.nvim_win_set_config(win, config)
    return win
  end
  local buf = api.nvim_create_buf(false, true)
  vim.bo[buf].bufhidden = 'wipe'
  local made = api.nvim_open_win(buf, false, vim.tbl_extend('force', config, { noautocmd = true }))
  api.nvim_set_option_value('wrap', false, { scope = 'local', win = made })
  win = made
  return made
end

---@param lines { text: string, spans: termi.proto.Span[] }[]
local function fill(lines)
  local shown = win --[[@as integer]]
  local buf, height = api.nvim_win_get_buf(shown), api.nvim_win_get_height(shown)
  local last = #lines
  while last > 1 and not lines[last].text:find('%S') do
    last = last - 1
  end
  local visible = vim.list_slice(lines, math.max(1, last - height + 1), last)
  local texts = vim.tbl_map(function(line)
    return (line.text:gsub('\n', ' '))
  end, visible)
  api.nvim_buf_set_lines(buf, 0, -1, false, texts)
  api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
  for index, line in ipairs(visible) do
    for _, span in ipairs(line.spans or {}) do
      local mark = { end_col = math.min(span['end'], #texts[index]), hl_group = ansi_highlights.group(span) }
      pcall(api.nvim_buf_set_extmark, buf, namespace, index - 1, span.start, mark)
    end
  end
  api.nvim_win_set_cursor(shown, { 1, 0 })
end

---@param row termi.Row
---@return string
local function title_of(row)
  local its = status.of(row.process)
  local room = math.max(8, place().width - 4)
  local text = ('%s  %s %s  %s'):format(
    routing.named(row.session.name, row.session.host),
    its.icon,
    its.word,
    row.process.command
  )
  return vim.trim(format.fit(format.one_line(text), room))
end

---@param row termi.Row
local function show(row)
  asking, wanted = true, row.process.run_id
  local params = { run_id = row.process.run_id, format = 'spans' }
  client.request('snapshot', params, function(err, snapshot)
    asking = false
    vim.schedule(function()
      if not M.is_open() or not list or not api.nvim_win_is_valid(list) then
        return M.close()
      end
      if wanted ~= row.process.run_id then
        return M.update()
      end
      opened(title_of(row))
      fill(err and { { text = err.message, spans = {} } } or snapshot.lines)
    end)
  end)
end

--- Shows the run that is under the cursor now, if the preview is open.
function M.update()
  if not M.is_open() then
    return
  end
  if not list or not api.nvim_win_is_valid(list) then
    return M.close()
  end
  local node = node_of and node_of(list)
  if not node or #node.rows == 0 then
    opened('nothing to preview')
    return fill({ { text = '', spans = {} } })
  end
  local row = render.leading(node)
  wanted = row.process.run_id
  if not asking then
    show(row)
  end
end

--- Opens it for the current window, or closes it.
---@param under_cursor fun(win: integer): termi.ListNode? what is under the cursor of the list's window
function M.toggle(under_cursor)
  if M.is_open() then
    return M.close()
  end
  list, node_of = api.nvim_get_current_win(), under_cursor
  opened('')
  M.update()
end

return M
