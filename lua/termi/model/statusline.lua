--- The statusline component: made from what events have told, it never asks the host.
local config = require('termi.config')
local run_state = require('termi.model.run_state')

local M = {}

--- `● 3 ✗ 1 ◆ 1 ✓ 2`: three runs are alive, one failed and was not looked at since, one waits for a person, two agents
--- have finished. Agents that wait are not among those alive.
---@return string
function M.text()
  local active, waiting, failed, done = run_state.counts()
  local icons = config.get().icons
  local parts = {} ---@type string[]
  for _, part in ipairs({
    { icons.active, active },
    { icons.failure, failed },
    { icons.attention, waiting },
    { icons.success, done },
  }) do
    if part[2] > 0 then
      parts[#parts + 1] = ('%s %d'):format(part[1], part[2])
    end
  end
  return table.concat(parts, ' ')
end

return M
