local options = require('termi.core.run_options')

---@param expect termi.spec.Expect
return function(expect)
  return {
    ['an unknown option is named, and the likely one'] = function()
      expect.raises('`nam` is not an option. Did you mean `name`?', function()
        options.check({ nam = 'x' })
      end)
    end,
    ['a value of another type is named'] = function()
      expect.raises('`name` must be a string, not 5', function()
        options.check({ name = 5 })
      end)
    end,
    ['a template has options of its own, and none of a window'] = function()
      expect.equal(options.complaint_about_template({ cmd = 'true', after = { 'db' } }), nil)
      expect.equal(
        options.complaint_about_template({ cmd = 'true', focus = true }),
        '`focus` is not an option of templates'
      )
    end,
    ['only what the host takes goes to it'] = function()
      expect.equal(options.wire({ name = 'x', open = 'split', focus = false }), { name = 'x' })
    end,
  }
end
