-- Builds the binary, for plugin managers that execute this file after they have installed or updated the plugin
-- (lazy.nvim does so by itself). Others call `require('termi.build')()`.
local root = vim.fn.fnamemodify(assert(debug.getinfo(1, 'S')).source:sub(2), ':p:h')
if not vim.tbl_contains(vim.api.nvim_list_runtime_paths(), root) then
  vim.opt.runtimepath:append(root)
end
require('termi.build')()
