--- Completion of the command line: finds the subcommand and the word, and asks the subcommand for its candidates.
local candidates = require('termi.command.candidates')
local commands = require('termi.command')

local M = {}

--- Completes a command line up to the cursor.
---@param subcommand? string nil: its first word is the subcommand
---@param line string
---@return string[]
function M.command_line(subcommand, line)
  local rest = line:gsub('^.-Termi%a*!?%s*', '', 1)
  if not subcommand then
    subcommand = rest:match('^(%S+)%s')
    if not subcommand then
      return candidates.starting_with(commands.names(), rest)
    end
    rest = rest:gsub('^%S+%s+', '')
  end
  local command = commands.find(subcommand)
  if not command or not command.complete then
    return {}
  end
  -- The last word: what follows the last space that no backslash stands before.
  local before, lead = '', rest
  for at = #rest, 1, -1 do
    if rest:sub(at, at):find('%s') and rest:sub(at - 1, at - 1) ~= '\\' then
      before, lead = rest:sub(1, at), rest:sub(at + 1)
      break
    end
  end
  return command.complete(before, lead)
end

return M
