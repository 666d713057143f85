--- Hosts on other machines, by their names in the option `hosts`: connected when they are first asked for, and connected
--- again when the connection is lost (`rpc/remote_lifecycle`).
local config = require('termi.config')
local lifecycle = require('termi.rpc.remote_lifecycle')
local message = require('termi.ui.message')
local remotes = require('termi.rpc.remotes')
local texts = require('termi.rpc.remote_text')

local M = {}

M.names = remotes.names
M.is_known = remotes.is_known
M.settings = remotes.settings
M.on_connected = lifecycle.on_connected

--- The hosts that can be called, in order.
---@return string[]
function M.ready()
  local names = vim.tbl_filter(function(name)
    local remote = remotes.find(name)
    return remote ~= nil and remote.state == 'ready'
  end, M.names())
  return names
end

--- A host's connection, when it can be called.
---@param name string
---@return termi.Connection?
function M.running(name)
  local remote = remotes.find(name)
  return remote and remote.state == 'ready' and remote.conn or nil
end

--- Whether a host is there, or will be tried again.
---@param name string
---@return boolean
function M.is_wanted(name)
  local remote = remotes.find(name)
  return remote ~= nil and remote.state ~= 'off' and remote.state ~= 'failed'
end

--- How a connection stands that should be there and is not: `connection lost, trying again in 4 s`.
---@param name string
---@return string? text nil: it is there, or nobody wants it
function M.status_text(name)
  return texts.status(remotes.find(name))
end

--- Why a host cannot be called, and what to do.
---@param name string
---@return string
function M.error_text(name)
  return texts.error(name, remotes.find(name))
end

--- Connects a host, now if it is waited for, and calls back once that is done. Raises when there is no such host.
---@param name string
---@param callback fun(err?: string)
function M.connect(name, callback)
  if M.running(name) then
    return callback()
  end
  M.settings(name)
  local remote = remotes.of(name)
  remote.callbacks[#remote.callbacks + 1] = callback
  if remote.state ~= 'connecting' and remote.state ~= 'ready' then
    lifecycle.open(remote)
  end
end

--- The same, and says what came of it.
---@param name string
function M.connect_and_say(name)
  M.connect(name, function(err)
    if err then
      return message.error(err)
    end
    message.info(('connected to %s'):format(name))
  end)
end

--- Leaves a host, whose sessions go on. It is not connected again by itself.
---@param name string
function M.disconnect(name)
  local remote = remotes.find(name)
  if not remote or remote.state == 'off' then
    M.settings(name)
    message.fail('%s is not connected.', name)
  end
  ---@cast remote -?
  lifecycle.leave(remote)
end

--- Connects the hosts that are wanted from the start, once the editor has started.
function M.watch()
  if vim.v.vim_did_enter == 0 then
    vim.api.nvim_create_autocmd('VimEnter', {
      group = vim.api.nvim_create_augroup('termi.remote', {}),
      once = true,
      desc = 'Termi: connect the hosts that are wanted from the start',
      callback = function()
        require('termi.rpc.remote').watch()
      end,
    })
    return
  end
  for name, settings in pairs(config.get().hosts) do
    local remote = settings.auto and remotes.of(name)
    if remote and remote.state == 'off' then
      remote.keep = true
      lifecycle.open(remote)
    end
  end
end

return M
