--- The daemon's socket, and whether one may listen there. Nothing here calls it.
local config = require('termi.config')

local M = {}

---@return string? path
local function absolute(path)
  return path and vim.startswith(path, '/') and path or nil
end

--- The daemon's socket, as the binary finds it.
---@return string
function M.socket()
  local runtime = absolute(vim.env.XDG_RUNTIME_DIR)
  local stat = runtime and vim.uv.fs_stat(runtime)
  if runtime and stat and stat.type == 'directory' then
    return vim.fs.joinpath(runtime, 'termi', 'daemon.sock')
  end
  local temporary = vim.env.TMPDIR ~= '' and vim.env.TMPDIR or '/tmp'
  return vim.fs.joinpath(temporary or '/tmp', 'termi-' .. vim.uv.getuid(), 'daemon.sock')
end

--- Whether there may be a daemon that has sessions. Does not ask it.
---@return boolean
function M.may_have_sessions()
  return config.get().persist and vim.uv.fs_stat(M.socket()) ~= nil
end

return M
