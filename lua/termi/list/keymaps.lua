--- Keymaps of the session list: one table maps them, hints at them and explains them.
local actions = require('termi.run.actions')
local attach = require('termi.view.attach')
local bulk = require('termi.run.bulk')
local content = require('termi.list.content')
local keymaps = require('termi.ui.keymaps')
local live_prompt = require('termi.ui.live_prompt')
local message = require('termi.ui.message')
local model = require('termi.list.model')
local preview = require('termi.list.preview')
local remote = require('termi.rpc.remote')
local render = require('termi.list.render')
local selection = require('termi.list.selection')
local sessions = require('termi.model.sessions')

local api = vim.api
local M = {}

--- Folds or unfolds, `nil` changes it.
---@param nodes termi.ListNode[]
---@param folded? boolean
local function fold(nodes, folded)
  for _, node in ipairs(nodes) do
    if node.folded ~= nil then
      local now = folded
      if now == nil then
        now = not node.folded
      end
      content.view.folded[node.id] = now or nil
    end
  end
  content.draw()
end

--- The line under the cursor, or for a run of a session the line of the session.
---@return termi.ListNode[]
local function foldable()
  local node = selection.node()
  local at = api.nvim_win_get_cursor(0)[1]
  while node.folded == nil and at > 1 do
    at = at - 1
    local above = content.nodes(at, at)[1]
    local row = node.rows[1]
    local holds = row and above.kind == 'session' and above.id == row.session_id
    holds = holds or (row and above.kind == 'group' and above.id == 'group:' .. (row.session.group or ''))
    if holds then
      api.nvim_win_set_cursor(0, { at, 0 })
      return { above }
    end
  end
  return { node }
end

---@param folded boolean
---@return fun()
local function fold_all(folded)
  return function()
    content.view.folded = {}
    for _, row in ipairs(folded and content.rows() or {}) do
      content.view.folded[row.session_id] = true
      content.view.folded['group:' .. (row.session.group or '')] = true
    end
    content.draw()
  end
end

---@param open? termi.Open
---@return fun()
local function show(open)
  return function()
    local node = selection.node()
    if node.kind == 'group' then
      return fold({ node })
    elseif node.kind == 'host' then
      return remote.connect_and_say(node.name)
    end
    local win = api.nvim_get_current_win()
    attach.attach(sessions.target(render.leading(node)), { open = open })
    -- A list in a float would stay in front of what it shows.
    if api.nvim_win_is_valid(win) and vim.w[win].termi_float and api.nvim_get_current_win() ~= win then
      api.nvim_win_close(win, true)
    end
  end
end

--- Does something to the selection, and asks before it is done to several.
---@param verb string
---@param act fun(rows: termi.Row[])
---@param fitting? fun(rows: termi.Row[]): termi.Row[] those that it can be done to
---@return fun()
local function to_selection(verb, act, fitting)
  return function()
    local selected = selection.take()
    local rows = fitting and fitting(selected.rows) or selected.rows
    if selected.several and not bulk.confirmed(verb, rows) then
      return
    end
    act(rows)
    content.view.marked = {}
    content.draw()
  end
end

local function rename()
  local row = selection.node().rows[1]
  if selection.node().kind == 'group' then
    message.fail('a group takes its name from its sessions; it cannot be renamed.')
  elseif not row then
    message.fail('a host has its name from the option `hosts`.')
  end
  vim.ui.input({ prompt = 'New name: ', default = row.session.name }, function(name)
    if name and name ~= '' and name ~= row.session.name then
      message.guard(actions.rename, row.session_id, name)
      content.refresh()
    end
  end)
end

local function filter()
  local before, node = content.view.filter, content.current()
  local function narrow(text)
    content.view.filter = vim.trim(text)
    content.draw()
  end
  local typed = live_prompt.ask('Filter: ', before, narrow)
  narrow(typed or before)
  if not typed then
    content.go_to(node)
  end
