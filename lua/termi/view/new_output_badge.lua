--- Badge of new output: in the lower right corner of a window in which a person reads, how many lines wait at the end.
local exit_status = require('termi.view.exit_status')
local follow_state = require('termi.view.follow_state')
local format = require('termi.core.format')

local api = vim.api
local M = {}

---@class termi.OutputBadge
---@field float integer
---@field buf integer that the window shows
---@field text? string
---@field width? integer of the window
---@field row? integer

local notices = {} ---@type table<integer, termi.OutputBadge> by the window it is in

--- What is to be said, the longest first.
---@param view termi.View
---@return string[]
local function wordings(view)
  local rows = view.waiting_rows
  local texts = {} ---@type string[]
  local held = exit_status.held(view.buf)
  local ended = held and held.text
  -- A new size changes what an ended run shows, and is no output.
  local news = rows == 0 and not view.ended and '↓ new output' or nil
  if rows and rows > 0 then
    news = ('↓ %s new line%s'):format(format.with_commas(rows), rows == 1 and '' or 's')
  end
  if news and ended then
    texts[#texts + 1] = ('%s  %s'):format(news, ended)
  end
  texts[#texts + 1] = ended
  texts[#texts + 1] = news
  if rows and rows > 0 then
    texts[#texts + 1] = '↓ ' .. format.with_commas(rows)
  end
  if #texts > 0 then
    texts[#texts + 1] = ended and '■' or '↓'
  end
  return texts
end

---@param win integer
local function close(win)
  local notice = notices[win]
  notices[win] = nil
  if notice and api.nvim_win_is_valid(notice.float) then
    pcall(api.nvim_win_close, notice.float, true)
  end
end

---@param win integer
---@param view termi.View
local function show(win, view)
  local width = api.nvim_win_get_width(win)
  local text ---@type string?
  for _, wording in ipairs(wordings(view)) do
    if not text and vim.fn.strdisplaywidth(wording) + 2 <= width then
      text = (' %s '):format(wording)
    end
  end
  if not text then
    return close(win)
  end
  local old = notices[win]
  local cells = vim.fn.strdisplaywidth(text)
  -- Above its window, should that be a float itself.
  local zindex = (api.nvim_win_get_config(win).zindex or 29) + 1
  local config = {
    relative = 'win',
    win = win,
    anchor = 'SW',
    row = api.nvim_win_get_height(win),
    col = width - cells,
    width = cells,
    height = 1,
    zindex = zindex,
    focusable = false,
    style = 'minimal',
    border = 'none',
  }
  if old and api.nvim_win_is_valid(old.float) then
    if old.text == text and old.width == width and old.row == config.row then
      return
    end
    api.nvim_win_set_config(old.float, config)
  else
    require('termi.ui.highlights').define()
    local buf = api.nvim_create_buf(false, true)
    vim.bo[buf].bufhidden = 'wipe'
    config.noautocmd = true
    local ok, float = pcall(api.nvim_open_win, buf, false, config)
    if not ok then
      -- No window can be opened now, as in the command-line window.
      return pcall(api.nvim_buf_delete, buf, { force = true })
    end
    vim.w[float].termi_notice = true
    vim.wo[float].winhighlight = 'Normal:TermiWaiting,NormalFloat:TermiWaiting'
    vim.wo[float].winblend = 0
    old = { float = float, buf = view.buf }
    notices[win] = old
  end
  old.text, old.width, old.row = text, width, config.row
  api.nvim_buf_set_lines(api.nvim_win_get_buf(old.float), 0, -1, false, { text })
end

--- Shows, brings up to date or takes away what a view's windows say.
---@param view termi.View
function M.show(view)
  -- What an earlier load of the plugin still has to do is not done any more.
  if package.loaded['termi.view.new_output_badge'] ~= M then
    return
  end
  local readers = {} ---@type table<integer, boolean>
  if view.held and api.nvim_buf_is_valid(view.buf) and (view.waiting_rows or exit_status.held(view.buf)) then
    for _, win in ipairs(follow_state.readers(view.buf)) do
      readers[win] = true
      show(win, view)
    end
  end
  for win, notice in pairs(notices) do
    local shown = api.nvim_win_is_valid(win) and api.nvim_win_get_buf(win)
    if shown ~= notice.buf or (shown == view.buf and not readers[win]) then
      close(win)
    end
  end
end

--- The buffer is going away.
---@param buf integer
function M.close(buf)
  for win in pairs(notices) do
    if not api.nvim_win_is_valid(win) or api.nvim_win_get_buf(win) == buf then
      close(win)
    end
  end
end

-- After a reload of the plugin: what an earlier load shows is shown anew.
for _, win in ipairs(api.nvim_list_wins()) do
  if vim.w[win].termi_notice then
    pcall(api.nvim_win_close, win, true)
  end
end

return M
