--- How a run ended: whether it failed, and in words. The same in lists, counts, notices and colors, and in the host's
--- statistics.
local format = require('termi.core.format')

local M = {}

--- Whether a run failed: it ended with another code than 0 or by a signal of its own, timed out, could not be run, or
--- was ended for a limit. One that a person or a program killed did not fail.
---@param run { status?: termi.proto.Status, exit?: termi.proto.Exit, reason?: string }
---@return boolean
function M.failed(run)
  if run.status == 'active' then
    return false
  elseif run.status == 'killed' then
    return run.reason ~= nil
  end
  return run.status ~= 'exited' or (run.exit ~= nil and run.exit.code ~= 0)
end

--- How a run ended, in words: `exited 0`, `killed by SIGTERM`, `timed out`, `failed`.
---@param run { status?: termi.proto.Status, exit?: termi.proto.Exit }
---@return string
function M.text(run)
  local exit = run.exit or {}
  if run.status == 'timed_out' then
    return 'timed out'
  elseif run.status == 'failed' then
    return 'failed'
  elseif exit.signal then
    return (run.status == 'killed' and 'killed by ' or 'ended by ') .. format.signal(exit.signal)
  end
  return run.status == 'killed' and 'killed' or ('exited %d'):format(exit.code or 0)
end

--- The same with the time that it took and the reason: `timed out after 30s: was idle longer than 10s`.
---@param run { status?: termi.proto.Status, exit?: termi.proto.Exit, reason?: string, duration_ms?: integer }
---@return string
function M.full_text(run)
  local after = run.duration_ms and ' after ' .. format.duration(run.duration_ms) or ''
  local reason = run.reason and ': ' .. format.one_line(run.reason) or ''
  return M.text(run) .. after .. reason
end

--- The line below the output of an ended run.
---@param run { status?: termi.proto.Status, exit?: termi.proto.Exit, reason?: string, duration_ms?: integer, left_running?: integer }
---@return string
function M.line(run)
  local left = run.left_running or 0
  local also = left > 0
      and ('; %s %s on'):format(format.count(left, 'process', 'processes'), left == 1 and 'lives' or 'live')
    or ''
  return ('[Process %s%s]'):format(M.full_text(run), also)
end

return M
