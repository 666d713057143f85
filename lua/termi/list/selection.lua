--- Selection: which runs a key of the list is about: those selected, else those marked, else what is under the cursor.
local content = require('termi.list.content')
local message = require('termi.ui.message')

local api = vim.api
local M = {}

---@param nodes termi.ListNode[]
---@return termi.Row[] each run once
local function rows_of(nodes)
  local seen, rows = {}, {} ---@type table<string, true>, termi.Row[]
  for _, node in ipairs(nodes) do
    for _, row in ipairs(node.rows) do
      if not seen[row.process.run_id] then
        seen[row.process.run_id] = true
        rows[#rows + 1] = row
      end
    end
  end
  return rows
end

---@return boolean
local function is_visual()
  return vim.fn.mode():find('^[vV\22]') ~= nil
end

--- The lines of the selection, which ends thereby, or the one under the cursor.
---@return termi.ListNode[]
function M.nodes()
  local first, last = vim.fn.line('v'), vim.fn.line('.')
  if is_visual() then
    api.nvim_feedkeys(vim.keycode('<Esc>'), 'nx', false)
  else
    first = last
  end
  return content.nodes(math.min(first, last), math.max(first, last))
end

--- The line under the cursor. Raises where there is none.
---@return termi.ListNode
function M.node()
  return content.current() or message.fail('no run is on this line.')
end

---@class termi.Selection
---@field rows termi.Row[]
---@field several boolean a person is to be asked before something is ended

--- The runs that an action is about. Raises when there are none.
---@return termi.Selection
function M.take()
  local selected = is_visual()
  local marked = vim.tbl_filter(function(row)
    return content.view.marked[row.process.run_id] == true
  end, content.rows())
  if not selected and #marked > 0 then
    return { rows = marked, several = true }
  end
  local rows = rows_of(M.nodes())
  if #rows == 0 then
    message.fail('no run is on this line.')
  end
  return { rows = rows, several = #rows > 1 }
end

--- Marks the runs of the selection or of the line, or unmarks them when all are marked.
function M.toggle()
  local single = not is_visual()
  local rows = rows_of(M.nodes())
  local marked = content.view.marked
  local all = #rows > 0
  for _, row in ipairs(rows) do
    all = all and marked[row.process.run_id] == true
  end
  for _, row in ipairs(rows) do
    marked[row.process.run_id] = not all or nil
  end
  if single then
    local line = api.nvim_win_get_cursor(0)[1]
    if line < api.nvim_buf_line_count(0) then
      api.nvim_win_set_cursor(0, { line + 1, 0 })
    end
  end
  content.draw()
end

function M.clear()
  content.view.marked = {}
  content.draw()
end

return M
