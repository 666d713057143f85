--- Help of the commands: `:Termi help`.
local format = require('termi.core.format')

local M = {}

--- Shows the subcommands, a line for each.
---@param subcommands termi.Command[]
function M.show(subcommands)
  local chunks = {} ---@type [string, string?][]
  for _, command in ipairs(subcommands) do
    chunks[#chunks + 1] = { ':Termi ' .. format.fit(command.usage, 31), 'Identifier' }
    local also = command.alias and (' (also: %s)'):format(command.alias) or ''
    chunks[#chunks + 1] = { ('%s%s\n'):format(command.desc, also) }
  end
  chunks[#chunks + 1] = { 'More in :help termi', 'Comment' }
  vim.api.nvim_echo(chunks, false, {})
end

return M
