-- What the measurements do on both sides: the same window, once with a Termi view and once with `:terminal`.
local api = vim.api
local root = api.nvim_get_current_buf()

vim.o.hidden = true

--- Starts a program in the current window.
---@param side 'termi'|'terminal'
---@param cmd string[]
function _G.start(side, cmd)
  if side == 'termi' then
    require('termi').run({ cmd = cmd, open = 'current' })
  else
    vim.cmd.enew()
    vim.fn.jobstart(cmd, { term = true })
    vim.cmd.startinsert()
  end
end

local function wipe()
  vim.cmd('silent! only!')
  api.nvim_set_current_buf(root)
  for _, buf in ipairs(api.nvim_list_bufs()) do
    if buf ~= root then
      pcall(api.nvim_buf_delete, buf, { force = true })
    end
  end
end

--- Ends whatever runs, wipes its buffers, leaves one window, and tells when all that is done.
function _G.clean()
  local client = require('termi.rpc.client')
  wipe()
  if not client.running() then
    return _G.tell('clean')
  end
  client.request('kill', { target = 'all', signal = 9 }, function()
    client.request('remove', { target = 'all' }, function()
      vim.schedule(function()
        _G.tell('clean')
      end)
    end)
  end)
end

api.nvim_create_autocmd('TermClose', {
  callback = function()
    _G.tell('ended')
  end,
})
api.nvim_create_autocmd('User', {
  pattern = 'TermiExited',
  callback = function()
    _G.tell('ended')
  end,
})
