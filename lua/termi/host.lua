--- Where the host's messages arrive: `require'termi.host'(kind, params)`. The name is known to the host, and short:
--- it comes with every frame.
local client = require('termi.client')
local events = require('termi.events')
local view = require('termi.view')

local M = setmetatable({}, {
  __call = function(self, kind, params)
    return self.receive(kind, params)
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

---@type table<string, fun(params: table): boolean>
local receivers = {
  frame = function(params)
    return view.frame(params)
  end,
  reply = function(params)
    client.replied(without_nil(params) --[[@as termi.proto.Reply]])
    return true
  end,
  event = function(params)
    -- Later, outside of the request: the host has its acknowledgement at once, and windows may change.
    vim.schedule(function()
      events.handle(without_nil(params) --[[@as termi.proto.Event]])
    end)
    return true
  end,
}

--- Takes one message. Never raises: the host must not suffer from what goes wrong here.
---@param kind 'reply'|'frame'|'event'
---@param params table
---@return boolean acknowledged false: there is no such view, or no such kind of message
function M.receive(kind, params)
  local receiver = receivers[kind]
  if not receiver then
    return false
  end
  local ok, result = pcall(receiver, params)
  if not ok then
    require('termi.message').error(('cannot handle a %s of the host: %s'):format(kind, result))
    return false
  end
  return result
end

return M
