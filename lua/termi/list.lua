--- |:TermiSessions|: the live list of sessions in a buffer.
local config = require('termi.config')
local events = require('termi.events')
local highlights = require('termi.highlights')
local layout = require('termi.layout')
local message = require('termi.message')
local sessions = require('termi.sessions')
local window = require('termi.window')

local api = vim.api
local M = {}

local NAME = 'termi-sessions://'
local namespace = api.nvim_create_namespace('termi.list')

local rows = {} ---@type termi.Row[] as shown: rows[n] is on line n + 1
local timer ---@type uv.uv_timer_t?
local asking = false

---@return integer? buf
local function existing()
  local buf = vim.fn.bufnr('^' .. NAME .. '$')
  return buf > 0 and api.nvim_buf_is_loaded(buf) and buf or nil
end

--- The windows of this tab page that show the list.
---@param buf integer
---@return integer[]
local function windows(buf)
  return vim.tbl_filter(function(win)
    return api.nvim_win_get_buf(win) == buf
  end, api.nvim_tabpage_list_wins(0))
end

--- The run under the cursor of the list's window.
---@return termi.Row?
function M.current()
  return rows[api.nvim_win_get_cursor(0)[1] - 1]
end

---@param buf integer
---@param lines string[]
local function set_lines(buf, lines)
  local old = api.nvim_buf_get_lines(buf, 0, -1, false)
  vim.bo[buf].modifiable = true
  -- Line by line: what is the same stays untouched.
  for index, line in ipairs(lines) do
    if old[index] ~= line then
      api.nvim_buf_set_lines(buf, index - 1, index <= #old and index or -1, false, { line })
    end
  end
  if #old > #lines then
    api.nvim_buf_set_lines(buf, #lines, -1, false, {})
  end
  vim.bo[buf].modifiable = false
end

--- The keys below the list, in as many lines as the width needs.
---@param width integer
---@return [string, string][][] lines of chunks
local function hints(width)
  local lines, used = { {}, {} }, 0 ---@type [string, string][][], integer
  for _, key in ipairs(require('termi.list_keys').keys) do
    if key.hint then
      local gap = used > 0 and '  ' or ''
      local length = #gap + #key.lhs + 1 + #key.hint
      if used > 0 and used + length > width then
        lines[#lines + 1] = {}
        gap, used, length = '', 0, length - #gap
      end
      used = used + length
      vim.list_extend(lines[#lines], { { gap .. key.lhs, 'TermiKey' }, { ' ' .. key.hint, 'TermiDim' } })
    end
  end
  return lines
end

---@return string[] lines
---@return termi.Highlight[]
local function empty()
  local line = ':TermiRun {command} starts one, :TermiRun alone a shell.'
  return { 'No sessions yet.', line }, {
    { line = 0, from = 0, to = 16, group = 'TermiHeader' },
    { line = 1, from = 0, to = #line, group = 'TermiDim' },
  }
end

---@param buf integer
---@param now termi.Row[]
local function draw(buf, now)
  local wins = windows(buf)
  if #wins == 0 then
    return
  end
  local info = vim.fn.getwininfo(wins[1])[1]
  local width = info.width - info.textoff
  -- Where each window's cursor is, as a run: lines may move under it.
  local under = {} ---@type table<integer, string>
  for _, win in ipairs(wins) do
    local row = rows[api.nvim_win_get_cursor(win)[1] - 1]
    under[win] = row and row.process.run_id
  end
  rows = now
  local lines, marks
  if #rows == 0 then
    lines, marks = empty()
  else
    lines, marks = layout.render(rows, width)
  end
  set_lines(buf, lines)
  api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
  for _, mark in ipairs(marks) do
    local opts = { end_col = math.min(mark.to, #lines[mark.line + 1]), hl_group = mark.group }
    if mark.from < opts.end_col then
      api.nvim_buf_set_extmark(buf, namespace, mark.line, mark.from, opts)
    end
  end
  api.nvim_buf_set_extmark(buf, namespace, #lines - 1, 0, { virt_lines = hints(width) })
  for _, win in ipairs(wins) do
    local column = api.nvim_win_get_cursor(win)[2]
    for index, row in ipairs(rows) do
      if row.process.run_id == under[win] or (index == 1 and not under[win]) then
        api.nvim_win_set_cursor(win, { index + 1, column })
      end
    end
  end
end

--- Asks the host and draws what it says, unless an answer is still awaited.
function M.refresh()
  local buf = existing()
  if not buf or asking or #windows(buf) == 0 then
    return
  end
  asking = true
  local ok, why = pcall(sessions.fetch_soon, function(found)
    asking = false
    if found then
      vim.schedule(function()
        if api.nvim_buf_is_valid(buf) then
          message.guard(draw, buf, sessions.rows(found))
        end
      end)
    end
  end)
  if not ok then
    asking = false
    message.error(tostring(why))
  end
end

--- The timer runs only while a person can see the list.
local function tick()
  local buf = existing()
  if buf and #windows(buf) > 0 then
    M.refresh()
  elseif timer then
    timer:stop()
    timer:close()
    timer = nil
  end
end

local function wake()
  if not timer then
    timer = assert(vim.uv.new_timer())
    local every = config.get().list.refresh_ms
    timer:start(every, every, vim.schedule_wrap(tick))
  end
  M.refresh()
end

---@return integer buf
local function make()
  local buf = api.nvim_create_buf(false, true)
  api.nvim_buf_set_name(buf, NAME)
  vim.bo[buf].bufhidden = 'hide'
  vim.bo[buf].undolevels = -1
  vim.bo[buf].modifiable = false
  vim.bo[buf].filetype = 'termi-sessions'
  highlights.define()
  require('termi.list_keys').map(buf)
  local group = api.nvim_create_augroup('termi.list', {})
  api.nvim_create_autocmd({ 'BufWinEnter', 'BufEnter' }, { group = group, buffer = buf, callback = wake })
  api.nvim_create_autocmd('TabEnter', { group = group, callback = wake })
  api.nvim_create_autocmd('WinResized', { group = group, callback = M.refresh })
  return buf
end

local OPTIONS = {
  number = false,
  relativenumber = false,
  signcolumn = 'no',
  foldcolumn = '0',
  statuscolumn = '',
  colorcolumn = '',
  list = false,
  spell = false,
  wrap = false,
  cursorline = true,
}

--- Opens the list, or goes to its window.
---@param how? termi.Open
function M.open(how)
  local buf = existing() or make()
  local shown = windows(buf)[1]
  if shown then
    api.nvim_set_current_win(shown)
  else
    window.place(buf, how or config.get().list.open, { explicit = true }, config.get().list.size)
  end
  for name, value in pairs(OPTIONS) do
    api.nvim_set_option_value(name, value, { scope = 'local', win = 0 })
  end
  window.set_title(buf, 'Termi sessions')
  wake()
end

events.on_any(function(event)
  if event.type ~= 'output' then
    M.refresh()
  end
end)

return M
