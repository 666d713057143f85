--- Renamed modules: an editor in which the plugin was updated has modules in memory whose names had no directory yet,
--- and that load others by such names. Those lead here to what is in their place now.
local M = {}

local RENAMED = {
  actions = 'run.actions',
  aids = 'view.shell_integration',
  attach = 'view.attach',
  clipboard = 'view.clipboard',
  connection = 'rpc.connection',
  format = 'core.format',
  gap = 'view.skipped_marker',
  highlights = 'ui.highlights',
  history = 'browse.history',
  list_bar = 'list.winbar',
  list_keys = 'list.keymaps',
  long_message = 'ui.message_float',
  message = 'ui.message',
  person = 'view.follow_autocmds',
  pipe = 'run.pipe',
  remote = 'rpc.remote',
  sessions = 'model.sessions',
  stats = 'browse.stats',
  statusline = 'model.statusline',
  templates = 'run.templates',
  toggle = 'run.toggle',
  transcript = 'browse.transcript',
  wording = 'core.errors',
}

--- Whether a module that was loaded under an old name is another than what is in its place now.
---@return boolean
local function is_any_loaded()
  for old, new in pairs(RENAMED) do
    local module = package.loaded['termi.' .. old]
    if type(module) == 'table' and module ~= package.loaded['termi.' .. new] then
      return true
    end
  end
  return false
end

--- Makes the old names lead to the new ones.
function M.alias()
  for old, new in pairs(is_any_loaded() and RENAMED or {}) do
    package.preload['termi.' .. old] = package.preload['termi.' .. old]
      or function()
        return require('termi.' .. new)
      end
  end
end

--- Unloads the modules that were loaded before the update, for they would take the answers to calls that are made now.
--- As after any reload, the hosts and the views are found again. The options stay.
---@return { replied: fun(reply: termi.proto.Reply, host: string) }? connection whose calls may still be answered
function M.unload()
  if not is_any_loaded() then
    return nil
  end
  local connection = package.loaded['termi.connection']
  M.alias()
  for name, module in pairs(package.loaded) do
    local is_old = name == 'termi' or name:find('^termi%.[a-z_]+$')
    if is_old and name ~= 'termi.config' and type(module) == 'table' then
      package.loaded[name] = nil
    end
  end
  return type(connection) == 'table' and connection or nil
end

return M
