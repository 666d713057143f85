--- Whether a window of a Termi buffer *follows* the output, or a person *reads* there.
---
--- It is a flag of the window that only the person changes: terminal mode, or the cursor on or below the last line
--- with text, and it follows; the cursor moved up from there, a scroll away, a selection or a search, and it is
--- reading. What Neovim does to windows when it brings a terminal's buffer up to date never counts. After each such
--- update, which |api-buffer-updates| tells of, windows that follow are put at the end and the others where they
--- stood.
local size = require('termi.size')

local api = vim.api
local M = {}

--- Neovim's terminal drops its scrollback at CSI 3 J from 0.11 on; before, a short 'scrollback' does it.
local CLEARS_SCROLLBACK = vim.fn.has('nvim-0.11') == 1

--- The highest that 'scrollback' can be in Neovim 0.10.
local MOST_SCROLLBACK = 100000

--- Before 0.12, Neovim shows a terminal's cursor at the end of its line's text after it has gone to another line, until
--- the editor has gone round its loop with nothing to redraw: not in the first round, and perhaps not in the next two.
local ROUNDS_TO_PLACE_CURSOR = vim.fn.has('nvim-0.12') == 1 and 0 or 4

--- Lines around the cursor by which a place in the text is found again when the text was written anew.
local CONTEXT = 2

---@class termi.Standing where a window stands, as far as the person or this module has put it there
---@field buf integer
---@field reading boolean
---@field lnum integer
---@field top integer

---@class termi.Anchor
---@field view vim.fn.winsaveview.ret
---@field lines string[] around the cursor's
---@field offset integer of the cursor's line in them

---@class termi.Filling
---@field anchors table<integer, termi.Anchor> by window
---@field data string[] frames that wait for the last one
---@field written boolean all of it has been written to the terminal

local standings = {} ---@type table<integer, termi.Standing> by window
local tracked = {} ---@type table<integer, boolean> by buffer
local stale = {} ---@type table<integer, integer> by buffer: updated since; how many lines went at the top
local fillings = {} ---@type table<integer, termi.Filling> by buffer
local clearing = false
local tails = {} ---@type table<integer, { line: integer?, below: integer }> by buffer
local on_update = {} ---@type fun(buf: integer)[]
local on_change = {} ---@type fun(buf: integer)[]

