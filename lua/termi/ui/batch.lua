--- Batches: what comes within a moment is debounced, so that one message tells all of it and none comes to the
--- hit-enter prompt.
local message = require('termi.ui.message')

local M = {}

--- What follows within this time of the one before belongs together: what one cause brings about comes in a burst.
local TOGETHER_MS = 100

--- How long the first may wait for others.
local AT_MOST_MS = 1000

--- Makes a batch.
---@generic T
---@param tell fun(items: T[]) called with what came together
---@return fun(item: T) add
function M.new(tell)
  local items, first_at = {}, 0
  local timer ---@type uv.uv_timer_t?
  return function(item)
    items[#items + 1] = item
    if timer then
      timer:stop()
      timer:close()
    else
      first_at = vim.uv.now()
    end
    local wait = math.max(0, math.min(TOGETHER_MS, first_at + AT_MOST_MS - vim.uv.now()))
    timer = vim.defer_fn(function()
      local all = items
      items, timer = {}, nil
      message.guard(tell, all)
    end, wait)
  end
end

return M
