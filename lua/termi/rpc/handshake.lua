--- Handshake with this machine's host, which is started for it: it is a process that has answered `initialize`. Nobody
--- calls it before. Waiting for the answer lets the editor's events go on, whose handlers may need the host too: they
--- wait for the same one.
local binary = require('termi.rpc.binary')
local config = require('termi.config')
local connection = require('termi.rpc.connection')
local message = require('termi.ui.message')

local M = {}

--- How often a daemon may be given another binary while it is joined.
local ATTEMPTS = 5

---@class termi.Handshake
---@field its? termi.Connection
---@field on_ready fun(its: termi.Connection)
---@field deadline integer as |vim.uv.now()| counts
---@field attempts integer
---@field done boolean
---@field err? string

local current ---@type termi.Handshake?

--- Whether a host is being started.
---@return boolean
function M.is_under_way()
  return current ~= nil
end

---@param shake termi.Handshake
---@param err? string
local function finish(shake, err)
  if shake.done then
    return
  end
  shake.done, shake.err = true, err
  if current == shake then
    current = nil
  end
  if not err then
    return shake.on_ready(shake.its --[[@as termi.Connection]])
  end
  if shake.its then
    connection.fail_calls(shake.its, { code = 'host_ended', message = err })
    pcall(vim.fn.chanclose, shake.its.chan)
  end
end

---@param shake termi.Handshake
---@param its termi.Connection
---@param path string of its program
local function introduce(shake, its, path)
  connection.post(its, 'initialize', connection.introduction(its), function(err, info)
    if shake.its ~= its then
      return
    elseif err and not binary.is_termi(path) then
      local set = config.get().binary and '`binary` is not termi: %s. Correct it or leave it out.'
      return finish(shake, (set or '%s is not termi. Build termi: `:Termi build`.'):format(path))
    elseif err then
      return finish(shake, 'the host could not be used: ' .. err.message)
    elseif info.protocol ~= connection.PROTOCOL then
      local text = 'the binary %s speaks protocol %s, this plugin speaks %d. Bring both to one version: `:Termi build`.'
      return finish(shake, text:format(path, tostring(info.protocol), connection.PROTOCOL))
    end
    its.info = info
    finish(shake)
  end)
end

---@param shake termi.Handshake
local function open(shake)
  local path = binary.find()
  local command = { path, 'host' } ---@type string[]
  if config.get().persist then
    command[#command + 1] = '--persist'
  end
  local ok, opened = pcall(connection.open, '', command)
  if not ok then
    return finish(shake, ('%s cannot be started: %s'):format(path, tostring(opened)))
  end
  opened.persistent = config.get().persist
  shake.its, shake.attempts = opened, shake.attempts + 1
  introduce(shake, opened, path)
end

--- The process of a host that is being started has ended.
---@param its termi.Connection
---@param code integer
---@param reason string
---@return boolean taken false: it is another one
function M.ended(its, code, reason)
  local shake = current
  if not shake or shake.its ~= its then
    return false
  end
  if code == connection.REPLACED and shake.attempts < ATTEMPTS then
    shake.its = nil
    connection.fail_calls(its, { code = 'host_replaced', message = reason })
    local ok, why = pcall(open, shake)
    if not ok then
      finish(shake, tostring(why))
    end
    return true
  end
  connection.fail_calls(its, { code = 'host_ended', message = reason })
  return true
end

--- Starts the host, or waits for the start that is under way. Raises when there is no binary, or one of another
--- version, or when the start fails.
---@param on_ready fun(its: termi.Connection) called when it can be called, before anybody who waits goes on
---@return termi.Connection
function M.wait(on_ready)
  local shake = current
  if not shake then
    local deadline = vim.uv.now() + config.get().timeout_ms
    shake = { on_ready = on_ready, deadline = deadline, attempts = 0, done = false }
    current = shake
    local ok, why = pcall(open, shake)
    if not ok then
      finish(shake, tostring(why))
    end
  end
  local _, why = vim.wait(math.max(0, shake.deadline - vim.uv.now()), function()
    return shake.done
  end, 5)
  if not shake.done and why == -2 then
    message.fail('interrupted while waiting for the host to start')
  elseif not shake.done then
    local text =
      'the host could not be used: the host did not answer `initialize` within %g s. `:Termi log` opens its log.'
    finish(shake, text:format(config.get().timeout_ms / 1000))
  end
  if shake.err then
    message.fail('%s', shake.err)
  end
  return shake.its --[[@as termi.Connection]]
end

return M
