--- Input queue: what is typed for a host while the connection to it is made again. It is sent in order once the host
--- can be called, and is bounded.
local connection = require('termi.rpc.connection')
local format = require('termi.core.format')
local message = require('termi.ui.message')

local M = {}

local MAX_BYTES = 1024 * 1024

---@class termi.InputQueue
---@field calls { [1]: string, [2]: table }[]
---@field bytes integer
---@field dropped integer

local queues = {} ---@type table<string, termi.InputQueue> by host

--- Queues from now on what is typed for a host.
---@param host string '' is this machine
function M.open(host)
  queues[host] = queues[host] or { calls = {}, bytes = 0, dropped = 0 }
end

--- Takes a call, if it is one of typing and its host has a queue.
---@param host string
---@param method string
---@param params table
---@return boolean taken
function M.take(host, method, params)
  local queue = queues[host]
  if not queue or method ~= 'input' then
    return false
  end
  local bytes = #(params.data or '')
  queue.bytes = queue.bytes + bytes
  -- From the first that is dropped on all are: a command with a hole in it is worse than half a one.
  if queue.dropped == 0 and queue.bytes <= MAX_BYTES then
    queue.calls[#queue.calls + 1] = { method, params }
  else
    queue.dropped = queue.dropped + bytes
  end
  return true
end

--- Sends what was queued, and ends the queue.
---@param host string
---@param its? termi.Connection none: there is nobody to send it to
function M.flush(host, its)
  local queue = queues[host]
  queues[host] = nil
  if not queue then
    return
  end
  for _, call in ipairs(queue.calls) do
    if its then
      connection.notify(its, call[1], call[2])
    end
  end
  if queue.dropped > 0 then
    local text = '%s typed meanwhile did not fit and were dropped'
    message.aside(text:format(format.bytes(queue.dropped)), vim.log.levels.WARN)
  end
end

--- Ends the queue of a host that is not connected again.
---@param host string
---@return integer bytes that were typed
function M.discard(host)
  local queue = queues[host]
  queues[host] = nil
  return queue and queue.bytes or 0
end

return M
