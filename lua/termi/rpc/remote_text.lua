--- Texts about connections to other machines: how one stands, and why one has ended. Pure but for the time.
local format = require('termi.core.format')

local M = {}

--- How a connection stands that should be there and is not: `connection lost, trying again in 4 s`.
---@param remote? termi.Remote
---@return string? text nil: it is there, or nobody wants it
function M.status(remote)
  if not remote or remote.state == 'ready' or remote.state == 'off' then
    return nil
  end
  local what = remote.lost and 'connection lost' or 'no connection'
  if remote.state == 'failed' then
    return ('%s: %s'):format(what, ((remote.reason or ''):gsub('^cannot connect to %S+: ', '')))
  elseif remote.state == 'backoff' then
    local left = math.max(0, (remote.retry_at or 0) - vim.uv.now())
    return ('%s, trying again in %d s'):format(what, math.ceil(left / 1000))
  end
  return remote.attempts > 0 and what .. ', trying again now' or 'connecting …'
end

--- Why a host cannot be called, and what to do.
---@param name string
---@param remote? termi.Remote
---@return string
function M.error(name, remote)
  local status = M.status(remote)
  local text = status and ('%s: %s.'):format(name, status) or ('%s is not connected.'):format(name)
  return ('%s `:Termi connect %s` connects it now.'):format(text, name)
end

---@param text string
---@return string?
local function last_line(text)
  local lines = vim.split(vim.trim(text), '%s*\n%s*')
  local line = lines[#lines] or ''
  return line ~= '' and format.one_line(line) or nil
end

--- Why the process of a connection has ended.
---@param remote termi.Remote
---@param stderr string the end of what it said
---@param code integer
---@return string reason
---@return boolean is_final trying again would not help
function M.reason(remote, stderr, code)
  local name, said = remote.name, last_line((stderr:gsub('termi: ', '')))
  if code == 127 and remote.state == 'connecting' then
    -- Short enough for one line: it comes when somebody may be typing elsewhere.
    local what = said and said:gsub('^%S+: line %d+: ', '') or 'exit code 127'
    return ('%s has no termi: %s. Install it, or set hosts.%s.cmd'):format(name, what, name), true
  end
  -- Of what ssh says, what comes last is the reason.
  said = said and said:gsub('^ssh: ', ''):gsub('^connect to host %S+ port %d+: ', '')
  said = said and said:gsub('^Could not resolve hostname %S+: ', '')
  local how = said or code > 128 and format.signal(code - 128) or ('its command ended with exit code %d'):format(code)
  return remote.state == 'ready' and how or ('cannot connect to %s: %s'):format(name, how), false
end

return M
