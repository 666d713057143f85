--- Keymaps of a buffer: mapped from one table, and explained from it in a float.
local message = require('termi.ui.message')
local popup = require('termi.ui.popup')

local api = vim.api
local M = {}

---@class termi.Key
---@field lhs string
---@field also? string[] other keys that do the same
---@field hint? string shown below the lines
---@field desc string
---@field visual? boolean works on a selection too
---@field run fun()

--- Maps the keys in a buffer.
---@param buf integer
---@param keys termi.Key[]
function M.map(buf, keys)
  for _, key in ipairs(keys) do
    local modes = key.visual and { 'n', 'x' } or { 'n' }
    for _, lhs in ipairs(vim.list_extend({ key.lhs }, key.also or {})) do
      vim.keymap.set(modes, lhs, function()
        message.guard(key.run)
      end, { buffer = buf, nowait = true, silent = true, desc = 'Termi: ' .. key.desc })
    end
  end
end

--- Opens the help.
---@param title string
---@param keys termi.Key[]
function M.show(title, keys)
  local rows = {} ---@type termi.PopupRow[]
  for index, key in ipairs(keys) do
    rows[index] = { name = table.concat(vim.list_extend({ key.lhs }, key.also or {}), ' '), text = key.desc }
  end
  popup.open(title, rows)
end

--- Closes a buffer's window and goes back to where it was opened from.
function M.close()
  local win = api.nvim_get_current_win()
  vim.cmd('wincmd p')
  require('termi.ui.window').close(win)
end

return M
