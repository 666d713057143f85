--- |:Termi-history|: the runs that have ended, from the host's memory on disk, to search and to run again.
local capabilities = require('termi.rpc.capabilities')
local client = require('termi.rpc.client')
local columns = require('termi.ui.table')
local errors = require('termi.core.errors')
local format = require('termi.core.format')
local keymaps = require('termi.ui.keymaps')
local lines_buffer = require('termi.ui.lines_buffer')
local live_prompt = require('termi.ui.live_prompt')
local message = require('termi.ui.message')
local outcome = require('termi.core.outcome')
local popup = require('termi.ui.popup')
local status = require('termi.model.status')

local api = vim.api
local M = {}

local NAME = 'termi-history://'

--- As many as a person looks through; a search finds what is older.
local LIMIT = 500

local records = {} ---@type termi.proto.HistoryRecord[] one a line
local query = ''
local total = 0

---@param ms integer unix time
---@return string
local function when(ms)
  local seconds = math.floor(ms / 1000)
  local today = os.date('%Y-%m-%d') == os.date('%Y-%m-%d', seconds)
  return os.date(today and '%H:%M' or '%Y-%m-%d %H:%M', seconds) --[[@as string]]
end

---@param ms integer unix time
---@return string
local function moment(ms)
  return os.date('%Y-%m-%d %H:%M:%S', math.floor(ms / 1000)) --[[@as string]]
end

---@type termi.Column[]
local COLUMNS = {
  {
    key = 'status',
    title = 'Ended',
    max = 14,
    steady = 8,
    cell = function(record)
      local its = status.of_ended(record)
      return { text = its.icon .. ' ' .. its.word, hl = its.hl }
    end,
  },
  {
    key = 'command',
    title = 'Command',
    min = 12,
    max = 60,
    cell = function(record)
      return { text = format.one_line(record.command) }
    end,
  },
  {
    key = 'name',
    title = 'Session',
    min = 8,
    max = 24,
    drop = 3,
    cell = function(record)
      local group = record.group and record.group ~= '' and { { text = ' @' .. record.group, hl = 'TermiGroup' } }
      return { text = record.session_name, hl = 'TermiName', tail = group or nil }
    end,
  },
  {
    key = 'took',
    title = 'Took',
    max = 7,
    right = true,
    drop = 4,
    cell = function(record)
      return { text = format.duration(record.duration_ms) }
    end,
  },
  {
    key = 'when',
    title = 'When',
    max = 16,
    drop = 2,
    cell = function(record)
      return { text = when(record.ended_at), hl = 'TermiDim' }
    end,
  },
  {
    key = 'cwd',
    title = 'Directory',
    min = 9,
    max = 60,
    drop = 1,
    cell = function(record)
      return { text = format.one_line(vim.fn.fnamemodify(record.cwd, ':~')), hl = 'TermiDim' }
    end,
  },
}

