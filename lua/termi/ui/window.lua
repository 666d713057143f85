--- Where runs are shown. Each tab page has at most one Termi window that commands reuse: the one last used.
local config = require('termi.config')
local message = require('termi.ui.message')

local api = vim.api
local M = {}

---@class termi.PlaceOpts
---@field new_window? boolean always make a window
---@field explicit? boolean the person named the way: the tab page's Termi window is not reused

--- A size option: cells, or up to 1 a share of `whole`.
---@param option number
---@param whole integer
---@return integer
local function cells(option, whole)
  local wanted = option <= 1 and math.floor(option * whole) or math.floor(option)
  return math.max(1, math.min(wanted, whole))
end

---@return vim.api.keyset.win_config
local function float_config()
  local opts = config.get().float
  local lines, columns = vim.o.lines - vim.o.cmdheight, vim.o.columns
  local border = opts.border == 'none' and 0 or 2
  local height = math.max(1, math.min(cells(opts.height, lines), lines - border))
  local width = math.max(1, math.min(cells(opts.width, columns), columns - border))
  return {
    relative = 'editor',
    width = width,
    height = height,
    row = math.max(0, math.floor((lines - height - border) / 2)),
    col = math.max(0, math.floor((columns - width - border) / 2)),
    border = opts.border --[[@as any]],
  }
end

--- Opens a split of the size that the option says, which then stays; one that is not the first shares the room with the
--- others, as Neovim's own do.
---@param buf integer
---@param how vim.api.keyset.win_config
---@param size 'width'|'height'
---@param cells_wanted integer
---@return integer win
local function open_split(buf, how, size, cells_wanted)
  local fix = size == 'width' and 'winfixwidth' or 'winfixheight'
  local is_first = true
  for _, win in ipairs(api.nvim_tabpage_list_wins(0)) do
    if vim.w[win].termi_split == size then
      is_first = false
      vim.wo[win][fix] = false
    end
  end
  how[size] = is_first and cells_wanted or nil
  local win = api.nvim_open_win(buf, true, how)
  vim.w[win].termi_split = size
  vim.wo[win][fix] = is_first
  if not is_first and vim.o.equalalways then
    vim.cmd.wincmd('=')
  end
  return win
end

---@type table<string, fun(buf: integer, height?: number): integer>
local openers = {
  split = function(buf, height)
    local opts = config.get().split
    local where = { split = opts.position, win = -1 } ---@type vim.api.keyset.win_config
    if not height then
      return open_split(buf, where, 'height', cells(opts.size, vim.o.lines))
    end
    where.height = cells(height, vim.o.lines)
    local win = api.nvim_open_win(buf, true, where)
    vim.wo[win].winfixheight = true
    return win
  end,
  vsplit = function(buf)
    local opts = config.get().vsplit
    local width = cells(opts.size, vim.o.columns)
    return open_split(buf, { split = opts.position, win = -1 }, 'width', width)
  end,
  tab = function(buf)
    vim.cmd('tab sbuffer ' .. buf)
    return api.nvim_get_current_win()
  end,
  float = function(buf)
    local win = api.nvim_open_win(buf, true, float_config())
    vim.w[win].termi_float = true
    return win
  end,
}

---@param win integer
---@return boolean
local function shows_a_run(win)
  return vim.bo[api.nvim_win_get_buf(win)].filetype == 'termi'
end

--- The Termi window of the current tab page.
---@return integer?
function M.of_tab()
  local used = vim.t.termi_window
  local wins = api.nvim_tabpage_list_wins(0)
  if used and vim.tbl_contains(wins, used) and shows_a_run(used) then
    return used
  end
  for _, win in ipairs(wins) do
    if shows_a_run(win) then
      return win
    end
  end
end

--- The window of the current tab page that shows the buffer.
---@param buf integer
---@return integer?
function M.showing(buf)
  for _, win in ipairs(api.nvim_tabpage_list_wins(0)) do
    if api.nvim_win_get_buf(win) == buf then
      return win
    end
  end
end

