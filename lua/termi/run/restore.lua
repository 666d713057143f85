--- Restore: starts again what ran when the daemon ended without being told to, as by a reboot.
local client = require('termi.rpc.client')
local format = require('termi.core.format')
local message = require('termi.ui.message')

local M = {}

--- Starts them again.
---@param names? string[] of sessions; none: all
---@return { restored: termi.proto.RunResult[], failed: { name: string, message: string }[] }
function M.restore(names)
  local result = client.call('restore', { names = names }, { timeout_ms = 60000 })
  for _, failure in ipairs(result.failed) do
    message.error(('%s could not be restored: %s'):format(failure.name, failure.message))
  end
  return result
end

--- The same, and says what came of it.
---@param name string '': all
function M.restore_and_say(name)
  local result = M.restore(name ~= '' and { name } or nil)
  local count = #result.restored
  if count > 0 then
    message.info(('restored %s; :TermiSessions lists them'):format(format.count(count, 'run', 'runs')))
  elseif #result.failed == 0 then
    message.info('there is nothing to restore.')
  end
end

return M
