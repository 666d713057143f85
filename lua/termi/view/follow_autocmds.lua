--- Autocommands of the follow state: what a person does in the windows of Termi buffers decides whether these follow
--- the output or are read in.
local autoscroll = require('termi.view.autoscroll')
local follow_state = require('termi.view.follow_state')
local resync = require('termi.view.resync')

local api = vim.api

--- The cursor was moved in the current window.
---@param win integer
---@param buf integer
local function cursor_moved(win, buf)
  local its = follow_state.of(win, buf)
  local lnum, top = follow_state.place_of(win)
  local was = its.lnum
  if lnum == was or follow_state.in_terminal_mode(win) then
    return
  end
  if its.reading and resync.of(buf) then
    return
  end
  its.lnum, its.top = lnum, top
  local count = api.nvim_buf_line_count(buf)
  if autoscroll.is_stale(buf) and not its.reading and lnum == count then
    -- Neovim's own following, or G.
    return
  end
  local last = follow_state.last_text(buf)
  local is_at_end = lnum >= last
  if lnum < was and not its.reading and last >= count - 1 then
    -- On a full screen the cursor follows in the last row, often an empty one: up from there is away.
    is_at_end = lnum > last
  end
  if is_at_end then
    follow_state.set(win, buf, false)
  elseif lnum < was then
    follow_state.set(win, buf, true)
  end
end

--- A window was scrolled, or has another size.
---@param win integer
---@param buf integer
---@param change { topline: integer, height: integer, width: integer }
local function scrolled(win, buf, change)
  local its = follow_state.of(win, buf)
  local lnum, top = follow_state.place_of(win)
  if follow_state.in_terminal_mode(win) then
    return
  elseif change.height ~= 0 or change.width ~= 0 then
    if its.reading then
      its.lnum, its.top = lnum, top
    else
      autoscroll.put_window_at_end(win, buf)
    end
  elseif top ~= its.top and not autoscroll.is_stale(buf) and not resync.of(buf) then
    local sees_end = vim.fn.line('w$', win) >= follow_state.last_text(buf)
    its.top = top
    local is_current = win == api.nvim_get_current_win()
    if not is_current then
      its.lnum = lnum
    end
    if not sees_end then
      follow_state.set(win, buf, true)
    elseif not is_current and change.topline > 0 then
      follow_state.set(win, buf, false)
    end
  end
end

--- A selection or a search has ended: where the cursor is now decides.
---@param win integer
local function judge(win)
  if not api.nvim_win_is_valid(win) then
    return
  end
  local buf = api.nvim_win_get_buf(win)
  if autoscroll.is_tracked(buf) then
    local its = follow_state.of(win, buf)
    follow_state.note(win, its)
    follow_state.set(win, buf, its.lnum < follow_state.last_text(buf))
  end
end

--- The current window and its buffer, if that is a Termi buffer.
---@return integer? win
---@return integer buf
local function current()
  local win = api.nvim_get_current_win()
  local buf = api.nvim_win_get_buf(win)
  return autoscroll.is_tracked(buf) and win or nil, buf
end

local group = api.nvim_create_augroup('termi.person', {})

---@param events vim.api.keyset.events|vim.api.keyset.events[]
---@param pattern string?
---@param callback fun()
local function on(events, pattern, callback)
  api.nvim_create_autocmd(events, {
    group = group,
    pattern = pattern,
    desc = 'Termi: who follows the output, and who reads',
    callback = function()
      callback()
    end,
  })
end

on('CursorMoved', nil, function()
  local win, buf = current()
  if win then
    cursor_moved(win, buf)
  end
end)

on('WinScrolled', nil, function()
  for id, change in
    pairs(vim.v.event --[[@as table<string, { topline: integer, height: integer, width: integer }>]])
  do
    local win = tonumber(id)
    if win and api.nvim_win_is_valid(win) and autoscroll.is_tracked(api.nvim_win_get_buf(win)) then
      scrolled(win, api.nvim_win_get_buf(win), change)
    end
  end
end)

on('TermEnter', nil, function()
  local win, buf = current()
  if win then
    follow_state.set(win, buf, false)
    autoscroll.place_cursor()
  end
end)

-- It goes on to follow, wherever the program's cursor is.
on('TermLeave', nil, function()
  local win, buf = current()
  if win then
    local its = follow_state.of(win, buf)
    follow_state.note(win, its)
    if autoscroll.has_tail(buf) then
      vim.schedule(function()
        if autoscroll.is_tracked(buf) then
          autoscroll.put_at_end(buf)
        end
      end)
    end
  end
end)

on({ 'BufWinEnter', 'WinNew' }, nil, function()
  local win, buf = current()
  if win and not follow_state.of(win, buf).reading then
    autoscroll.put_window_at_end(win, buf)
  end
end)

on('WinClosed', nil, function()
  follow_state.forget_closed()
end)

local function begin_reading()
  local win, buf = current()
  if win then
    follow_state.set(win, buf, true)
  end
end

-- Nothing is to move below a selection, or below a search while it is typed.
on('ModeChanged', '*:[vV\22]*', begin_reading)

on('ModeChanged', '[vV\22]*:n*', function()
  judge(api.nvim_get_current_win())
end)

on('CmdlineEnter', '[/\\?]', begin_reading)

on('CmdlineLeave', '[/\\?]', function()
  local win = current()
  if win then
    vim.schedule(function()
      judge(win)
    end)
  end
end)
