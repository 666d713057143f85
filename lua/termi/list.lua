--- |:TermiSessions|: the live list of sessions in a buffer.
local config = require('termi.config')
local events = require('termi.events')
local layout = require('termi.layout')
local message = require('termi.message')
local model = require('termi.list_model')
local preview = require('termi.list_preview')
local sessions = require('termi.sessions')
local sheet = require('termi.sheet')
local window = require('termi.window')

local api = vim.api
local M = {}

local NAME = 'termi-sessions://'

--- What happens in a burst (a hundred starts) asks the host no more often than this.
local TOGETHER_MS = 100

--- A host that took long to answer, because it has hundreds of processes to look at, rests for so many times as long.
local REST = 4

---@type termi.ListView
M.view = { sort = 'age', reverse = false, filter = '', folded = {}, marked = {} }

local rows = {} ---@type termi.Row[] all there are
local nodes = {} ---@type termi.ListNode[] as shown: nodes[n] is on line n
local known = false -- whether the host has answered yet
local timer ---@type uv.uv_timer_t?
local asking, again, waiting = false, false, false
local answered_at, took_ms = 0, 0

---@return integer? buf
local function existing()
  return sheet.find(NAME)
end

--- All runs, whether shown or not.
---@return termi.Row[]
function M.rows()
  return rows
end

--- The lines from one to another.
---@param first integer
---@param last integer
---@return termi.ListNode[]
function M.nodes(first, last)
  return vim.list_slice(nodes, first, last)
end

--- What is under the cursor of the list's window.
---@return termi.ListNode?
function M.current()
  return nodes[api.nvim_win_get_cursor(0)[1]]
end

--- What is under the cursor of a window that shows the list.
---@param win integer
---@return termi.ListNode?
function M.node_of(win)
  return nodes[api.nvim_win_get_cursor(win)[1]]
end

