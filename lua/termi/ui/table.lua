--- Tables of text: which columns fit a width, how wide each is, aligned by display width. Pure: it touches no buffer.
local format = require('termi.core.format')

local M = {}

---@class termi.Cell
---@field text string
---@field hl? string
---@field tail? { text: string, hl: string }[] what follows the text, in colours of its own
---@field whole? string text and tail, once measured
---@field width? integer of that on the screen
---@field spills? boolean where it would be cut, it takes the room of the empty cells that follow

---@class termi.Column
---@field key string
---@field title string
---@field min? integer it may be cut down to this; without, it is dropped rather than cut
---@field max integer
---@field steady? integer at least so wide, so that the columns do not move with every value
---@field right? boolean
---@field drop? number when the width is too small, the column with the lowest number goes first; without, it stays
---@field cell fun(item: any): termi.Cell

---@class termi.Highlight
---@field from integer byte
---@field to integer byte
---@field group string

---@class termi.TableLayout
---@field names string[] keys of the columns that fit
---@field widths table<string, integer>
---@field by_key table<string, termi.Column>

M.GAP = '  '

--- Puts a cell's text together and measures it, once.
---@param cell termi.Cell
---@return string whole
---@return integer width
local function measured(cell)
  local whole, width = cell.whole, cell.width
  if not whole or not width then
    whole = cell.text
    for _, part in ipairs(cell.tail or {}) do
      whole = whole .. part.text
    end
    width = format.width(whole)
    cell.whole, cell.width = whole, width
  end
  return whole, width
end

---@param names string[]
---@param widths table<string, integer>
---@return integer
local function total(names, widths)
  local sum = #M.GAP * (#names - 1)
  for _, key in ipairs(names) do
    sum = sum + widths[key]
  end
  return sum
end

---@param columns termi.Column[]
---@return termi.Column[] those that may be left out, the first to go first
local function droppable(columns)
  local found = vim.tbl_filter(function(column)
    return column.drop ~= nil
  end, columns)
  table.sort(found, function(a, b)
    return a.drop < b.drop
  end)
  return found
end

