--- The keys of the session list: one table maps them, hints at them and explains them.
local actions = require('termi.actions')
local attach = require('termi.attach')
local message = require('termi.message')
local sessions = require('termi.sessions')

local api = vim.api
local M = {}

---@class termi.ListKey
---@field lhs string
---@field hint? string shown below the list
---@field desc string
---@field run fun(row: termi.Row)|fun() gets the run under the cursor
---@field anywhere? boolean needs no run under the cursor

---@param text string
---@param fn fun(row: termi.Row): any
---@return fun(row: termi.Row)
local function saying(text, fn)
  return function(row)
    fn(row)
    message.info(text:format(row.session.name))
  end
end

---@param open? termi.Open
---@return fun(row: termi.Row)
local function show(open)
  return function(row)
    local list = api.nvim_get_current_win()
    attach.attach(sessions.target(row), { open = open })
    -- A list in a float would stay in front of what it shows.
    if api.nvim_win_is_valid(list) and vim.w[list].termi_float and api.nvim_get_current_win() ~= list then
      api.nvim_win_close(list, true)
    end
  end
end

local help ---@type fun() defined below the table that it shows

---@type termi.ListKey[]
M.keys = {
  { lhs = '<CR>', hint = 'show', desc = 'show the run in the Termi window', run = show() },
  { lhs = '<C-s>', desc = 'show it in a split', run = show('split') },
  { lhs = '<C-v>', desc = 'show it in a vertical split', run = show('vsplit') },
  { lhs = '<C-t>', desc = 'show it in a tab page', run = show('tab') },
  {
    lhs = 'K',
    hint = 'kill',
    desc = 'kill the run and all its processes',
    run = function(row)
      actions.kill_soon(sessions.target(row))
    end,
  },
  {
    lhs = 'R',
    hint = 'restart',
    desc = 'start the program again, in the same buffer',
    run = saying('restarted %s', function(row)
      actions.restart(sessions.target(row))
    end),
  },
  {
    lhs = 'r',
    hint = 'rename',
    desc = 'rename the session',
    run = function(row)
      vim.ui.input({ prompt = 'New name: ', default = row.session.name }, function(name)
        if name and name ~= '' and name ~= row.session.name then
          message.guard(actions.rename, row.session_id, name)
          require('termi.list').refresh()
        end
      end)
    end,
  },
  {
    lhs = 'x',
    hint = 'dismiss',
    desc = 'dismiss a run that has ended from the list',
    run = function(row)
      if row.process.status == 'active' then
        message.fail('%s still runs. K kills it.', row.session.name)
      end
      actions.remove(sessions.target(row))
    end,
  },
  {
    lhs = 'X',
    desc = 'dismiss all that have ended',
    anywhere = true,
    run = function()
      for _, row in ipairs(sessions.rows(sessions.fetch())) do
        if row.process.status ~= 'active' then
          actions.remove(sessions.target(row))
        end
      end
    end,
  },
  {
    lhs = 'q',
    hint = 'close',
    desc = 'close the list',
    anywhere = true,
    run = function()
      local list = api.nvim_get_current_win()
      -- Back to where the list was opened from.
      vim.cmd('wincmd p')
      require('termi.window').close(list)
    end,
  },
  {
    lhs = '?',
    hint = 'help',
    desc = 'this help',
    anywhere = true,
    run = function()
      help()
    end,
  },
}

help = function()
  local lines = {} ---@type string[]
  for index, key in ipairs(M.keys) do
    lines[index] = (' %-6s %s '):format(key.lhs, key.desc)
  end
  local width = 0
  for _, line in ipairs(lines) do
    width = math.max(width, vim.fn.strdisplaywidth(line))
  end
  local buf = api.nvim_create_buf(false, true)
  api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  local namespace = api.nvim_create_namespace('termi.list')
  for index, key in ipairs(M.keys) do
    api.nvim_buf_set_extmark(buf, namespace, index - 1, 1, { end_col = 1 + #key.lhs, hl_group = 'TermiKey' })
  end
  vim.bo[buf].bufhidden = 'wipe'
  vim.bo[buf].modifiable = false
  local rows, columns = vim.o.lines - vim.o.cmdheight, vim.o.columns
  width = math.min(width, math.max(1, columns - 2))
  local height = math.min(#lines, math.max(1, rows - 2))
  api.nvim_open_win(buf, true, {
    relative = 'editor',
    width = width,
    height = height,
    row = math.max(0, math.floor((rows - height - 2) / 2)),
    col = math.max(0, math.floor((columns - width - 2) / 2)),
    style = 'minimal',
    border = 'rounded',
    title = ' Termi sessions ',
    title_pos = 'center',
  })
  for _, lhs in ipairs({ 'q', '?', '<Esc>', '<CR>' }) do
    vim.keymap.set('n', lhs, '<Cmd>close<CR>', { buffer = buf, nowait = true })
  end
  api.nvim_create_autocmd('WinLeave', { buffer = buf, once = true, command = 'silent! close' })
end

--- Maps the keys in the list's buffer.
---@param buf integer
function M.map(buf)
  for _, key in ipairs(M.keys) do
    vim.keymap.set('n', key.lhs, function()
      local row = require('termi.list').current()
      if row or key.anywhere then
        message.guard(key.run, row)
        require('termi.list').refresh()
      else
        message.info('there is no run on this line.')
      end
    end, { buffer = buf, nowait = true, silent = true, desc = 'Termi: ' .. key.desc })
  end
end

return M
