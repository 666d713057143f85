--- What the plugin says to a person: raised errors and notifications, each beginning with `termi: `.
local format = require('termi.format')

local M = {}

local PREFIX = 'termi: '

---@param text string
---@return string
local function prefixed(text)
  return vim.startswith(text, PREFIX) and text or PREFIX .. text
end

--- Raises an error that carries no file and line: what went wrong and what to do is in the text.
---@param text string
---@param ... any values for `string.format`
---@return never
function M.fail(text, ...)
  error(prefixed(select('#', ...) > 0 and text:format(...) or text), 0)
end

---@param text string
---@param level integer one of vim.log.levels
function M.notify(text, level)
  if vim.in_fast_event() then
    return vim.schedule(function()
      M.notify(text, level)
    end)
  end
  -- What was said just before is overwritten instead of both asking for <Enter>.
  vim.cmd.redraw()
  vim.notify(prefixed(text), level, { title = 'termi' })
end

--- Notifies of something that happened by itself: in one line, so that nobody has to press <Enter> for it.
---@param text string
---@param level? integer one of vim.log.levels; default: INFO
function M.aside(text, level)
  M.notify(vim.trim(format.fit(prefixed(text), vim.v.echospace)), level or vim.log.levels.INFO)
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