local function draw()
  local buf = lines_buffer.find(NAME)
  local wins = buf and lines_buffer.windows(buf) or {}
  if not buf or #wins == 0 then
    return
  end
  local width = lines_buffer.width(wins)
  local head, lines, marks = columns.table(COLUMNS, records, width)
  if #records == 0 then
    local line = query == '' and 'Nothing has ended yet.' or ('Nothing matches `%s`.'):format(query)
    head, lines, marks = '', { line }, { { { from = 0, to = #line, group = 'TermiHeader' } } }
  end
  lines_buffer.draw(buf, lines, marks)
  lines_buffer.set_hints(buf, M.keys, width)
  local note = ('%d of %d'):format(#records, total) .. (query ~= '' and ', search: ' .. query or '')
  note = vim.trim(format.fit(note, math.min(#note, math.max(8, width - 12))))
  local room = math.max(0, width - format.width(note) - 2)
  local right = '  ' .. lines_buffer.bar_text(note, query ~= '' and 'TermiAttention' or 'TermiDim')
  -- How many there are is not worth a title; what is searched is.
  if query == '' and format.width(head) > room then
    right, room = '', width
  end
  for _, win in ipairs(wins) do
    lines_buffer.set_bar(win, lines_buffer.bar_text(columns.cut_head(head, room), 'TermiHeader') .. right)
  end
end

--- Asks the host and draws what it says, unless a later question was asked meanwhile.
local asked = 0
local function refresh()
  asked = asked + 1
  local mine = asked
  client.request('history', { query = query ~= '' and query or nil, limit = LIMIT }, function(err, result)
    vim.schedule(function()
      if err then
        message.error(errors.of(err))
      elseif mine == asked then
        records, total = result.records, result.total or #result.records
        message.guard(draw)
        -- While a search is typed nothing else draws the screen.
        if api.nvim_get_mode().mode == 'c' then
          vim.cmd.redraw()
        end
      end
    end)
  end)
end

---@return termi.proto.HistoryRecord
local function current()
  local record = records[api.nvim_win_get_cursor(0)[1]]
  return record or message.fail('no run is on this line.')
end

--- All that is known of a run.
---@param record termi.proto.HistoryRecord
---@return termi.PopupRow[]
local function told(record)
  local its = status.of_ended(record)
  local ended = outcome.text(record)
  local how = its.icon .. ' ' .. its.word .. (ended ~= its.word and (' (%s)'):format(ended) or '')
  local rows = {} ---@type termi.PopupRow[]
  local function add(name, text, hl)
    if text and text ~= '' then
      rows[#rows + 1] = { name = name, text = tostring(text), hl = hl }
    end
  end
  add('status', how, its.hl)
  add('reason', record.reason)
  add('command', record.command)
  add('program', record.program)
  add('directory', record.cwd)
  add('session', record.session_name, 'TermiName')
  add('group', record.group, 'TermiGroup')
  add('label', record.label)
  add('template', record.template)
  add('started', moment(record.started_at))
  add('ended', moment(record.ended_at))
  add('took', format.duration(record.duration_ms))
  add(
    'printed',
    record.bytes < 1000 and record.bytes .. ' bytes'
      or ('%s (%d bytes)'):format(format.bytes(record.bytes), record.bytes)
  )
  add('output in', record.output_path)
  add('session id', record.session_id)
  add('run id', record.run_id)
  add("host's pid", record.host_pid)
  return rows
end

---@param open? termi.Open
---@return fun()
local function again(open)
  return function()
    local record = current()
    -- The command is as people write it, so it is given to the shell. The name is free unless it is in use again.
    local taken = false
    for _, session in pairs(require('termi.model.sessions').fetch()) do
      taken = taken or session.name == record.session_name
    end
    require('termi.run').run({
      cmd = record.command,
      cwd = record.cwd,
      name = not taken and record.session_name or nil,
      group = record.group,
      label = record.label,
      open = open,
    })
  end
end

local function search()
  local before = query
  local function narrow(text)
    query = vim.trim(text)
    refresh()
  end
  narrow(live_prompt.ask('Search: ', before, narrow) or before)
end

---@type termi.Key[]
M.keys = {
  { lhs = '<CR>', hint = 'run again', desc = 'run the command again, in its directory', run = again() },
  { lhs = '<C-s>', desc = 'run it again in a split', run = again('split') },
  { lhs = '<C-v>', desc = 'run it again in a vertical split', run = again('vsplit') },
  { lhs = '<C-t>', desc = 'run it again in a tab page', run = again('tab') },
  {
    lhs = 'y',
    hint = 'yank',
    desc = 'yank the command',
    run = function()
      local register = vim.v.register
      vim.fn.setreg(register, current().command)
      message.info(('yanked `%s`'):format(format.fit(current().command, 40):gsub(' +$', '')))
    end,
  },
  {
    lhs = 'i',
    hint = 'info',
    desc = 'all that is known of it',
    run = function()
      popup.open('Termi run', told(current()))
    end,
  },
  { lhs = 'f', also = { '/' }, hint = 'search', desc = 'search by command, name, label, group', run = search },
  {
    lhs = 'F',
    desc = 'clear the search',
    run = function()
      query = ''
      refresh()
    end,
  },
  { lhs = '<C-l>', desc = 'ask the host again', run = refresh },
  { lhs = 'q', hint = 'close', desc = 'close it', run = keymaps.close },
  {
    lhs = '?',
    hint = 'help',
    desc = 'this help',
    run = function()
      keymaps.show('Termi history', M.keys)
    end,
  },
}

---@return integer buf
local function make()
  local buf = lines_buffer.make(NAME, 'termi-history')
  keymaps.map(buf, M.keys)
  local group = api.nvim_create_augroup('termi.history', {})
  api.nvim_create_autocmd('WinResized', { group = group, callback = draw })
  return buf
end

--- Opens the history, of what holds a text.
---@param text? string
function M.open(text)
  capabilities.need('history', ':Termi history')
  query = vim.trim(text or '')
  local buf = lines_buffer.find(NAME) or make()
  lines_buffer.open(buf, 'Termi history')
  refresh()
end

return M