--- Widens the columns that may be cut towards what they want, each by as much as the others.
---@param by_key table<string, termi.Column>
---@param names string[]
---@param widths table<string, integer> is changed
---@param wanted table<string, integer>
---@param width integer
local function share(by_key, names, widths, wanted, width)
  local spare = width - total(names, widths)
  while spare > 0 do
    local hungry = vim.tbl_filter(function(key)
      return by_key[key].min ~= nil and widths[key] < wanted[key]
    end, names)
    if #hungry == 0 then
      return
    end
    local each = math.max(1, math.floor(spare / #hungry))
    for _, key in ipairs(hungry) do
      local more = math.min(each, wanted[key] - widths[key], spare)
      widths[key], spare = widths[key] + more, spare - more
    end
  end
  -- Even what cannot be left out may be too wide for a very small window.
  for _, key in ipairs(names) do
    if spare < 0 and by_key[key].min then
      local less = math.min(-spare, widths[key] - 1)
      widths[key], spare = widths[key] - less, spare + less
    end
  end
end

--- Chooses columns and widths.
---@param columns termi.Column[]
---@param cells table<string, termi.Cell[]> by column
---@param width integer
---@param titles? table<string, string> instead of a column's own
---@return termi.TableLayout
function M.choose(columns, cells, width, titles)
  local names, by_key = {}, {} ---@type string[], table<string, termi.Column>
  local widest, natural, least = {}, {}, {} ---@type table<string, integer>, table<string, integer>, table<string, integer>
  for _, column in ipairs(columns) do
    local key = column.key
    names[#names + 1], by_key[key] = key, column
    local most = math.max(column.steady or 0, format.width(titles and titles[key] or column.title))
    for _, cell in ipairs(cells[key]) do
      local _, its = measured(cell)
      most = math.max(most, its)
    end
    widest[key] = most
    natural[key] = math.min(most, column.max)
    least[key] = column.min and math.min(natural[key], column.min) or natural[key]
  end
  for _, column in ipairs(droppable(columns)) do
    if total(names, least) <= width then
      break
    end
    names = vim.tbl_filter(function(key)
      return key ~= column.key
    end, names)
  end
  local widths = {} ---@type table<string, integer>
  for _, key in ipairs(names) do
    widths[key] = least[key]
  end
  -- What is left goes to what was cut, first up to its usual width, then to all of it.
  share(by_key, names, widths, natural, width)
  share(by_key, names, widths, widest, width)
  return { names = names, widths = widths, by_key = by_key }
end

--- One line. A cell for `span` covers all columns up to that one.
---@param layout termi.TableLayout
---@param cell_of fun(key: string): termi.Cell
---@param span? string key of a column
---@return string line
---@return termi.Highlight[]
function M.line(layout, cell_of, span)
  local parts, marks, length = {}, {}, 0 ---@type string[], termi.Highlight[], integer
  local covered = 0
  local spilled = 0 -- the last column that an earlier cell took
  for index, key in ipairs(layout.names) do
    local width = covered + layout.widths[key]
    if index <= spilled then
      goto continue
    elseif span and key ~= span then
      covered = width + #M.GAP
    else
      span, covered = nil, 0
      local cell = cell_of(key)
      local whole, has = measured(cell)
      local after = layout.names[index + 1]
      spilled = index
      while cell.spills and has > width and after and cell_of(after).text == '' do
        width, spilled = width + #M.GAP + layout.widths[after], spilled + 1
        after = layout.names[spilled + 1]
      end
      local text = format.fit(whole, width, layout.by_key[key].right, has)
      if #parts > 0 then
        parts[#parts + 1] = M.GAP
        length = length + #M.GAP
      end
      local stop = length + #text
      local at = math.min(length + #cell.text, stop)
      if cell.hl and #text > 0 then
        marks[#marks + 1] = { from = length, to = cell.tail and at or stop, group = cell.hl }
      end
      for _, part in ipairs(cell.tail or {}) do
        marks[#marks + 1] = { from = at, to = math.min(at + #part.text, stop), group = part.hl }
        at = math.min(at + #part.text, stop)
      end
      parts[#parts + 1] = text
      length = stop
    end
    ::continue::
  end
  local line = table.concat(parts)
  -- Not a pattern for the blanks at the end: it would try each run of blanks in the line.
  local stop = #line
  while line:byte(stop) == 32 do
    stop = stop - 1
  end
  for index = #marks, 1, -1 do
    marks[index].to = math.min(marks[index].to, stop)
    if marks[index].from >= marks[index].to then
      table.remove(marks, index)
    end
  end
  return line:sub(1, stop), marks
end

--- The titles above the columns.
---@param layout termi.TableLayout
---@param titles? table<string, string> instead of a column's own
---@return string
function M.head(layout, titles)
  return (M.line(layout, function(key)
    return { text = titles and titles[key] or layout.by_key[key].title }
  end))
end

--- The titles in exactly `width` columns: those that fit, none of them cut.
---@param head string as |M.head()| makes it
---@param width integer
---@return string
function M.cut_head(head, width)
  if format.width(head) <= width then
    return format.fit(head, width)
  end
  -- Between titles are at least two blanks, within one never.
  local kept, stop = '', head:find('%S%s%s') ---@type string, integer?
  while stop and format.width(head:sub(1, stop)) <= width do
    kept, stop = head:sub(1, stop), head:find('%S%s%s', stop + 1)
  end
  return format.fit(kept, width)
end

--- A whole table of items.
---@param columns termi.Column[]
---@param items any[]
---@param width integer
---@return string head
---@return string[] lines one an item
---@return termi.Highlight[][] marks of each line
function M.table(columns, items, width)
  local cells = {} ---@type table<string, termi.Cell[]>
  for _, column in ipairs(columns) do
    cells[column.key] = vim.tbl_map(column.cell, items)
  end
  local layout = M.choose(columns, cells, width)
  local lines, marks = {}, {} ---@type string[], termi.Highlight[][]
  for index in ipairs(items) do
    lines[index], marks[index] = M.line(layout, function(key)
      return cells[key][index]
    end)
  end
  return M.head(layout), lines, marks
end

return M
