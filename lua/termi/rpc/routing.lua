--- Routing: which host a session or a run belongs to. Ids are random, so that one names a thing among all hosts.
local remote = require('termi.rpc.remote')

local M = {}

--- What hosts say does not name them: this is added when it arrives.
---@class (partial) termi.proto.Session
---@field host? string where it is, when that is another machine

---@class (partial) termi.proto.Event
---@field host? string whose it is; '' is this machine's

--- How this machine is called in a target: `build@local`.
M.LOCAL = 'local'

local hosts = {} ---@type table<string, string> by id of a session or run

--- Notes where a session or a run is. This machine's host, or else the first one to name an id, keeps it: what another
--- one says of it is not believed, or it could have keys and answers that are not meant for it. Another name of a host
--- that is not connected any more may be the same machine.
---@param id any of a session or a run; anything else names nothing
---@param host string
---@return boolean is_its false: it is another host's
function M.learn(id, host)
  if type(id) ~= 'string' then
    return true
  end
  local known = hosts[id]
  local is_others = host ~= '' and known ~= nil and known ~= host
  if is_others and (known == '' or remote.is_wanted(known)) then
    return false
  end
  hosts[id] = host
  return true
end

---@param id? string of a session or a run
---@return string host '' is this machine
function M.of(id)
  return id and hosts[id] or ''
end

---@param id? string
function M.forget(id)
  if id then
    hosts[id] = nil
  end
end

--- How a host is called where a person reads it.
---@param host? string
---@return string
function M.word(host)
  return (host and host ~= '') and host or M.LOCAL
end

--- A session's name as a person reads it, and as a target: that of another machine says where it is.
---@param name string
---@param host? string
---@return string
function M.named(name, host)
  return (host and host ~= '') and name .. '@' .. host or name
end

return M
