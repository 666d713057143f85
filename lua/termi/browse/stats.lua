--- |:Termi-stats|: what commands took and how often they failed, from the host's history.
local capabilities = require('termi.rpc.capabilities')
local client = require('termi.rpc.client')
local columns = require('termi.ui.table')
local errors = require('termi.core.errors')
local format = require('termi.core.format')
local keymaps = require('termi.ui.keymaps')
local lines_buffer = require('termi.ui.lines_buffer')
local message = require('termi.ui.message')

local api = vim.api
local M = {}

local NAME = 'termi-stats://'

local rows = {} ---@type termi.proto.StatsRow[]

---@param title string
---@param key string
---@param drop? integer
---@param text fun(row: termi.proto.StatsRow): string
---@param hl? fun(row: termi.proto.StatsRow): string?
---@return termi.Column
local function number(title, key, drop, text, hl)
  return {
    key = key,
    title = title,
    max = 12,
    right = true,
    drop = drop,
    cell = function(row)
      return { text = text(row), hl = hl and hl(row) or nil }
    end,
  }
end

---@type termi.Column[]
local COLUMNS = {
  {
    key = 'command',
    title = 'Command',
    min = 12,
    max = 80,
    cell = function(row)
      return { text = format.one_line(row.key) }
    end,
  },
  number('Runs', 'count', nil, function(row)
    return tostring(row.count)
  end),
  number('Failed', 'failures', 4, function(row)
    return row.failures > 0 and tostring(row.failures) or ''
  end, function()
    return 'TermiFailure'
  end),
  number('Median', 'median', 3, function(row)
    return format.duration(row.median_ms)
  end),
  number('95%', 'p95', 2, function(row)
    return format.duration(row.p95_ms)
  end),
  number('Last', 'last', 1, function(row)
    local ago = os.time() * 1000 - row.last_ended_at
    return format.duration(math.max(0, math.floor(ago / 1000) * 1000)) .. ' ago'
  end, function()
    return 'TermiDim'
  end),
}

local function draw()
  local buf = lines_buffer.find(NAME)
  local wins = buf and lines_buffer.windows(buf) or {}
  if not buf or #wins == 0 then
    return
  end
  local width = lines_buffer.width(wins)
  local head, lines, marks = columns.table(COLUMNS, rows, width)
  if #rows == 0 then
    head, lines, marks = '', { 'Nothing has ended yet.' }, { {} }
  end
  lines_buffer.draw(buf, lines, marks)
  lines_buffer.set_hints(buf, M.keys, width)
  for _, win in ipairs(wins) do
    lines_buffer.set_bar(win, head ~= '' and lines_buffer.bar_text(head, 'TermiHeader') or '')
  end
end

local function refresh()
  client.request('stats', {}, function(err, result)
    vim.schedule(function()
      if err then
        return message.error(errors.of(err))
      end
      rows = result.rows
      message.guard(draw)
    end)
  end)
end

---@type termi.Key[]
M.keys = {
  {
    lhs = '<CR>',
    hint = 'history',
    desc = 'the runs of this command',
    run = function()
      local row = rows[api.nvim_win_get_cursor(0)[1]]
      if row then
        require('termi.browse.history').open(row.key)
      end
    end,
  },
  { lhs = '<C-l>', hint = 'refresh', desc = 'ask the host again', run = refresh },
  { lhs = 'q', hint = 'close', desc = 'close it', run = keymaps.close },
  {
    lhs = '?',
    hint = 'help',
    desc = 'this help',
    run = function()
      keymaps.show('Termi statistics', M.keys)
    end,
  },
}

--- Opens the table.
function M.open()
  capabilities.need('stats', ':Termi stats')
  local buf = lines_buffer.find(NAME)
  if not buf then
    buf = lines_buffer.make(NAME, 'termi-stats')
    keymaps.map(buf, M.keys)
    local group = api.nvim_create_augroup('termi.stats', {})
    api.nvim_create_autocmd('WinResized', { group = group, callback = draw })
  end
  lines_buffer.open(buf, 'Termi statistics')
  refresh()
end

return M
