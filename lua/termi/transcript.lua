--- The text of a run, and the host's log, in buffers of their own.
local actions = require('termi.actions')
local client = require('termi.client')
local format = require('termi.format')
local message = require('termi.message')
local sessions = require('termi.sessions')

local M = {}

--- Opens the whole text of a run, as of now, in a scratch buffer.
---@param target string
function M.open(target)
  local row = sessions.resolve_one(target)
  local snapshot = actions.snapshot(sessions.target(row))
  local lines = vim.tbl_map(function(line)
    return (line:gsub('\n', ' '))
  end, snapshot.lines)
  while lines[#lines] and not lines[#lines]:find('%S') do
    table.remove(lines)
  end
  if snapshot.truncated_bytes > 0 then
    local cut = format.bytes(snapshot.truncated_bytes)
    table.insert(lines, 1, ('── %s of older output are no longer kept ──'):format(cut))
  end
  vim.cmd('botright new')
  local buf = vim.api.nvim_get_current_buf()
  vim.bo[buf].buftype = 'nofile'
  vim.bo[buf].bufhidden = 'wipe'
  vim.bo[buf].swapfile = false
  vim.api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  pcall(vim.api.nvim_buf_set_name, buf, ('termi-transcript://%s/%s'):format(row.session.name, os.date('%H:%M:%S')))
  vim.bo[buf].modified = false
  vim.api.nvim_win_set_cursor(0, { math.max(1, #lines), 0 })
end

--- Opens the host's log at its end.
function M.open_log()
  local path = client.log_path()
  if not vim.uv.fs_stat(path) then
    message.fail('there is no log at %s yet. :TermiRun starts the host, which writes it.', path)
  end
  vim.cmd('botright split')
  vim.cmd.view(vim.fn.fnameescape(path))
  vim.bo.autoread = true
  vim.cmd.normal({ args = { 'G' }, bang = true })
end

return M