---@param win integer
---@param buf integer
---@return fun() undo
local function put(win, buf)
  local before = api.nvim_win_get_buf(win)
  local focus = api.nvim_get_current_win()
  api.nvim_set_current_win(win)
  api.nvim_win_set_buf(win, buf)
  return function()
    if api.nvim_win_is_valid(win) and api.nvim_buf_is_valid(before) then
      api.nvim_win_set_buf(win, before)
    end
    if api.nvim_win_is_valid(focus) then
      api.nvim_set_current_win(focus)
    end
  end
end

--- Opens a window of its own for a buffer.
---@param buf integer
---@param how termi.Open
---@param height? number of a split, instead of the option's
---@return fun() undo
local function open(buf, how, height)
  local focus = api.nvim_get_current_win()
  local win = openers[how](buf, height)
  return function()
    if api.nvim_win_is_valid(win) then
      pcall(api.nvim_win_close, win, true)
    end
    if api.nvim_win_is_valid(focus) then
      api.nvim_set_current_win(focus)
    end
  end
end

--- Shows a buffer as `how` says, and makes its window the current one. Raises when there is no room.
---@param buf integer
---@param how termi.Open
---@param opts? termi.PlaceOpts
---@param height? number of a split, instead of the option's
---@return fun() undo puts the screen back as it was
function M.place(buf, how, opts, height)
  opts = opts or {}
  if how == 'none' then
    return function() end
  end
  local target = how == 'current' and api.nvim_get_current_win() or nil
  if not target and not opts.new_window and not opts.explicit then
    target = M.of_tab()
  end
  if target and vim.wo[target].winfixbuf and api.nvim_win_get_buf(target) ~= buf then
    target = nil
    how = how == 'current' and 'split' or how
  end
  local ok, undo
  if target then
    ok, undo = pcall(put, target, buf)
  else
    ok, undo = pcall(open, buf, how, height)
  end
  if not ok then
    message.fail('no window for the buffer: %s', (tostring(undo):gsub('^.-(E%d+:)', '%1')))
  end
  return undo
end

--- Makes the current window, when it shows the buffer, the tab page's Termi window.
---@param buf integer
function M.remember(buf)
  if api.nvim_get_current_buf() == buf then
    vim.t.termi_window = api.nvim_get_current_win()
  end
end

--- Writes a session's name on the border of the floats that show its buffer.
---@param buf integer
---@param name string
function M.set_title(buf, name)
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    if vim.w[win].termi_float and config.get().float.border ~= 'none' then
      api.nvim_win_set_config(win, { title = (' %s '):format(name), title_pos = 'center' })
    end
  end
end

--- Closes a window; in place of the last one of the editor, another buffer is shown in it.
---@param win integer
function M.close(win)
  if pcall(api.nvim_win_close, win, false) then
    return
  end
  api.nvim_win_call(win, function()
    local alternate = vim.fn.bufnr('#')
    if alternate > 0 and alternate ~= api.nvim_win_get_buf(win) and vim.fn.buflisted(alternate) == 1 then
      vim.cmd.buffer(alternate)
    else
      vim.cmd.enew()
    end
  end)
end

--- Closes each window that shows the buffer.
---@param buf integer
function M.close_all(buf)
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    M.close(win)
  end
end

--- What `:terminal` sets, for this buffer in this window only: another buffer shown there has its own again.
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
  scrolloff = 0,
  sidescrolloff = 0,
  cursorbind = false,
  scrollbind = false,
}

---@param buf integer
function M.set_options(buf)
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    for name, value in pairs(OPTIONS) do
      api.nvim_set_option_value(name, value, { scope = 'local', win = win })
    end
  end
end

api.nvim_create_autocmd('VimResized', {
  group = api.nvim_create_augroup('termi.window', {}),
  desc = 'Termi: keep floats inside the screen',
  callback = function()
    for _, win in ipairs(api.nvim_list_wins()) do
      if vim.w[win].termi_float then
        api.nvim_win_set_config(win, float_config())
      end
    end
  end,
})

return M
