--- Registry of the hosts on other machines, by their names in the option `hosts`.
local config = require('termi.config')
local errors = require('termi.core.errors')

local M = {}

---@class termi.Remote
---@field name string
---@field state termi.RemoteState
---@field conn? termi.Connection while connecting and ready
---@field keep boolean it is to be connected again: a person has had it, or wants it from the start
---@field lost boolean it was ready, and its views wait for it
---@field attempts integer that have failed in a row
---@field retry_at? integer as |vim.uv.now()| counts
---@field timer? uv.uv_timer_t
---@field reason? string what was wrong last
---@field callbacks fun(err?: string)[] who waits for the connection

local remotes = {} ---@type table<string, termi.Remote>

--- The host of a name, if it was ever to be connected.
---@param name string
---@return termi.Remote?
function M.find(name)
  return remotes[name]
end

--- The host of a name.
---@param name string
---@return termi.Remote
function M.of(name)
  local remote = remotes[name]
  if not remote then
    remote = { name = name, state = 'off', keep = false, lost = false, attempts = 0, callbacks = {} }
    remotes[name] = remote
  end
  return remote
end

--- The names of all hosts that are configured, or connected, in order.
---@return string[]
function M.names()
  local names = vim.tbl_keys(vim.tbl_extend('force', {}, remotes, config.get().hosts))
  table.sort(names)
  return names
end

--- Whether there is such a host.
---@param name string
---@return boolean
function M.is_known(name)
  return config.get().hosts[name] ~= nil or remotes[name] ~= nil
end

--- What the option `hosts` says of a host. Raises when it says nothing.
---@param name string
---@return termi.HostConfig
function M.settings(name)
  local settings = config.get().hosts[name]
  if not settings then
    errors.fail('%s', errors.none_of('host', name, M.names(), 'termi-hosts'))
  end
  return settings --[[@as termi.HostConfig]]
end

return M
