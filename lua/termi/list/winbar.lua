--- Winbar of the list: the titles of the columns, and on the right what is marked and filtered.
local columns = require('termi.ui.table')
local format = require('termi.core.format')
local lines_buffer = require('termi.ui.lines_buffer')
local model = require('termi.list.model')

local M = {}

--- Chunks for the right end, the longest form that fits.
---@param room integer
---@param view termi.ListView
---@param shown integer sessions
---@param all integer sessions
---@return [string, string][]
local function notes(room, view, shown, all)
  local marked = vim.tbl_count(view.marked)
  local chunks = {} ---@type [string, string][]
  if marked > 0 then
    chunks[#chunks + 1] = { ('%d marked'):format(marked), 'TermiMarked' }
  end
  if view.filter ~= '' then
    local counts = (' %d/%d'):format(shown, all)
    local text = 'filter: ' .. view.filter
    local used = #chunks > 0 and format.width(chunks[1][1]) + 2 or 0
    text = vim.trim(format.fit(text, math.max(4, math.min(format.width(text), room - used - #counts))))
    chunks[#chunks + 1] = { text .. counts, 'TermiAttention' }
  end
  if #chunks == 0 then
    chunks[1] = { '? help', 'TermiDim' }
  end
  return chunks
end

--- The text for 'winbar'.
---@param head string titles of the columns
---@param width integer
---@param view termi.ListView
---@param nodes termi.ListNode[]
---@param rows termi.Row[]
---@return string
function M.text(head, width, view, nodes, rows)
  if #rows == 0 then
    return ''
  end
  local shown = #nodes > 0 and model.matching(rows, view.filter) or {}
  local chunks = notes(width - 10, view, model.count_sessions(shown), model.count_sessions(rows))
  local right, length = '', 0
  for _, chunk in ipairs(chunks) do
    right = right .. '%#TermiHeader#  ' .. lines_buffer.bar_text(chunk[1], chunk[2])
    length = length + 2 + format.width(chunk[1])
  end
  -- A hint is not worth a title; what a person has set is.
  if view.filter == '' and next(view.marked) == nil and format.width(head) + length > width then
    right, length = '', 0
  end
  return lines_buffer.bar_text(columns.cut_head(head, math.max(0, width - length)), 'TermiHeader') .. right
end

return M
