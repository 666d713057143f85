--- The statusline component: made from what events have told, it never asks the host.
local config = require('termi.config')
local run_state = require('termi.model.run_state')

local M = {}

--- `● 3 ✗ 1 ◆ 1`: three runs are alive, one failed and was not looked at since, one waits for a person.
---@return string
function M.text()
  local active, waiting, failed = run_state.counts()
  local icons = config.get().icons
  local parts = {} ---@type string[]
  if active > 0 then
    parts[#parts + 1] = ('%s %d'):format(icons.active, active)
  end
  if failed > 0 then
    parts[#parts + 1] = ('%s %d'):format(icons.failure, failed)
  end
  if waiting > 0 then
    parts[#parts + 1] = ('%s %d'):format(icons.attention, waiting)
  end
  return table.concat(parts, ' ')
end

return M