--- Calls `fn` after a terminal's buffer was brought up to date and its windows were put where they belong.
---@param fn fun(buf: integer)
function M.on_update(fn)
  on_update[#on_update + 1] = fn
end

--- Calls `fn` when a window has begun or ceased to follow.
---@param fn fun(buf: integer)
function M.on_change(fn)
  on_change[#on_change + 1] = fn
end

---@param fns fun(buf: integer)[]
---@param buf integer
local function call_all(fns, buf)
  for _, fn in ipairs(fns) do
    fn(buf)
  end
end

--- This load of the module is the one in use: what an earlier load left behind does nothing any more.
---@return boolean
local function is_in_use()
  return package.loaded['termi.follow'] == M
end

---@param win integer
---@return integer lnum
---@return integer top
local function place_of(win)
  return api.nvim_win_get_cursor(win)[1], vim.fn.getwininfo(win)[1].topline
end

--- The last line with text on it; 0: there is none.
---@param buf integer
---@return integer lnum
function M.last_text(buf)
  local count = api.nvim_buf_line_count(buf)
  local step = 64
  for from = math.max(0, count - step), -step + 1, -step do
    local lines = api.nvim_buf_get_lines(buf, math.max(0, from), from + step, false)
    for number = #lines, 1, -1 do
      if lines[number]:find('%S') then
        return math.max(0, from) + number
      end
    end
  end
  return 0
end

---@param win integer
---@return boolean
local function in_terminal_mode(win)
  return api.nvim_get_current_win() == win and api.nvim_get_mode().mode == 't'
end

---@param win integer
---@param buf integer
---@return termi.Standing
local function standing(win, buf)
  local known = standings[win]
  if known and known.buf == buf then
    return known
  end
  local lnum, top = place_of(win)
  local new = { buf = buf, lnum = lnum, top = top, reading = vim.w[win].termi_reading == buf }
  -- A split of a window in which a person reads is one, too.
  for other, its in pairs(standings) do
    if its.buf == buf and its.reading and its.lnum == lnum and api.nvim_win_is_valid(other) then
      new.reading = true
    end
  end
  standings[win] = new
  return new
end

---@param win integer
---@param buf integer
---@param reading boolean
local function set(win, buf, reading)
  local its = standing(win, buf)
  if its.reading == reading then
    return
  end
  its.reading = reading
  -- Kept with the window, for the next load of the plugin.
  vim.w[win].termi_reading = reading and buf or nil
  local filling = fillings[buf]
  if filling then
    filling.anchors[win] = nil
  end
  call_all(on_change, buf)
end

--- Puts a window at the end: the terminal's last row at its bottom, and the cursor on the last row, from where Neovim
--- itself follows too, or on the last line with text where much of the screen is empty.
---@param win integer
---@param buf integer
local function put_at_end(win, buf)
  local its = standing(win, buf)
  local count = api.nvim_buf_line_count(buf)
  local tail = tails[buf]
  local last = M.last_text(buf)
  local lnum = tail and tail.line or last
  if lnum >= count - 1 or lnum == 0 then
    lnum = count
  end
  local info = vim.fn.getwininfo(win)[1]
  local top = math.max(1, count - info.height + 1 + (tail and tail.below or 0))
  if top ~= info.topline or lnum ~= api.nvim_win_get_cursor(win)[1] then
    api.nvim_win_call(win, function()
      vim.fn.winrestview({ lnum = lnum, topline = math.min(top, count) })
    end)
  end
  its.lnum, its.top = place_of(win)
end

--- Where a place in the text is after the text was written anew: the same lines, the nearest if there are several.
---@param buf integer
---@param anchor termi.Anchor
---@return integer? lnum
local function find(buf, anchor)
  local lines = api.nvim_buf_get_lines(buf, 0, -1, false)
  local function fits(first, last, at)
    for number = first, last do
      if lines[at + number - anchor.offset] ~= anchor.lines[number] then
        return false
      end
    end
    return true
  end
  for _, range in ipairs({ { 1, #anchor.lines }, { anchor.offset, anchor.offset } }) do
    for distance = 0, #lines do
      for _, at in ipairs({ anchor.view.lnum - distance, anchor.view.lnum + distance }) do
        if lines[at] and fits(range[1], range[2], at) then
          return at
        end
      end
    end
  end
end

---@param win integer
---@param buf integer
---@param anchor termi.Anchor
local function put_at_anchor(win, buf, anchor)
  local view = anchor.view
  local lnum = find(buf, anchor) or math.min(view.lnum, api.nvim_buf_line_count(buf))
  view.topline = math.max(1, view.topline + lnum - view.lnum)
  view.lnum = lnum
  api.nvim_win_call(win, function()
    vim.fn.winrestview(view)
  end)
end

local rounds = 0

local function go_round()
  if rounds > 0 then
    rounds = rounds - 1
    vim.defer_fn(go_round, 0)
  end
end

--- Has the program's cursor shown in its place, in terminal mode.
local function place_cursor()
  local is_under_way = rounds > 0
  rounds = ROUNDS_TO_PLACE_CURSOR
  if not is_under_way then
    go_round()
  end
end

--- Puts the windows of a buffer where they belong, after it was brought up to date.
---@param buf integer
local function settle(buf)
  local gone = stale[buf] or 0
  stale[buf] = nil
  local filling = fillings[buf]
  local is_filled = filling ~= nil and filling.written
  if is_filled then
    fillings[buf] = nil
  end
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    local its = standing(win, buf)
    if in_terminal_mode(win) then
      -- Neovim does it itself.
      local was = its.lnum
      its.lnum, its.top = place_of(win)
      if its.lnum ~= was then
        place_cursor()
      end
    elseif not its.reading then
      put_at_end(win, buf)
    elseif is_filled and filling and filling.anchors[win] then
      put_at_anchor(win, buf, filling.anchors[win])
      its.lnum, its.top = place_of(win)
    elseif not filling then
      if gone > 0 then
        -- The text has moved up below a window that stays where it is.
        local lnum, top = math.max(1, its.lnum - gone), math.max(1, its.top - gone)
        api.nvim_win_call(win, function()
          vim.fn.winrestview({ lnum = lnum, topline = top })
        end)
      end
      its.lnum, its.top = place_of(win)
    end
  end
  call_all(on_update, buf)
end

--- Has Neovim bring a terminal's buffer up to date at once, which it does 10 ms after bytes were written to it, or
--- when its 'scrollback' changes.
---@param buf integer
local function bring_up_to_date(buf)
  local lines = vim.bo[buf].scrollback
  vim.bo[buf].scrollback = lines < MOST_SCROLLBACK and lines + 1 or lines - 1
  vim.bo[buf].scrollback = lines
end

--- Brings a buffer and its windows up to date with what was written to its terminal.
---@param buf integer
function M.refresh(buf)
  bring_up_to_date(buf)
  if stale[buf] then
    settle(buf)
  end
end

---@param buf integer
---@return boolean
local function is_tracked(buf)
  return tracked[buf] ~= nil and api.nvim_buf_is_loaded(buf)
end

--- Looks after a buffer's windows from now on.
---@param buf integer
function M.track(buf)
  if tracked[buf] then
    return
  end
  tracked[buf] = true
  api.nvim_buf_attach(buf, false, {
    on_lines = function(_, _, _, first, last, now_last)
      if not is_in_use() then
        return true
      end
      if clearing then
        return
      end
      local due = stale[buf] == nil
      local gone = first == 0 and not fillings[buf] and math.max(0, last - now_last) or 0
      stale[buf] = (stale[buf] or 0) + gone
      -- Once Neovim is done with the whole update.
      if due then
        vim.schedule(function()
          if stale[buf] and is_in_use() and is_tracked(buf) then
            settle(buf)
          end
        end)
      end
    end,
    on_detach = function()
      tracked[buf], stale[buf], fillings[buf], tails[buf] = nil, nil, nil, nil
    end,
  })
end

--- All windows of a buffer follow its output, from now on.
---@param buf integer
function M.follow(buf)
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    set(win, buf, false)
    if not in_terminal_mode(win) then
      put_at_end(win, buf)
    end
  end
end

---@param win integer
---@return boolean
function M.is_reading(win)
  local buf = api.nvim_win_get_buf(win)
  return is_tracked(buf) and standing(win, buf).reading
end

--- The windows of the current tab page in which a person reads a buffer; none when another there follows it.
---@param buf integer
---@return integer[]
function M.readers(buf)
  local wins = {} ---@type integer[]
  for _, win in ipairs(api.nvim_tabpage_list_wins(0)) do
    if api.nvim_win_get_buf(win) == buf then
      if not standing(win, buf).reading then
        return {}
      end
      wins[#wins + 1] = win
    end
  end
  return wins
end

--- What stands below the text of an ended run: the line it is written over, or how many rows below the last line.
---@param buf integer
---@param tail? { line: integer?, below: integer }
function M.set_tail(buf, tail)
  tails[buf] = tail
end

--- Puts the windows that follow a buffer at its end.
---@param buf integer
function M.put_at_end(buf)
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    if not standing(win, buf).reading and not in_terminal_mode(win) then
      put_at_end(win, buf)
    end
  end
end

--- Does what moves windows without anyone wanting that, and puts them back.
---@param buf integer
---@param fn fun()
function M.undisturbed(buf, fn)
  local saved = {} ---@type table<integer, vim.fn.winsaveview.ret>
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    if standing(win, buf).reading then
      saved[win] = api.nvim_win_call(win, vim.fn.winsaveview)
    end
  end
  fn()
  for win, view in pairs(saved) do
    if api.nvim_win_is_valid(win) then
      api.nvim_win_call(win, function()
        vim.fn.winrestview(view)
      end)
      local its = standing(win, buf)
      its.lnum, its.top = place_of(win)
    end
  end
  M.put_at_end(buf)
end

-- Filling a view anew

--- Makes a terminal of Neovim before 0.11 forget what has left its screen; later ones do so for the frame's CSI 3 J.
---@param buf integer
---@param chan integer
local function clear(buf, chan)
  if CLEARS_SCROLLBACK then
    return
  end
  clearing = true
  -- A short 'scrollback' has to leave one line. With an empty screen, a change of the height takes it back onto the
  -- screen, which the frame then clears. A terminal takes a value only when the next one is set, and brings its buffer
  -- up to date each time.
  pcall(api.nvim_chan_send, chan, '\27[?1049l\27[m\27[r\27[H\27[2J')
  local lines = vim.bo[buf].scrollback
  vim.bo[buf].scrollback = 1
  vim.bo[buf].scrollback = lines
  size.recompute(buf)
  bring_up_to_date(buf)
  clearing = false
end

--- Remembers what is read in windows that do not follow.
---@param buf integer
---@return table<integer, termi.Anchor>
local function anchors_of(buf)
  local anchors = {} ---@type table<integer, termi.Anchor>
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    if standing(win, buf).reading then
      local view = api.nvim_win_call(win, vim.fn.winsaveview)
      local lnum = view.lnum --[[@as integer]]
      local first = math.max(1, lnum - CONTEXT)
      local lines = api.nvim_buf_get_lines(buf, first - 1, lnum + CONTEXT, false)
      anchors[win] = { view = view, lines = lines, offset = lnum - first + 1 }
    end
  end
  return anchors
end

--- Writes a frame to a buffer's terminal. The frames of a filling are collected, written at once and brought into the
--- buffer at once, so that nothing half filled is seen. Synchronized output (CSI ? 2026 h), which Neovim 0.12 honours
--- over several writes, is not enough: in terminal mode Neovim puts the cursor where the terminal has it by now, in a
--- buffer that is not that far, and the window jumps after it. Near the top, when the terminal was just cleared.
---@param buf integer
---@param chan integer
---@param frame termi.proto.Frame
---@param is_first boolean there is nothing yet to be dropped
---@return boolean written
function M.write(buf, chan, frame, is_first)
  local filling = fillings[buf]
  if frame.reset then
    filling = { anchors = filling and filling.anchors or anchors_of(buf), data = {}, written = false }
    fillings[buf] = filling
  end
  if not filling or filling.written then
    local sent = pcall(api.nvim_chan_send, chan, frame.data)
    if frame.data:find('\27[3J', 1, true) then
      M.refresh(buf)
    end
    return sent
  end
  filling.data[#filling.data + 1] = frame.data
  if frame.current == false then
    return true
  end
  if not is_first then
    clear(buf, chan)
  end
  filling.written = true
  local sent = pcall(api.nvim_chan_send, chan, table.concat(filling.data))
  M.refresh(buf)
  return sent
end

-- What the person does

--- The cursor was moved in the current window.
---@param win integer
---@param buf integer
local function cursor_moved(win, buf)
  local its = standing(win, buf)
  local lnum, top = place_of(win)
  local was = its.lnum
  if lnum == was or in_terminal_mode(win) then
    return
  end
  if its.reading and fillings[buf] then
    return
  end
  its.lnum, its.top = lnum, top
  local count = api.nvim_buf_line_count(buf)
  if stale[buf] and not its.reading and lnum == count then
    -- Neovim's own following, or G.
    return
  end
  local last = M.last_text(buf)
  local is_at_end = lnum >= last
  if lnum < was and not its.reading and last >= count - 1 then
    -- On a full screen the cursor follows in the last row, often an empty one: up from there is away.
    is_at_end = lnum > last
  end
  if is_at_end then
    set(win, buf, false)
  elseif lnum < was then
    set(win, buf, true)
  end
end

--- A window was scrolled, or has another size.
---@param win integer
---@param buf integer
---@param change { topline: integer, height: integer, width: integer }
local function scrolled(win, buf, change)
  local its = standing(win, buf)
  local lnum, top = place_of(win)
  if in_terminal_mode(win) then
    return
  elseif change.height ~= 0 or change.width ~= 0 then
    if its.reading then
      its.lnum, its.top = lnum, top
    else
      put_at_end(win, buf)
    end
  elseif top ~= its.top and not stale[buf] and not fillings[buf] then
    local sees_end = vim.fn.line('w$', win) >= M.last_text(buf)
    its.top = top
    local is_current = win == api.nvim_get_current_win()
    if not is_current then
      its.lnum = lnum
    end
    if not sees_end then
      set(win, buf, true)
    elseif not is_current and change.topline > 0 then
      set(win, buf, false)
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
  if is_tracked(buf) then
    local its = standing(win, buf)
    its.lnum, its.top = place_of(win)
    set(win, buf, its.lnum < M.last_text(buf))
  end
end

--- The current window and its buffer, if that is a Termi buffer.
---@return integer? win
---@return integer buf
local function current()
  local win = api.nvim_get_current_win()
  local buf = api.nvim_win_get_buf(win)
  return is_tracked(buf) and win or nil, buf
end

local group = api.nvim_create_augroup('termi.follow', {})

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
    if win and api.nvim_win_is_valid(win) and is_tracked(api.nvim_win_get_buf(win)) then
      scrolled(win, api.nvim_win_get_buf(win), change)
    end
  end
end)

on('TermEnter', nil, function()
  local win, buf = current()
  if win then
    set(win, buf, false)
    place_cursor()
  end
end)

-- It goes on to follow, wherever the program's cursor is.
on('TermLeave', nil, function()
  local win, buf = current()
  if win then
    local its = standing(win, buf)
    its.lnum, its.top = place_of(win)
    if tails[buf] then
      vim.schedule(function()
        if is_tracked(buf) then
          M.put_at_end(buf)
        end
      end)
    end
  end
end)

on({ 'BufWinEnter', 'WinNew' }, nil, function()
  local win, buf = current()
  if win and not standing(win, buf).reading then
    put_at_end(win, buf)
  end
end)

on('WinClosed', nil, function()
  -- Its own id: the event's match.
  for win in pairs(standings) do
    if not api.nvim_win_is_valid(win) then
      standings[win] = nil
    end
  end
end)

-- Nothing is to move below a selection, or below a search while it is typed.
on('ModeChanged', '*:[vV\22]*', function()
  local win, buf = current()
  if win then
    set(win, buf, true)
  end
end)

on('ModeChanged', '[vV\22]*:n*', function()
  judge(api.nvim_get_current_win())
end)

on('CmdlineEnter', '[/\\?]', function()
  local win, buf = current()
  if win then
    set(win, buf, true)
  end
end)

on('CmdlineLeave', '[/\\?]', function()
  local win = current()
  if win then
    vim.schedule(function()
      judge(win)
    end)
  end
end)

return M
