--- Exit notifications of runs that end by themselves: debounced, so that they are told one by one, or in one message
--- when several end at about the same time.
local format = require('termi.core.format')
local message = require('termi.ui.message')

local M = {}

--- Ends within this time of the one before belong together: what one cause ends (a make, a signal, a server that the
--- others need) comes in a burst, and one message does not come to the hit-enter prompt.
local TOGETHER_MS = 100

--- How long the first may wait for others.
local AT_MOST_MS = 1000

---@class termi.ExitNotification
---@field name string
---@field text string
---@field failed boolean

local endings = {} ---@type termi.ExitNotification[]
local timer ---@type uv.uv_timer_t?
local first_at = 0

--- `12 runs ended, 3 failed: a, b, c`; who failed is named first, and alone when any did.
---@param all termi.ExitNotification[]
---@return string
local function summary(all)
  local failed = vim.tbl_filter(function(ending)
    return ending.failed
  end, all)
  local names = vim.tbl_map(function(ending)
    return ending.name
  end, #failed > 0 and failed or all)
  local how = #failed > 0 and (', %d failed'):format(#failed) or ''
  return ('%s ended%s: %s'):format(format.count(#all, 'run', 'runs'), how, table.concat(names, ', '))
end

local function tell()
  local all = endings
  endings, timer = {}, nil
  local failed = false
  for _, ending in ipairs(all) do
    failed = failed or ending.failed
  end
  local text = #all == 1 and all[1].text or summary(all)
  message.aside(text, failed and vim.log.levels.WARN or vim.log.levels.INFO)
end

--- Tells that a run has ended, soon.
---@param name string of its session
---@param text string what to say if it is the only one
---@param failed boolean
function M.ended(name, text, failed)
  endings[#endings + 1] = { name = name, text = text, failed = failed }
  if timer then
    timer:stop()
    timer:close()
  else
    first_at = vim.uv.now()
  end
  local wait = math.max(0, math.min(TOGETHER_MS, first_at + AT_MOST_MS - vim.uv.now()))
  timer = vim.defer_fn(function()
    message.guard(tell)
  end, wait)
end

return M
