--- The commands: dispatch of `:Termi` and its short forms to the subcommands.
local errors = require('termi.core.errors')
local message = require('termi.ui.message')
local help = require('termi.command.help')
local subcommands = require('termi.command.subcommands')

local M = {}

---@param name string
---@return termi.Command?
function M.find(name)
  name = name:gsub('!$', '')
  for _, command in ipairs(subcommands.all) do
    if command.name == name or command.alias == name then
      return command
    end
  end
end

---@return string[]
function M.names()
  local names = {}
  for _, command in ipairs(subcommands.all) do
    names[#names + 1] = command.name
    names[#names + 1] = command.alias
  end
  table.sort(names)
  return names
end

---@param name? string the subcommand; nil: it is the first word of the arguments
---@param given vim.api.keyset.create_user_command.command_args
local function dispatch(name, given)
  local rest = given.args
  local bang = given.bang
  if not name then
    name, rest = rest:match('^%S*') or '', rest:gsub('^%S*%s*', '')
    bang = bang or vim.endswith(name, '!')
  end
  if name == '' then
    return help.show(subcommands.all)
  end
  local command = M.find(name)
  if not command then
    local likely = errors.nearest(name, M.names())
    local advice = likely and ('Did you mean `%s`?'):format(likely) or ':Termi help lists them.'
    message.fail('`%s` is not a subcommand. %s', name, advice)
  end
  local range = given.range > 0 and { given.line1, given.line2 } or nil
  command.run({ rest = rest, bang = bang, range = range })
end

--- Carries out a command; what it raises is shown, without a traceback.
---@param name? string
---@param given vim.api.keyset.create_user_command.command_args
function M.execute(name, given)
  message.guard(dispatch, name, given)
end

return M
