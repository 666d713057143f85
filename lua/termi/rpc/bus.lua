--- Event bus: what hosts tell of their runs and what becomes of the connections to them goes from whoever learns of it
--- to whoever acts on it, so that neither has to name the other.
local message = require('termi.ui.message')

local M = {}

local handlers = {} ---@type table<string, (fun(event: termi.proto.RunEvent))[]> by type of event
local listeners = {} ---@type (fun(event: termi.proto.Event))[]

--- Subscribes to the events of a type.
---@param type string
---@param handler fun(event: termi.proto.RunEvent)
function M.on(type, handler)
  handlers[type] = handlers[type] or {}
  table.insert(handlers[type], handler)
end

--- Subscribes to all events; the listener is called after each was handled.
---@param listener fun(event: termi.proto.Event)
function M.on_any(listener)
  listeners[#listeners + 1] = listener
end

--- Publishes an event. One of a newer host that has no handler here only refreshes what is shown.
---@param event termi.proto.Event
function M.publish(event)
  for _, handler in ipairs(handlers[event.type] or {}) do
    message.guard(handler, event --[[@as termi.proto.RunEvent]])
  end
  for _, listener in ipairs(listeners) do
    message.guard(listener, event)
  end
  if event.type ~= 'output' then
    vim.cmd.redrawstatus({ bang = true })
  end
end

return M
