--- The session list as text: its columns, its headings, its marks. Pure: it touches no buffer.
local agents = require('termi.model.agents')
local columns = require('termi.ui.table')
local config = require('termi.config')
local format = require('termi.core.format')
local model = require('termi.list.model')
local run_state = require('termi.model.run_state')
local status = require('termi.model.status')

local M = {}

--- Below this many columns the status is an icon without its word.
local NARROW = 50

--- Among agents the column of the commands leaves room for what they ask, and goes before that of the last lines.
local AMONG_AGENTS = { max = 20, drop = 3.5 }

--- In front of each line: a mark, or what folds, or that there is news.
local GUTTER = 2

---@param rows termi.Row[]
---@param value fun(process: termi.proto.Process): number?
---@return number? sum nil: none of them has such a value
local function sum(rows, value)
  local total ---@type number?
  for _, row in ipairs(rows) do
    local its = row.process.status == 'active' and value(row.process)
    total = its and (total or 0) + its or total
  end
  return total
end

--- The run that speaks for a node: of several, the living one started last.
---@param node termi.ListNode
---@return termi.Row
function M.leading(node)
  local chosen = node.rows[#node.rows]
  for _, row in ipairs(node.rows) do
    if row.process.status == 'active' then
      chosen = row
    end
  end
  return chosen --[[@as termi.Row]]
end

---@param node termi.ListNode
---@return termi.StatusWord
local function status_of(node)
  return status.of_all(node.rows)
end

---@param node termi.ListNode
---@return string
local function branch(node)
  return node.last and '└ ' or '├ '
end

---@param node termi.ListNode
---@return termi.Cell
local function name(node)
  local row = node.rows[1]
  if node.kind == 'group' then
    return { text = node.name, hl = 'TermiGroup' }
  elseif node.child then
    return { text = branch(node) .. node.id:sub(1, 8), hl = 'TermiDim' }
  end
  local tail = {} ---@type { text: string, hl: string }[]
  if row.session.host then
    tail[1] = { text = '@' .. row.session.host, hl = 'TermiHost' }
  end
  local label = row.session.label and format.one_line(row.session.label) or ''
  if label ~= '' then
    tail[#tail + 1] = { text = ' ' .. label, hl = 'TermiDim' }
  end
  return { text = format.one_line(node.name), hl = 'TermiName', tail = #tail > 0 and tail or nil }
end

--- Where there is no room for commands, the runs of a session are told apart by them, and groups say it here.
---@param node termi.ListNode
---@return termi.Cell
local function narrow_name(node)
  if node.child then
    return { text = branch(node) .. format.one_line(node.rows[1].process.command), hl = 'TermiDim' }
  elseif node.kind == 'group' then
    return {
      text = node.name,
      hl = 'TermiGroup',
      tail = { { text = '  ' .. status.summary(node.rows), hl = 'TermiDim' } },
    }
  end
  return name(node)
end

---@param node termi.ListNode
---@return termi.Cell
local function command(node)
  if node.kind == 'run' then
    return { text = format.one_line(node.rows[1].process.command) }
  end
  local runs = format.count(#node.rows, 'run', 'runs')
  local what = node.kind == 'group' and format.count(model.count_sessions(node.rows), 'session', 'sessions') or runs
  local how = status.summary(node.rows)
  return { text = what .. (how ~= '' and ': ' .. how or ''), hl = 'TermiDim', spills = true }
end

---@param node termi.ListNode
---@return termi.Cell
local function age(node)
  local longest = 0
  for _, row in ipairs(node.rows) do
    longest = math.max(longest, row.process.duration_ms or 0)
  end
  return { text = node.kind == 'group' and '' or format.duration(longest) }
end

---@param node termi.ListNode
---@return termi.Cell
local function last_line(node)
  if node.kind == 'group' then
    return { text = '' }
  end
  local process, agent = M.leading(node).process, status.agent_of_all(node.rows)
  if agent then
    -- The last line of such a program is a hint at its keys.
    local its = agent.message or agent.title or (#node.rows == 1 and process.title ~= '' and process.title or nil)
    if its then
      return { text = format.one_line(its), hl = agents.waits(agent) and 'TermiAttention' or 'TermiDim' }
    end
  end
  local attention = run_state.attention(process.run_id)
  local said = attention and attention ~= 'bell' and attention or process.last_line
  return { text = format.one_line(said or ''), hl = 'TermiDim' }
end

---@type termi.Column
local icon = {
  key = 'status',
  title = '',
  max = 2,
  cell = function(node)
    local its = status_of(node)
    return { text = its.icon, hl = its.hl }
  end,
}

---@type termi.Column[]
local wide = {
  {
    key = 'status',
    title = 'Status',
    max = 24,
    steady = 10,
    cell = function(node)
      local its = status_of(node)
      return { text = its.icon .. ' ' .. its.word, hl = its.hl }
    end,
  },
  { key = 'name', title = 'Name', min = 12, max = 32, cell = name },
  { key = 'command', title = 'Command', min = 10, max = 36, drop = 5, cell = command },
  {
    key = 'pid',
    title = 'PID',
    max = 8,
    steady = 7,
    right = true,
    drop = 1,
    cell = function(node)
      local process = node.rows[1].process
      local active = node.kind == 'run' and process.status == 'active'
      return { text = active and tostring(process.pid) or '', hl = 'TermiDim' }
    end,
  },
  { key = 'age', title = 'Age', max = 7, steady = 6, right = true, drop = 6, cell = age },
  {
    key = 'cpu',
    title = 'CPU',
    max = 6,
    steady = 4,
    right = true,
    drop = 3,
    cell = function(node)
      local percent = sum(node.rows, function(process)
        return process.cpu_percent
      end)
      return {
        text = percent and ('%.0f%%'):format(percent) or '',
        hl = percent and percent >= 50 and 'TermiKilled' or nil,
      }
    end,
  },
  {
    key = 'memory',
    title = 'Mem',
    max = 6,
    steady = 4,
    right = true,
    drop = 2,
    cell = function(node)
      local bytes = sum(node.rows, function(process)
        return process.memory_bytes
      end)
      return { text = bytes and format.bytes(bytes) or '' }
    end,
  },
  { key = 'last', title = 'Last line', min = 12, max = 1000, drop = 4, cell = last_line },
}

---@type termi.Column[]
local narrow = vim.tbl_map(function(column)
  if column.key == 'status' then
    return icon
  end
  return column.key == 'name' and vim.tbl_extend('force', column, { cell = narrow_name }) or column
end, wide)

--- The columns for a width. What agents ask counts for more than the commands that they were started by.
---@param nodes termi.ListNode[]
---@param width integer
---@return termi.Column[]
local function columns_for(nodes, width)
  local specs = width < NARROW and narrow or wide
  for _, node in ipairs(nodes) do
    if #node.rows > 0 and status.agent_of_all(node.rows) then
      return vim.tbl_map(function(column)
        return column.key == 'command' and vim.tbl_extend('force', column, AMONG_AGENTS) or column
      end, specs)
    end
  end
  return specs
end

--- Titles of the names' column that say what the list is sorted by where no other column does, the longest first.
---@param view termi.ListView
---@return string[]
local function name_titles(view)
  local arrow = model.is_descending(view) and '↓' or '↑'
  return { ('Name (%s %s)'):format(view.sort, arrow), ('%s %s'):format(view.sort, arrow) }
end

--- The title of what the list is sorted by says so.
---@param specs termi.Column[]
---@param view termi.ListView
---@return table<string, string> titles
local function titles(specs, view)
  local arrow = model.is_descending(view) and '↓' or '↑'
  local sorted = view.sort == 'activity' and 'last' or view.sort
  for _, column in ipairs(specs) do
    if column.key == sorted and column.title ~= '' then
      return { [sorted] = column.right and arrow .. column.title or column.title .. ' ' .. arrow }
    end
  end
  return { name = name_titles(view)[1] }
end

--- The titles of the columns that fit; where what it is sorted by does not, the names say it.
---@param layout termi.TableLayout
---@param wanted table<string, string>
---@param view termi.ListView
---@return string
local function head(layout, wanted, view)
  local key = next(wanted)
  if key == 'name' or (key and not vim.tbl_contains(layout.names, key)) then
    local whole, short = unpack(view.sort == 'name' and { wanted.name, wanted.name } or name_titles(view))
    wanted = { name = format.width(whole) <= layout.widths.name and whole or short }
  end
  return columns.head(layout, wanted)
end

---@param node termi.ListNode
---@param view termi.ListView
---@return string text
---@return string? hl
local function gutter(node, view)
  local icons = config.get().icons
  local marked, unread = #node.rows > 0, false
  for _, row in ipairs(node.rows) do
    marked = marked and view.marked[row.process.run_id] == true
    unread = unread or run_state.unread(row.process)
  end
  if marked then
    return icons.marked, 'TermiMarked'
  elseif node.folded ~= nil then
    return node.folded and icons.closed or icons.open, 'TermiKey'
  end
  return unread and icons.unread or '', 'TermiUnread'
end

--- A host that cannot be reached, over the whole width.
---@param node termi.ListNode
---@param width integer
---@return string line
---@return termi.Highlight[]
local function host_line(node, width)
  local line = vim.trim(format.fit(('%s: %s'):format(node.name, node.trouble), width))
  local colon = math.min(#node.name, #line)
  return line, { { from = 0, to = colon, group = 'TermiHost' }, { from = colon, to = #line, group = 'TermiFailure' } }
end

--- The list for a window `width` columns wide.
---@param nodes termi.ListNode[]
---@param width integer
---@param view termi.ListView
---@return string head
---@return string[] lines one a node
---@return termi.Highlight[][] marks of each line
function M.render(nodes, width, view)
  local specs = columns_for(nodes, width)
  local cells = {} ---@type table<string, termi.Cell[]>
  for _, column in ipairs(specs) do
    local its = {} ---@type termi.Cell[]
    for index, node in ipairs(nodes) do
      its[index] = node.kind == 'host' and { text = '' } or column.cell(node)
    end
    cells[column.key] = its
  end
  -- A heading takes the room of the columns before the commands, so it does not widen that of the names.
  local measured = vim.tbl_extend('force', {}, cells) ---@type table<string, termi.Cell[]>
  for _, key in ipairs({ 'status', 'name' }) do
    measured[key] = {}
    for index, node in ipairs(nodes) do
      measured[key][index] = node.kind == 'group' and { text = '' } or cells[key][index]
    end
  end
  local sorted = titles(specs, view)
  local layout = columns.choose(specs, measured, width - GUTTER, sorted)
  local lines, marks = {}, {} ---@type string[], termi.Highlight[][]
  for index, node in ipairs(nodes) do
    local span = node.kind == 'group' and 'name' or nil
    local line, its = columns.line(layout, function(key)
      return cells[key][index]
    end, span)
    if node.kind == 'host' then
      line, its = host_line(node, width - GUTTER)
    end
    local sign, hl = gutter(node, view)
    local before = format.fit(sign, GUTTER)
    for _, mark in ipairs(its) do
      mark.from, mark.to = mark.from + #before, mark.to + #before
    end
    if hl and sign ~= '' then
      table.insert(its, 1, { from = 0, to = #sign, group = hl })
    end
    lines[index], marks[index] = before .. line, its
  end
  return (' '):rep(GUTTER) .. head(layout, sorted, view), lines, marks
end

return M
