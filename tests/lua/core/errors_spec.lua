local errors = require('termi.core.errors')

---@param expect termi.spec.Expect
return function(expect)
  return {
    ['an error begins with the name of the plugin, once, and has no place'] = function()
      local _, why = pcall(errors.fail, 'no %s', 'run')
      expect.equal(why, 'termi: no run')
      _, why = pcall(errors.fail, 'termi: 100%')
      expect.equal(why, 'termi: 100%')
    end,
    ['the word that was meant is found'] = function()
      local words = { 'restart', 'rename', 'remove', 'command', 'kill' }
      expect.equal(errors.nearest('restrat', words), 'restart')
      expect.equal(errors.nearest('ren', words), 'rename')
      expect.equal(errors.nearest('cmd', { 'command' }), nil)
      expect.equal(errors.nearest('command', { 'cmd', 'kill' }), 'cmd')
      expect.equal(errors.nearest('zzz', words), nil)
    end,
    ['a name that is not known comes with those that are'] = function()
      expect.equal(
        errors.none_of('host', 'x', {}, 'termi-hosts'),
        'there is no host `x`: none is set up. :help termi-hosts'
      )
      expect.equal(errors.none_of('host', 'gpus', { 'gpu' }, ''), 'there is no host `gpus`. Did you mean `gpu`?')
      expect.equal(errors.none_of('host', 'x', { 'gpu', 'web' }, ''), 'there is no host `x`. There are: gpu, web.')
    end,
    ["the host's errors point to commands, by their code"] = function()
      local lives_on = errors.of({ code = 'lives_on', message = 'as the host says it' })
      expect.equal(lives_on:match(':Termi kill'), ':Termi kill')
      local data = { kind = 'group', name = 'web' }
      local not_found = errors.of({ code = 'not_found', message = 'as the host says it', data = data })
      expect.equal(not_found, 'no session is in the group `web`. :TermiSessions lists them.')
      expect.equal(errors.of({ code = 'internal', message = 'as the host says it' }), 'as the host says it')
    end,
  }
end
