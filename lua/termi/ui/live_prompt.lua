--- Live prompt: asks for a text in the command line while something on the screen follows each key.
local M = {}

--- Returns what was typed; nil when it was cancelled.
---@param prompt string
---@param default string
---@param on_change fun(text: string)
---@return string?
function M.ask(prompt, default, on_change)
  local group = vim.api.nvim_create_augroup('termi.live_input', {})
  vim.api.nvim_create_autocmd('CmdlineChanged', {
    group = group,
    pattern = '@',
    callback = function()
      on_change(vim.fn.getcmdline())
      vim.cmd.redraw()
    end,
  })
  local cancelled = '\0'
  -- CTRL-C raises.
  local ok, typed = pcall(function()
    return vim.fn.input({ prompt = prompt, default = default, cancelreturn = cancelled })
  end)
  vim.api.nvim_del_augroup_by_id(group)
  -- The question is not to stay on the screen.
  vim.cmd.redraw()
  vim.api.nvim_echo({ { '' } }, false, {})
  return ok and typed ~= cancelled and typed or nil
end

return M
