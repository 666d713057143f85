-- Measured by start.rs, in a Neovim of its own: `nvim -l start.lua WHAT` prints ms=TIME.
local what = _G.arg[1]
vim.opt.runtimepath:prepend(vim.env.TERMI_BENCH_ROOT)
vim.cmd('runtime plugin/termi.lua')

local function wait_for(done)
  assert(vim.wait(20000, done, 1), what .. ': it did not come')
end

local begun ---@type number
local ended ---@type number?
if what == 'terminal' then
  vim.api.nvim_create_autocmd('TermClose', {
    callback = function()
      ended = ended or vim.uv.hrtime()
    end,
  })
  begun = vim.uv.hrtime()
  vim.cmd('terminal true')
else
  require('termi').setup({ binary = vim.env.TERMI_BENCH_BINARY })
  if what ~= 'first' then
    require('termi').run({ cmd = 'true', open = 'none' })
    vim.wait(300)
  end
  local function shown()
    ended = ended or vim.uv.hrtime()
  end
  if what == 'ended' then
    vim.api.nvim_create_autocmd('User', { pattern = 'TermiExited', callback = shown })
  else
    local view = require('termi.view')
    local frame = view.frame
    view.frame = function(...)
      local result = frame(...)
      shown()
      return result
    end
  end
  begun = vim.uv.hrtime()
  vim.cmd('TermiRun true')
end
wait_for(function()
  return ended ~= nil
end)
io.stdout:write(('ms=%.3f\n'):format(((ended or 0) - begun) / 1e6))
vim.cmd('qall!')