--- What to say instead of lines.
---@param width integer
---@return string[] lines
---@return termi.Highlight[][] marks
local function nothing(width)
  local lines = { '' }
  if M.view.filter ~= '' and #rows > 0 then
    lines = { ('Nothing matches `%s`.'):format(M.view.filter), 'F shows all again.' }
  elseif known then
    lines = { 'No sessions yet.', ':TermiRun {command} starts one, :TermiRun alone a shell.' }
    if #lines[2] > width then
      lines = { lines[1], ':TermiRun {command} starts one', ':TermiRun alone a shell' }
    end
  end
  local marks = {} ---@type termi.Highlight[][]
  for index, line in ipairs(lines) do
    marks[index] = { { from = 0, to = #line, group = index == 1 and 'TermiHeader' or 'TermiDim' } }
  end
  return lines, marks
end

--- Where each window's cursor is, as a node: lines may move under it.
---@param wins integer[]
---@return table<integer, { node: termi.ListNode?, line: integer }>
local function remember(wins)
  local under = {} ---@type table<integer, { node: termi.ListNode?, line: integer }>
  for _, win in ipairs(wins) do
    local line = api.nvim_win_get_cursor(win)[1]
    under[win] = { node = nodes[line], line = line }
  end
  return under
end

--- Puts the cursors back on their nodes, at the same height of the window once that is scrolled.
---@param under table<integer, { node: termi.ListNode?, line: integer }>
local function restore(under)
  for win, before in pairs(under) do
    local line = model.find(nodes, before.node) or math.max(1, math.min(before.line, #nodes))
    if line ~= before.line then
      api.nvim_win_call(win, function()
        local saved = vim.fn.winsaveview()
        local top = saved.topline > 1 and math.max(1, saved.topline + line - before.line) or saved.topline
        vim.fn.winrestview({ lnum = line, topline = top })
      end)
    end
  end
end

--- Draws what is known, without asking the host.
function M.draw()
  local buf = existing()
  local wins = buf and sheet.windows(buf) or {}
  if not buf or #wins == 0 then
    return
  end
  local width = sheet.width(wins)
  local under = remember(wins)
  nodes = vim.list_extend(model.unreachable(), model.nodes(rows, M.view))
  local head, lines, marks = layout.render(nodes, width, M.view)
  if #nodes == 0 then
    lines, marks = nothing(width)
  end
  sheet.draw(buf, lines, marks)
  sheet.set_hints(buf, require('termi.list_keys').keys, width)
  restore(under)
  local bar = require('termi.list_bar').text(head, width, M.view, nodes, rows)
  for _, win in ipairs(wins) do
    sheet.set_bar(win, bar)
  end
  preview.update()
end

--- Puts the cursor of the list's window on a node.
---@param node? termi.ListNode
function M.go_to(node)
  local line = model.find(nodes, node)
  if line then
    api.nvim_win_set_cursor(0, { line, 0 })
  end
end

---@param found termi.proto.Sessions
local function take(found)
  rows, known = sessions.rows(found), true
  local living = {} ---@type table<string, true>
  for _, row in ipairs(rows) do
    living[row.process.run_id] = M.view.marked[row.process.run_id]
  end
  M.view.marked = living
  M.draw()
end

--- Asks the host and draws what it says. While an answer is awaited, once more after that.
function M.refresh()
  local buf = existing()
  if not buf or #sheet.windows(buf) == 0 then
    return
  elseif asking then
    again = true
    return
  end
  asking, again = true, false
  local asked_at = vim.uv.now()
  local ok, why = pcall(sessions.fetch_soon, function(found)
    asking = false
    answered_at = vim.uv.now()
    took_ms = answered_at - asked_at
    vim.schedule(function()
      if found then
        message.guard(take, found)
      end
      if again then
        M.refresh_soon()
      end
    end)
  end)
  if not ok then
    asking = false
    message.error(tostring(why))
  end
end

--- Refreshes a little later, together with what happens until then.
function M.refresh_soon()
  if not waiting then
    waiting = true
    vim.defer_fn(function()
      waiting = false
      M.refresh()
    end, TOGETHER_MS)
  end
end

--- The timer runs only while a person can see the list.
local function tick()
  local buf = existing()
  if buf and #sheet.windows(buf) > 0 then
    if vim.uv.now() - answered_at >= took_ms * REST then
      M.refresh()
    end
  elseif timer then
    timer:stop()
    timer:close()
    timer = nil
    preview.close()
  end
end

local function wake()
  if not timer then
    timer = assert(vim.uv.new_timer())
    local every = config.get().list.refresh_ms
    timer:start(every, every, vim.schedule_wrap(tick))
  end
  M.refresh()
end

--- Whether something ticks, for the tests: nothing may while nobody looks.
---@return boolean
function M.ticks()
  return timer ~= nil
end

---@return integer buf
local function make()
  local buf = sheet.make(NAME, 'termi-sessions')
  M.view.sort = config.get().list.sort
  require('termi.list_keys').map(buf)
  local group = api.nvim_create_augroup('termi.list', {})
  local function on(names, callback, pattern)
    api.nvim_create_autocmd(names, { group = group, buffer = pattern and nil or buf, callback = callback })
  end
  on({ 'BufWinEnter', 'BufEnter' }, wake)
  on('CursorMoved', function()
    preview.update()
  end)
  on({ 'BufWinLeave', 'BufLeave' }, function()
    vim.schedule(tick)
  end)
  on('TabEnter', wake, '*')
  on('TabLeave', function()
    preview.close()
    vim.schedule(tick)
  end, '*')
  on('WinResized', M.draw, '*')
  return buf
end

--- Opens the list, or goes to its window.
---@param how? termi.Open
function M.open(how)
  local buf = existing() or make()
  local shown = sheet.windows(buf)[1]
  if shown then
    api.nvim_set_current_win(shown)
  else
    window.place(buf, how or config.get().list.open, { explicit = true }, config.get().list.size)
  end
  sheet.set_options()
  window.set_title(buf, 'Termi sessions')
  M.draw()
  wake()
end

events.on_any(function(event)
  if event.type ~= 'output' then
    M.refresh_soon()
  end
end)

return M
