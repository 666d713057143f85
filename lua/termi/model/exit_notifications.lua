--- Exit notifications of runs that end by themselves: debounced, so that they are told one by one, or in one message
--- when several end at about the same time.
local batch = require('termi.ui.batch')
local format = require('termi.core.format')
local message = require('termi.ui.message')

local M = {}

---@class termi.ExitNotification
---@field name string
---@field text string
---@field failed boolean

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

---@param all termi.ExitNotification[]
local function tell(all)
  local failed = false
  for _, ending in ipairs(all) do
    failed = failed or ending.failed
  end
  local text = #all == 1 and all[1].text or summary(all)
  message.aside(text, failed and vim.log.levels.WARN or vim.log.levels.INFO)
end

local add = batch.new(tell)

--- Tells that a run has ended, soon.
---@param name string of its session
---@param text string what to say if it is the only one
---@param failed boolean
function M.ended(name, text, failed)
  add({ name = name, text = text, failed = failed })
end

return M
