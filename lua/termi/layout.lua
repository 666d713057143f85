--- The session list as text: which columns fit a width, and how wide each is. Pure: it touches no buffer.
local config = require('termi.config')
local events = require('termi.events')
local format = require('termi.format')
local state = require('termi.state')

local M = {}

---@class termi.Cell
---@field text string
---@field hl? string
---@field tail? { text: string, hl: string }[] what follows the text, in colours of its own

---@class termi.Column
---@field title string
---@field min integer the column is dropped, not made narrower
---@field max integer
---@field right? boolean
---@field cell fun(row: termi.Row, index: integer, rows: termi.Row[]): termi.Cell

---@class termi.Highlight
---@field line integer 0-based
---@field from integer byte
---@field to integer byte
---@field group string

local GAP = '  '
local NARROW = 50

---@param row termi.Row
---@return string icon
---@return string word
---@return string hl
local function status(row)
  local icons = config.get().icons
  local process = row.process
  if state.attention(process.run_id) then
    return icons.attention, process.status == 'active' and 'waiting' or events.outcome(process), 'TermiAttention'
  elseif process.status == 'active' then
    return icons.active, 'running', 'TermiActive'
  elseif process.status == 'killed' then
    return icons.killed, 'killed', 'TermiKilled'
  elseif process.status == 'timed_out' then
    return icons.killed, 'timed out', 'TermiFailure'
  elseif process.status == 'failed' then
    return icons.failure, 'failed', 'TermiFailure'
  elseif events.failed(process) then
    return icons.failure, events.outcome(process):gsub('^ended by ', ''), 'TermiFailure'
  end
  return icons.success, 'done', 'TermiSuccess'
end

