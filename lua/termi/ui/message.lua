--- What the plugin says to a person: raised errors and notifications, each beginning with `termi: `.
local errors = require('termi.core.errors')
local format = require('termi.core.format')

local M = {}

M.fail = errors.fail

---@type table<integer, string>
local GROUPS = { [vim.log.levels.ERROR] = 'ErrorMsg', [vim.log.levels.WARN] = 'WarningMsg' }

--- How many columns Neovim shows in the command line without asking for <Enter>.
---@return integer
local function room()
  return vim.v.echospace + math.max(0, vim.o.cmdheight - 1) * vim.o.columns
end

---@param text string
---@return boolean
local function fits(text)
  -- Where the command line takes no room, Neovim asks after every message.
  return vim.o.cmdheight > 0 and not text:find('\n') and format.width(text) <= room()
end

--- Whether messages go to the command line: not where a plugin or a UI shows them in windows of its own.
---@return boolean
local function is_in_command_line()
  for _, ui in ipairs(vim.api.nvim_list_uis()) do
    if ui.ext_messages then
      return false
    end
  end
  -- Neovim's own comes from no file, or one that it names so.
  local source = assert(debug.getinfo(vim.notify, 'S')).source
  return source == '?' or source == '=?' or vim.startswith(source, '@vim/')
end

--- As much of it as fits.
---@param text string
---@param level integer
---@param history boolean
local function show_short(text, level, history)
  local short = vim.trim(format.fit(format.one_line(text), math.max(1, vim.v.echospace)))
  vim.api.nvim_echo({ { short, GROUPS[level] } }, history, {})
end

--- Says it without ever asking for <Enter>: in the command line, or above it what does not fit there. All of it is in
--- |:messages|.
---@param text string
---@param level integer one of vim.log.levels
function M.notify(text, level)
  if vim.in_fast_event() then
    return vim.schedule(function()
      M.notify(text, level)
    end)
  end
  text = errors.prefixed(text)
  -- What was said just before is overwritten instead of both asking for <Enter>.
  vim.cmd.redraw()
  if fits(text) or not is_in_command_line() then
    return vim.notify(text, level, { title = 'termi' })
  elseif vim.api.nvim_get_mode().mode:find('^[cr]') then
    -- Somebody types there, or is asked something: nothing is to be put in front of that.
    return show_short(text, level, true)
  end
  local long_message = require('termi.ui.message_float')
  -- Neovim remembers only what it has shown: in parts that fit, each off the screen again before the next.
  for _, part in ipairs(long_message.parts(text, room())) do
    vim.api.nvim_echo({ { part, GROUPS[level] } }, true, {})
    vim.cmd.redraw()
  end
  if vim.o.cmdheight > 0 then
    vim.api.nvim_echo({ { '' } }, false, {})
  end
  if not long_message.show('termi', (text:gsub('^termi: ', '')), GROUPS[level]) then
    show_short(text, level, false)
  end
end

--- Notifies of something that happened by itself.
---@param text string
---@param level? integer one of vim.log.levels; default: INFO
function M.aside(text, level)
  M.notify(text, level or vim.log.levels.INFO)
end

---@param text string
function M.info(text)
  M.notify(text, vim.log.levels.INFO)
end

---@param text string
function M.error(text)
  M.notify(text, vim.log.levels.ERROR)
end

--- Calls `fn` and shows what it raises as a notification, without a traceback.
---@generic T
---@param fn fun(...): T?
---@param ... any
---@return T? result nil when it raised
function M.guard(fn, ...)
  local ok, result = pcall(fn, ...)
  if ok then
    return result
  end
  M.error(tostring(result))
end

return M
