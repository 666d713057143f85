--- `:edit termi://{target}`, and the buffers `termi://{session}/{run}` that a restored :mksession names.
local attach = require('termi.view.attach')
local sessions = require('termi.model.sessions')
local views = require('termi.model.views')

local M = {}

---@param uri string
---@return termi.Row
local function resolve(uri)
  local path = uri:gsub('^termi://', '')
  local session, run = path:match('^(.+)/([^/]+)$')
  return sessions.resolve_one(session and session .. ':' .. run or path)
end

--- Fills a buffer of that name. When its run cannot be had, the buffer says why.
---@param buf integer
---@param uri string
function M.read(buf, uri)
  local ok, row = pcall(resolve, uri)
  local other = ok and views.of_run(row.process.run_id)
  if other and other.buf ~= buf then
    vim.api.nvim_win_set_buf(0, other.buf)
    return vim.schedule(function()
      pcall(vim.api.nvim_buf_delete, buf, { force = true })
    end)
  end
  local why ---@type any
  if ok then
    ok, why = pcall(attach.make_view, row, vim.api.nvim_get_current_buf() == buf and 'current' or 'none', { buf = buf })
  else
    why = row
  end
  if not ok then
    vim.bo[buf].buftype = 'nofile'
    vim.api.nvim_buf_set_lines(buf, 0, -1, false, vim.split(tostring(why), '\n'))
    vim.bo[buf].modifiable = false
  end
end

return M
