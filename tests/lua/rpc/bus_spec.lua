local bus = require('termi.rpc.bus')

---@param expect termi.spec.Expect
return function(expect)
  return {
    ['handlers of a type come before those who listen to all'] = function()
      local heard = {} ---@type string[]
      bus.on_any(function(event)
        if event.type == 'spec' then
          heard[#heard + 1] = 'any'
        end
      end)
      for _, name in ipairs({ 'first', 'second' }) do
        bus.on('spec', function()
          heard[#heard + 1] = name
        end)
      end
      bus.publish({ type = 'spec' } --[[@as termi.proto.Event]])
      expect.equal(heard, { 'first', 'second', 'any' })
    end,
  }
end
