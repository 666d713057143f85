--- Autoscroll: puts the windows of a Termi buffer where they belong. After each update that Neovim makes of a
--- terminal's buffer, which |api-buffer-updates| tells of, windows that follow the output are put at its end, and those
--- in which a person reads (`view/follow_state`) where they stood.
local follow_state = require('termi.view.follow_state')
local resync = require('termi.view.resync')

local api = vim.api
local M = {}

--- Before 0.12, Neovim shows a terminal's cursor at the end of its line's text after it has gone to another line, until
--- the editor has gone round its loop with nothing to redraw: not in the first round, and on a busy machine not in the
--- next few.
local ROUNDS_TO_PLACE_CURSOR = vim.fn.has('nvim-0.12') == 1 and 0 or 12

local tracked = {} ---@type table<integer, boolean> by buffer
local stale = {} ---@type table<integer, integer> by buffer: updated since; how many lines went at the top
local tails = {} ---@type table<integer, { line: integer?, below: integer }> by buffer
local on_update = {} ---@type fun(buf: integer)[]

--- Calls `fn` after a terminal's buffer was brought up to date and its windows were put where they belong.
---@param fn fun(buf: integer)
function M.on_update(fn)
  on_update[#on_update + 1] = fn
end

--- This load of the module is the one in use: what an earlier load left behind does nothing any more.
---@return boolean
local function is_in_use()
  return package.loaded['termi.view.autoscroll'] == M
end

--- Whether a buffer was brought up to date and its windows are still to be put where they belong.
---@param buf integer
---@return boolean
function M.is_stale(buf)
  return stale[buf] ~= nil
end

--- Puts a window at the end: the terminal's last row at its bottom, and the cursor on the last row, from where Neovim
--- itself follows too, or on the last line with text where much of the screen is empty.
---@param win integer
---@param buf integer
function M.put_window_at_end(win, buf)
  local its = follow_state.of(win, buf)
  local count = api.nvim_buf_line_count(buf)
  local tail = tails[buf]
  local last = follow_state.last_text(buf)
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
  follow_state.note(win, its)
end

local rounds = 0

local function go_round()
  if rounds > 0 then
    rounds = rounds - 1
    vim.defer_fn(go_round, 0)
  end
end

--- Has the program's cursor shown in its place, in terminal mode.
function M.place_cursor()
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
  local is_filling = resync.of(buf) ~= nil
  local filled = resync.take_written(buf)
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    local its = follow_state.of(win, buf)
    if follow_state.in_terminal_mode(win) then
      -- Neovim does it itself.
      local was = its.lnum
      follow_state.note(win, its)
      if its.lnum ~= was then
        M.place_cursor()
      end
    elseif not its.reading then
      M.put_window_at_end(win, buf)
    elseif filled and filled.anchors[win] then
      resync.put_at(win, buf, filled.anchors[win])
      follow_state.note(win, its)
    elseif not is_filling then
      if gone > 0 then
        -- The text has moved up below a window that stays where it is.
        local lnum, top = math.max(1, its.lnum - gone), math.max(1, its.top - gone)
        api.nvim_win_call(win, function()
          vim.fn.winrestview({ lnum = lnum, topline = top })
        end)
      end
      follow_state.note(win, its)
    end
  end
  for _, fn in ipairs(on_update) do
    fn(buf)
  end
end

--- Brings a buffer and its windows up to date with what was written to its terminal.
---@param buf integer
function M.refresh(buf)
  resync.bring_up_to_date(buf)
  if stale[buf] then
    settle(buf)
  end
end

---@param buf integer
---@return boolean
function M.is_tracked(buf)
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
      if resync.is_clearing() then
        return
      end
      local due = stale[buf] == nil
      local gone = first == 0 and not resync.of(buf) and math.max(0, last - now_last) or 0
      stale[buf] = (stale[buf] or 0) + gone
      -- Once Neovim is done with the whole update.
      if due then
        vim.schedule(function()
          if stale[buf] and is_in_use() and M.is_tracked(buf) then
            settle(buf)
          end
        end)
      end
    end,
    on_detach = function()
      tracked[buf], stale[buf], tails[buf] = nil, nil, nil
      resync.forget(buf)
    end,
  })
end

--- All windows of a buffer follow its output, from now on.
---@param buf integer
function M.follow(buf)
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    follow_state.set(win, buf, false)
    if not follow_state.in_terminal_mode(win) then
      M.put_window_at_end(win, buf)
    end
  end
end

--- What stands below the text of an ended run: the line it is written over, or how many rows below the last line.
---@param buf integer
---@param tail? { line: integer?, below: integer }
function M.set_tail(buf, tail)
  tails[buf] = tail
end

--- Whether something stands below the text.
---@param buf integer
---@return boolean
function M.has_tail(buf)
  return tails[buf] ~= nil
end

--- Puts the windows that follow a buffer at its end.
---@param buf integer
function M.put_at_end(buf)
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    if not follow_state.of(win, buf).reading and not follow_state.in_terminal_mode(win) then
      M.put_window_at_end(win, buf)
    end
  end
end

--- Does what moves windows without anyone wanting that, and puts them back.
---@param buf integer
---@param fn fun()
function M.undisturbed(buf, fn)
  local saved = {} ---@type table<integer, vim.fn.winsaveview.ret>
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    if follow_state.of(win, buf).reading then
      saved[win] = api.nvim_win_call(win, vim.fn.winsaveview)
    end
  end
  fn()
  for win, view in pairs(saved) do
    if api.nvim_win_is_valid(win) then
      api.nvim_win_call(win, function()
        vim.fn.winrestview(view)
      end)
      local its = follow_state.of(win, buf)
      follow_state.note(win, its)
    end
  end
  M.put_at_end(buf)
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
  local its = resync.of(buf)
  if frame.reset then
    its = resync.begin(buf)
  end
  if not its or its.written then
    local sent = pcall(api.nvim_chan_send, chan, frame.data)
    if frame.data:find('\27[3J', 1, true) then
      M.refresh(buf)
    end
    return sent
  end
  its.data[#its.data + 1] = frame.data
  if frame.current == false then
    return true
  end
  if not is_first then
    resync.clear(buf, chan)
  end
  its.written = true
  local sent = pcall(api.nvim_chan_send, chan, table.concat(its.data))
  M.refresh(buf)
  return sent
end

return M
