local renamed = require('termi.core.renamed')

--- Calls `fn` with a module in memory as an update of the plugin leaves it there, and takes away what that brings along.
---@param fn fun(module: table)
local function after_an_update(fn)
  local loaded, preload = vim.tbl_keys(package.loaded), vim.tbl_keys(package.preload)
  local module = {}
  package.loaded['termi.wording'] = module
  local ok, why = pcall(fn, module)
  package.loaded['termi.wording'] = nil
  for name in pairs(package.preload) do
    if not vim.list_contains(preload, name) then
      package.preload[name] = nil
    end
  end
  for name in pairs(package.loaded) do
    if vim.startswith(name, 'termi') and not vim.list_contains(loaded, name) then
      package.loaded[name] = nil
    end
  end
  if not ok then
    error(why, 0)
  end
end

---@param expect termi.spec.Expect
return function(expect)
  return {
    ['nothing is renamed where nothing old is loaded'] = function()
      renamed.alias()
      expect.equal(package.preload['termi.history'], nil)
      expect.equal(renamed.unload(), nil)
    end,
    ['each old name leads to a module that is there'] = function()
      after_an_update(function()
        renamed.alias()
        local count = 0
        for name, load in pairs(package.preload) do
          if vim.startswith(name, 'termi.') then
            count = count + 1
            expect.equal(load() ~= nil, true)
          end
        end
        expect.equal(count > 20, true)
        expect.equal(package.preload['termi.history'](), require('termi.browse.history'))
      end)
    end,
    ['what is old is unloaded, and the options stay'] = function()
      after_an_update(function()
        local config = require('termi.config')
        local connection = { replied = function() end }
        package.loaded['termi.connection'] = connection
        package.loaded['termi.host'] = {}
        expect.equal(renamed.unload(), connection)
        expect.equal(package.loaded['termi.host'], nil)
        expect.equal(package.loaded['termi.wording'], nil)
        expect.equal(package.loaded['termi.config'], config)
      end)
    end,
  }
end
