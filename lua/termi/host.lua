--- Where the host's messages arrive: `require'termi.host'(kind, params)`. The name is known to the host, and short:
--- it comes with every frame.
local bus = require('termi.rpc.bus')
local connection = require('termi.rpc.connection')
local routing = require('termi.rpc.routing')
local view = require('termi.view')
-- What acts on events.
require('termi.events')

local M = setmetatable({}, {
  __call = function(self, kind, params, host)
    return self.receive(kind, params, host)
  end,
})

--- Drops the fields that the host left empty: `vim.NIL` is true in a condition.
---@generic T: table
---@param value T
---@return T
local function without_nil(value)
  for key, item in pairs(value) do
    if item == vim.NIL then
      value[key] = nil
    elseif type(item) == 'table' then
      without_nil(item)
    end
  end
  return value
end

---@type table<string, fun(params: table, host: string): boolean>
local receivers = {
  frame = function(params, host)
    return view.frame(params, host)
  end,
  reply = function(params, host)
    connection.replied(without_nil(params) --[[@as termi.proto.Reply]], host)
    return true
  end,
  event = function(params, host)
    params.host = host
    if not (routing.learn(params.session_id, host) and routing.learn(params.run_id, host)) then
      -- Of what is another host's it has nothing to say.
      return true
    end
    -- Later, outside of the request: the host has its acknowledgement at once, and windows may change.
    vim.schedule(function()
      bus.publish(without_nil(params) --[[@as termi.proto.Event]])
    end)
    return true
  end,
}

--- Takes one message. Never raises: the host must not suffer from what goes wrong here.
---@param kind 'reply'|'frame'|'event'
---@param params table
---@param host? string what it was called when it was connected; none: this machine's
---@return boolean acknowledged false: there is no such view, or no such kind of message
function M.receive(kind, params, host)
  local receiver = receivers[kind]
  if not receiver then
    return false
  end
  local ok, result = pcall(receiver, params, host or '')
  if not ok then
    require('termi.ui.message').error(('cannot handle a %s of the host: %s'):format(kind, result))
    return false
  end
  return result
end

return M
