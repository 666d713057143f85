--- The content of the session list: the runs that were heard of last, the lines that show them, and how they are drawn.
local lines_buffer = require('termi.ui.lines_buffer')
local message = require('termi.ui.message')
local model = require('termi.list.model')
local preview = require('termi.list.preview')
local render = require('termi.list.render')
local session_rows = require('termi.model.session_rows')
local sessions = require('termi.model.sessions')
local winbar = require('termi.list.winbar')

local api = vim.api
local M = {}

local NAME = 'termi-sessions://'

--- What happens in a burst (a hundred starts) asks the host no more often than this.
local TOGETHER_MS = 100

--- A host that took long to answer, because it has hundreds of processes to look at, rests for so many times as long.
local REST = 4

---@type termi.ListView
M.view = { sort = 'age', reverse = false, filter = '', folded = {}, marked = {} }

--- The keys that are hinted at.
M.keys = {} ---@type termi.Key[]

local rows = {} ---@type termi.Row[] all there are
local nodes = {} ---@type termi.ListNode[] as shown: nodes[n] is on line n
local known = false -- whether the host has answered yet
local asking, again, waiting = false, false, false
local answered_at, took_ms = 0, 0

--- The list's buffer, if there is one.
---@return integer? buf
function M.buffer()
  return lines_buffer.find(NAME)
end

--- Makes the list's buffer.
---@return integer buf
function M.make()
  return lines_buffer.make(NAME, 'termi-sessions')
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
  local buf = M.buffer()
  local wins = buf and lines_buffer.windows(buf) or {}
  if not buf or #wins == 0 then
    return
  end
  local width = lines_buffer.width(wins)
  local under = remember(wins)
  nodes = vim.list_extend(model.unreachable(), model.nodes(rows, M.view))
  local head, lines, marks = render.render(nodes, width, M.view)
  if #nodes == 0 then
    lines, marks = nothing(width)
  end
  lines_buffer.draw(buf, lines, marks)
  lines_buffer.set_hints(buf, M.keys, width)
  restore(under)
  local text = winbar.text(head, width, M.view, nodes, rows)
  for _, win in ipairs(wins) do
    lines_buffer.set_bar(win, text)
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
  rows, known = session_rows.all(found), true
  local living = {} ---@type table<string, true>
  for _, row in ipairs(rows) do
    living[row.process.run_id] = M.view.marked[row.process.run_id]
  end
  M.view.marked = living
  M.draw()
end

--- Asks the host and draws what it says. While an answer is awaited, once more after that.
function M.refresh()
  local buf = M.buffer()
  if not buf or #lines_buffer.windows(buf) == 0 then
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

--- Refreshes a little later, debounced: together with what happens until then.
function M.refresh_soon()
  if not waiting then
    waiting = true
    vim.defer_fn(function()
      waiting = false
      M.refresh()
    end, TOGETHER_MS)
  end
end

--- Refreshes if the host has rested since its last answer.
function M.refresh_rested()
  if vim.uv.now() - answered_at >= took_ms * REST then
    M.refresh()
  end
end

return M
