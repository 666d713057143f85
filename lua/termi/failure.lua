--- What a failed run is: the same in lists, counts, notices and colors, and in the host's statistics.
local M = {}

--- Whether a run failed: it ended with another code than 0 or by a signal of its own, timed out, could not be run, or was
--- ended for a limit. One that a person or a program killed did not fail.
---@param run { status?: termi.proto.Status, exit?: termi.proto.Exit, reason?: string }
---@return boolean
function M.of(run)
  if run.status == 'active' then
    return false
  elseif run.status == 'killed' then
    return run.reason ~= nil
  end
  return run.status ~= 'exited' or (run.exit ~= nil and run.exit.code ~= 0)
end

return M