--- The name of the session on its first run; below it, its other runs as a tree.
---@param row termi.Row
---@param index integer
---@param rows termi.Row[]
---@return termi.Cell
local function name(row, index, rows)
  local before, after = rows[index - 1], rows[index + 1]
  if not before or before.session_id ~= row.session_id then
    local tail = {}
    if row.session.group and row.session.group ~= '' then
      tail[#tail + 1] = { text = ' @' .. row.session.group, hl = 'TermiGroup' }
    end
    if row.session.label and row.session.label ~= '' then
      tail[#tail + 1] = { text = ' ' .. row.session.label, hl = 'TermiDim' }
    end
    return { text = row.session.name, hl = 'TermiName', tail = tail }
  end
  local last = not after or after.session_id ~= row.session_id
  return { text = (last and '└ ' or '├ ') .. row.process.run_id:sub(1, 8), hl = 'TermiDim' }
end

---@type table<string, termi.Column>
local columns = {
  status = {
    title = 'Status',
    min = 7,
    max = 12,
    cell = function(row)
      local icon, word, hl = status(row)
      return { text = icon .. ' ' .. word, hl = hl }
    end,
  },
  icon = {
    title = '',
    min = 1,
    max = 2,
    cell = function(row)
      local icon, _, hl = status(row)
      return { text = icon, hl = hl }
    end,
  },
  name = { title = 'Name', min = 12, max = 32, cell = name },
  command = {
    title = 'Command',
    min = 10,
    max = 36,
    cell = function(row)
      return { text = row.process.command }
    end,
  },
  pid = {
    title = 'PID',
    min = 3,
    max = 8,
    right = true,
    cell = function(row)
      local active = row.process.status == 'active'
      return { text = active and tostring(row.process.pid) or '', hl = 'TermiDim' }
    end,
  },
  age = {
    title = 'Age',
    min = 3,
    max = 7,
    right = true,
    cell = function(row)
      return { text = format.duration(row.process.duration_ms or 0) }
    end,
  },
  cpu = {
    title = 'CPU',
    min = 3,
    max = 5,
    right = true,
    cell = function(row)
      local percent = row.process.status == 'active' and row.process.cpu_percent
      return {
        text = percent and ('%.0f%%'):format(percent) or '',
        hl = percent and percent >= 50 and 'TermiKilled' or nil,
      }
    end,
  },
  memory = {
    title = 'Mem',
    min = 3,
    max = 6,
    right = true,
    cell = function(row)
      local bytes = row.process.status == 'active' and row.process.memory_bytes
      return { text = bytes and format.bytes(bytes) or '' }
    end,
  },
  last = {
    title = 'Last line',
    min = 12,
    max = 1000,
    cell = function(row)
      local attention = state.attention(row.process.run_id)
      local said = attention and attention ~= 'bell' and attention or row.process.last_line
      return { text = said or '', hl = 'TermiDim' }
    end,
  },
}

local ORDER = { 'status', 'name', 'command', 'pid', 'age', 'cpu', 'memory', 'last' }
--- What goes first when the window is too narrow.
local DROPPED = { 'pid', 'memory', 'cpu', 'last', 'command', 'age' }

---@param cell termi.Cell
---@return string
local function whole(cell)
  local text = cell.text
  for _, part in ipairs(cell.tail or {}) do
    text = text .. part.text
  end
  return format.one_line(text)
end

---@param names string[]
---@param widths table<string, integer>
---@return integer
local function total(names, widths)
  local sum = #GAP * (#names - 1)
  for _, column in ipairs(names) do
    sum = sum + widths[column]
  end
  return sum
end

--- Chooses columns and widths.
---@param cells table<string, termi.Cell[]> by column
---@param width integer
---@return string[] names
---@return table<string, integer> widths
local function choose(cells, width)
  local names = vim.deepcopy(ORDER)
  if width < NARROW then
    names[1] = 'icon'
  end
  local natural, least = {}, {} ---@type table<string, integer>, table<string, integer>
  for _, column in ipairs(names) do
    local spec = columns[column]
    local widest = vim.fn.strdisplaywidth(spec.title)
    for _, cell in ipairs(cells[column]) do
      widest = math.max(widest, vim.fn.strdisplaywidth(whole(cell)))
    end
    natural[column] = math.min(widest, spec.max)
    -- Only texts may be cut; a number that does not fit is dropped with its column.
    local shrinks = column == 'name' or column == 'command' or column == 'last'
    least[column] = shrinks and math.min(natural[column], spec.min) or natural[column]
  end
  for _, column in ipairs(DROPPED) do
    if total(names, least) <= width then
      break
    end
    names = vim.tbl_filter(function(kept)
      return kept ~= column
    end, names)
  end
  local widths = {} ---@type table<string, integer>
  for _, column in ipairs(names) do
    widths[column] = least[column]
  end
  for _, column in ipairs({ 'name', 'command', 'last' }) do
    if widths[column] then
      local spare = width - total(names, widths)
      widths[column] = math.max(1, math.min(natural[column], widths[column] + spare))
    end
  end
  return names, widths
end

--- The list of `rows` for a window `width` columns wide.
---@param rows termi.Row[]
---@param width integer
---@return string[] lines the first is the header, then one a row
---@return termi.Highlight[]
function M.render(rows, width)
  local cells = {} ---@type table<string, termi.Cell[]>
  for column, spec in pairs(columns) do
    cells[column] = {}
    for index, row in ipairs(rows) do
      cells[column][index] = spec.cell(row, index, rows)
    end
  end
  local names, widths = choose(cells, width)
  local lines, highlights = {}, {} ---@type string[], termi.Highlight[]
  for index = 0, #rows do
    local line = ''
    for at, column in ipairs(names) do
      local spec = columns[column]
      local cell = index == 0 and { text = spec.title, hl = 'TermiHeader' } or cells[column][index]
      local text = format.fit(whole(cell), widths[column], spec.right)
      if at > 1 then
        line = line .. GAP
      end
      local from, to = #line, #line + #text
      if cell.hl then
        highlights[#highlights + 1] = { line = index, from = from, to = to, group = cell.hl }
      end
      from = from + #cell.text
      for _, part in ipairs(cell.tail or {}) do
        highlights[#highlights + 1] = { line = index, from = from, to = to, group = part.hl }
        from = from + #part.text
      end
      line = line .. text
    end
    lines[index + 1] = (line:gsub('%s+$', ''))
  end
  return lines, highlights
end

return M