end

local function next_sort()
  local view = content.view
  for index, sort in ipairs(model.SORTS) do
    if sort == view.sort then
      view.sort, view.reverse = model.SORTS[index % #model.SORTS + 1], false
      break
    end
  end
  content.draw()
end

local help ---@type fun() defined below the table that it shows

---@type termi.Key[]
M.keys = {
  {
    lhs = '<CR>',
    hint = 'show',
    desc = 'show the run in the Termi window; fold a group; connect a host',
    run = show(),
  },
  { lhs = '<C-s>', desc = 'show it in a split', run = show('split') },
  { lhs = '<C-v>', desc = 'show it in a vertical split', run = show('vsplit') },
  { lhs = '<C-t>', desc = 'show it in a tab page', run = show('tab') },
  {
    lhs = 'p',
    hint = 'preview',
    desc = 'preview its screen, or stop that',
    run = function()
      preview.toggle(content.node_of)
    end,
  },
  {
    lhs = 'K',
    hint = 'kill',
    desc = 'kill the run and all its processes',
    visual = true,
    run = to_selection('Kill', bulk.kill, bulk.killable),
  },
  {
    lhs = 'R',
    hint = 'restart',
    desc = 'start the program again, in the same buffer',
    visual = true,
    run = to_selection('Restart', bulk.restart),
  },
  { lhs = 'r', hint = 'rename', desc = 'rename the session', run = rename },
  {
    lhs = 'x',
    hint = 'dismiss',
    desc = 'dismiss a run that has ended; asks first if any of its processes live on',
    visual = true,
    run = to_selection('Dismiss', bulk.dismiss, bulk.dismissable),
  },
  {
    lhs = 'X',
    desc = 'dismiss all that have ended; asks first if any of their processes live on',
    run = function()
      local ended = vim.tbl_filter(function(row)
        return row.process.status ~= 'active'
      end, content.rows())
      if #ended == 0 then
        message.fail('none has ended.')
      end
      bulk.dismiss(ended)
    end,
  },
  {
    lhs = 'm',
    also = { '<Tab>' },
    hint = 'mark',
    desc = 'mark for K, R and x, or unmark; a selection works too',
    visual = true,
    run = selection.toggle,
  },
  { lhs = 'U', desc = 'unmark all', run = selection.clear },
  { lhs = 'f', hint = 'filter', desc = 'filter by name, command, group, directory, status', run = filter },
  {
    lhs = 'F',
    desc = 'clear the filter',
    run = function()
      content.view.filter = ''
      content.draw()
    end,
  },
  {
    lhs = 's',
    hint = 'sort',
    desc = 'sort by age, name, status, CPU, memory, last activity, attention',
    run = next_sort,
  },
  {
    lhs = 'S',
    desc = 'sort the other way round',
    run = function()
      content.view.reverse = not content.view.reverse
      content.draw()
    end,
  },
  {
    lhs = 'za',
    desc = 'fold or unfold a session or group',
    run = function()
      fold(foldable())
    end,
  },
  {
    lhs = 'zc',
    desc = 'fold it',
    run = function()
      fold(foldable(), true)
    end,
  },
  {
    lhs = 'zo',
    desc = 'unfold it',
    run = function()
      fold({ selection.node() }, false)
    end,
  },
  { lhs = 'zM', desc = 'fold all', run = fold_all(true) },
  { lhs = 'zR', desc = 'unfold all', run = fold_all(false) },
  { lhs = 'q', hint = 'close', desc = 'close the list', run = keymaps.close },
  {
    lhs = '?',
    hint = 'help',
    desc = 'this help',
    run = function()
      help()
    end,
  },
}

help = function()
  keymaps.show('Termi sessions', M.keys)
end

--- Maps the keys in the list's buffer.
---@param buf integer
function M.map(buf)
  keymaps.map(buf, M.keys)
end

return M
