--- |:TermiSessions|: the live list of sessions in a buffer. While a person can see it, a timer refreshes it.
local bus = require('termi.rpc.bus')
local config = require('termi.config')
local content = require('termi.list.content')
local keymaps = require('termi.list.keymaps')
local lines_buffer = require('termi.ui.lines_buffer')
local preview = require('termi.list.preview')
local window = require('termi.ui.window')

local api = vim.api
local M = {}

local timer ---@type uv.uv_timer_t?

content.keys = keymaps.keys

--- The timer runs only while a person can see the list.
local function tick()
  local buf = content.buffer()
  if buf and #lines_buffer.windows(buf) > 0 then
    content.refresh_rested()
  elseif timer then
    timer:stop()
    timer:close()
    timer = nil
    preview.close()
  end
end

local function wake()
  if not timer then
    timer = assert(vim.uv.new_timer())
    local every = config.get().list.refresh_ms
    timer:start(every, every, vim.schedule_wrap(tick))
  end
  content.refresh()
end

--- Whether something ticks, for the tests: nothing may while nobody looks.
---@return boolean
function M.ticks()
  return timer ~= nil
end

---@return integer buf
local function make()
  local buf = content.make()
  content.view.sort = config.get().list.sort
  keymaps.map(buf)
  local group = api.nvim_create_augroup('termi.list', {})
  local function on(names, callback, pattern)
    api.nvim_create_autocmd(names, { group = group, buffer = pattern and nil or buf, callback = callback })
  end
  on({ 'BufWinEnter', 'BufEnter' }, wake)
  on('CursorMoved', function()
    preview.update()
  end)
  on({ 'BufWinLeave', 'BufLeave' }, function()
    vim.schedule(tick)
  end)
  on('TabEnter', wake, '*')
  on('TabLeave', function()
    preview.close()
    vim.schedule(tick)
  end, '*')
  on('WinResized', content.draw, '*')
  return buf
end

--- Opens the list, or goes to its window.
---@param how? termi.Open
function M.open(how)
  local buf = content.buffer() or make()
  local shown = lines_buffer.windows(buf)[1]
  if shown then
    api.nvim_set_current_win(shown)
  else
    window.place(buf, how or config.get().list.open, { explicit = true }, config.get().list.size)
  end
  lines_buffer.set_options()
  window.set_title(buf, 'Termi sessions')
  content.draw()
  wake()
end

bus.on_any(function(event)
  if event.type ~= 'output' then
    content.refresh_soon()
  end
end)

return M
