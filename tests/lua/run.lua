--- Runner of the specs of the plugin's pure modules, in a Neovim that has the plugin in 'runtimepath', or by itself:
--- `nvim --clean -l tests/lua/run.lua [text in the name of a file or case]`. `tests/neovim/specs.rs` runs it in both Neovims.
---
--- A spec is a file `*_spec.lua` that returns a function: it gets `expect`, and returns cases, functions by name. A case
--- fails when it raises; the failure names the spec's line.

---@class termi.spec.Expect
local expect = {}

--- Fails when two values are not equal, tables by what is in them.
---@param actual any
---@param expected any
function expect.equal(actual, expected)
  if not vim.deep_equal(actual, expected) then
    error(('expected %s, got %s'):format(vim.inspect(expected), vim.inspect(actual)), 2)
  end
end

--- Fails when `fn` does not raise an error with a text in it.
---@param text string
---@param fn fun()
function expect.raises(text, fn)
  local ok, why = pcall(fn)
  if ok then
    error(('expected an error with %q, got none'):format(text), 2)
  elseif not tostring(why):find(text, 1, true) then
    error(('expected an error with %q, got %q'):format(text, tostring(why)), 2)
  end
end

--- The line of a spec that is on the stack.
---@param file string
---@return integer
local function line_in(file)
  local level = 2
  local info = debug.getinfo(level, 'Sl')
  while info and info.source ~= '@' .. file do
    level = level + 1
    info = debug.getinfo(level, 'Sl')
  end
  return info and info.currentline or 0
end

---@param directory string
---@param only string
---@return integer passed
---@return string[] failures
local function run(directory, only)
  local passed, failures = 0, {} ---@type integer, string[]
  local files = vim.fs.find(function(name)
    return vim.endswith(name, '_spec.lua')
  end, { path = directory, type = 'file', limit = math.huge })
  table.sort(files)
  for _, file in ipairs(files) do
    local cases = dofile(file)(expect) ---@type table<string, fun()>
    local names = vim.tbl_keys(cases)
    table.sort(names, function(a, b)
      return assert(debug.getinfo(cases[a], 'S')).linedefined < assert(debug.getinfo(cases[b], 'S')).linedefined
    end)
    for _, name in ipairs(names) do
      if (file .. ' ' .. name):find(only, 1, true) then
        local ok, failure = xpcall(cases[name], function(why)
          local text = tostring(why):gsub('^%S+_spec%.lua:%d+: ', '')
          return ('%s:%d: %s: %s'):format(file:sub(#directory + 2), line_in(file), name, text)
        end)
        passed = passed + (ok and 1 or 0)
        failures[#failures + 1] = not ok and failure or nil
      end
    end
  end
  return passed, failures
end

local here = vim.fs.dirname(assert(debug.getinfo(1, 'S')).source:sub(2))
local arguments = { ... }
if arguments[1] == 'termi' then
  -- In an editor that has the plugin.
  local passed, failures = run(here, '')
  return { passed = passed, failures = failures }
end
vim.opt.runtimepath:prepend(vim.fs.dirname(vim.fs.dirname(vim.fs.normalize(vim.fn.fnamemodify(here, ':p')))))
local passed, failures = run(here, arguments[1] or '')
io.stdout:write(('%d passed, %d failed\n'):format(passed, #failures))
for _, failure in ipairs(failures) do
  io.stdout:write(failure, '\n')
end
vim.cmd.cquit({ count = #failures > 0 and 1 or 0 })
