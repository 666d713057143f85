--- Finds the `termi` binary.
local config = require('termi.config')
local message = require('termi.ui.message')

local M = {}

--- The plugin's own folder: the one that holds lua/, src/ and Cargo.toml.
---@return string
function M.root()
  local this = assert(debug.getinfo(1, 'S')).source:sub(2)
  return vim.fn.fnamemodify(this, ':p:h:h:h:h')
end

--- Where `cargo build --release` puts the binary.
---@return string
function M.built()
  return vim.fs.joinpath(M.root(), 'target', 'release', 'termi')
end

--- The version that Cargo.toml names, to compare with the binary's.
---@return string? version nil when the plugin came without its sources
function M.source_version()
  local file = io.open(vim.fs.joinpath(M.root(), 'Cargo.toml'), 'r')
  if not file then
    return nil
  end
  local text = file:read('*a')
  file:close()
  return text:match('\n%s*version%s*=%s*"([^"]+)"')
end

--- The places looked at, in order, and what was found.
---@return string? path
---@return string[] tried in words
function M.search()
  local configured = config.get().binary
  if configured then
    local path = vim.fs.normalize(configured)
    local found = vim.fn.exepath(path)
    return found ~= '' and found or nil, { path .. ' (the `binary` option)' }
  end
  local built = M.built()
  if vim.fn.executable(built) == 1 then
    return built, {}
  end
  local in_path = vim.fn.exepath('termi')
  return in_path ~= '' and in_path or nil, { built, 'termi in $PATH' }
end

--- Whether a program that does not answer is termi at all; asked by its version, for a moment.
---@param path string
---@return boolean
function M.is_termi(path)
  local ok, result = pcall(function()
    return vim.system({ path, '--version' }, { text = true, timeout = 2000 }):wait()
  end)
  return ok and result.code == 0 and vim.startswith(result.stdout or '', 'termi ')
end

--- Raises a message that says how to get a binary when there is none.
---@return string path
function M.find()
  local path, tried = M.search()
  if not path then
    if config.get().binary then
      message.fail('`binary` is not executable: %s. Correct it or leave it out.', config.get().binary)
    end
    message.fail('termi binary not found. Build it: `:Termi build`. Looked for %s.', table.concat(tried, ' and '))
  end
  return path --[[@as string]]
end

return M
