--- Capabilities: what a host can do, for the binary may be older than the plugin.
local client = require('termi.rpc.client')
local message = require('termi.ui.message')

local M = {}

--- Whether a host answers a method.
---@param method string
---@param host? string default: this machine's, which is started if there is none
---@return boolean
function M.has(method, host)
  if not host then
    client.ensure()
  end
  local info = client.info(host)
  local methods = info and info.capabilities and info.capabilities.methods or {}
  return vim.tbl_contains(methods, method)
end

--- Raises when the host does not answer a method.
---@param method string
---@param what string that needs it
function M.need(method, what)
  if not M.has(method) then
    local info = client.info()
    local version = info and info.server.version or 'of an unknown version'
    local text = '%s needs a newer host: this one (termi %s) has no `%s`. `:Termi build`, then `:Termi stop!`.'
    message.fail(text, what, version, method)
  end
end

return M
