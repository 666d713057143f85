---@meta _
-- For emmylua_check: what the annotations that Neovim ships leave out.

-- Upstream gives vim.iter a bare call operator, which reads as taking no argument.
---@class IterMod
---@overload fun(source: table|function, ...: any): Iter
