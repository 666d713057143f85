--- Builds the binary with cargo. The module can be called: `require('termi.build')()` is a plugin manager's build
--- step.
local binary = require('termi.rpc.binary')
local message = require('termi.ui.message')
local renamed = require('termi.core.renamed')

---@class termi.Build
local M = {}

-- Plugin managers call this after an update, be the plugin in use or not.
renamed.alias()

---@class termi.BuildOpts
---@field wait? boolean false: return at once, and say later how it went
---@field on_done? fun(ok: boolean, output: string)

--- How much of cargo's output an error shows.
local SHOWN_LINES = 30

---@param text string
local function progress(text)
  vim.schedule(function()
    vim.api.nvim_echo({ { 'termi: ' .. text } }, false, {})
    vim.cmd.redraw()
  end)
end

---@param output string
---@return string
local function tail(output)
  local lines = vim.split(vim.trim(output), '\n')
  return table.concat(vim.list_slice(lines, math.max(1, #lines - SHOWN_LINES + 1)), '\n')
end

--- What to do where cargo cannot write: nothing that it says itself leads there.
---@param output string
---@return string
local function advice(output)
  for _, sign in ipairs({ 'Read-only file system', 'Permission denied' }) do
    if output:find(sign, 1, true) then
      return ('\n%s is not writable. Build termi in a writable copy, then put it on $PATH '):format(binary.root())
        .. '(`cargo install --path COPY --locked` does) or name it with the option `binary` of setup().'
    end
  end
  return ''
end

---@param code integer cargo's
---@param output string
---@return string
local function failure(code, output)
  return ('the build failed (cargo exited %d):\n%s%s'):format(code, tail(output), advice(output))
end

--- Plugin managers make the help's tags; a folder that was put on 'runtimepath' by hand gets them here.
local function make_help_tags()
  pcall(vim.cmd.helptags, vim.fs.joinpath(binary.root(), 'doc'))
end

---@return string
local function built()
  local running = require('termi.rpc.client').running()
  return 'built ' .. binary.built() .. (running and '. The host that runs is still the old one: `:Termi stop`.' or '')
end

--- Builds `target/release/termi`. Waiting, it raises when that fails; not waiting, it notifies.
---@param opts? termi.BuildOpts
---@return boolean built
function M.build(opts)
  opts = opts or {}
  local root = binary.root()
  if vim.fn.executable('cargo') == 0 then
    message.fail('cargo not found. Install Rust from https://rustup.rs and run `:Termi build`.')
  elseif not vim.uv.fs_stat(vim.fs.joinpath(root, 'Cargo.toml')) then
    message.fail('%s has no Cargo.toml: the plugin came without its sources.', root)
  end
  local output = {} ---@type string[]
  local result = nil ---@type vim.SystemCompleted?
  local last = ''
  local function heard(_, data)
    if data then
      output[#output + 1] = data
      local step = data:match('(Compiling %S+)[^\n]*\n?$') or data:match('(Finished[^\n]*)\n?$')
      if step and step ~= last then
        last = step
        progress(step)
      end
    end
  end
  progress('building the binary with cargo; the first build takes a few minutes …')
  local command = { 'cargo', 'build', '--release', '--locked', '--target-dir', vim.fs.joinpath(root, 'target') }
  vim.system(command, { cwd = root, stdout = heard, stderr = heard, text = true }, function(done)
    result = done
    if opts.wait == false then
      vim.schedule(function()
        local ok, text = done.code == 0, table.concat(output)
        if ok then
          make_help_tags()
          message.info(built())
        else
          message.error(failure(done.code, text))
        end
        if opts.on_done then
          opts.on_done(ok, text)
        end
      end)
    end
  end)
  if opts.wait == false then
    return false
  end
  -- In turns, so that CTRL-C ends the waiting, and only that.
  while not result do
    local _, why = vim.wait(60000, function()
      return result ~= nil
    end, 100)
    if why == -2 then
      message.fail('interrupted while cargo builds')
    end
  end
  local code, text = (result --[[@as vim.SystemCompleted]]).code, table.concat(output)
  if opts.on_done then
    opts.on_done(code == 0, text)
  end
  if code ~= 0 then
    message.fail('%s', failure(code, text))
  end
  make_help_tags()
  progress(built())
  return true
end

---@class termi.CallableBuild : termi.Build
---@overload fun(opts?: termi.BuildOpts): boolean
return setmetatable(M, {
  __call = function(_, opts)
    return M.build(opts)
  end,
})
