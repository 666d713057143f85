local args = require('termi.run.args')

---@param expect termi.spec.Expect
return function(expect)
  return {
    ['a backslash keeps a space in a word'] = function()
      expect.equal({ args.take_word([[a\ b\\ c d]]) }, { [[a b\]], 'c d' })
      expect.equal({ args.take_word('') }, { '', '' })
      expect.equal(args.only_word([[a\ b]]), 'a b')
    end,
    ['options come first, and the command is untouched'] = function()
      local opts = args.parse([[++name=a\ b ++timeout=1m  echo  "++x" \ y]])
      expect.equal(opts, { name = 'a b', timeout_ms = 60000, cmd = [[echo  "++x" \ y]] })
      expect.equal(args.parse(''), {})
    end,
    ['a second word, an option, and a bad value are refused'] = function()
      expect.raises('too many words: `b`', function()
        args.only_word('a b')
      end)
      expect.raises('`++x` is an option', function()
        args.only_word('++x')
      end)
      expect.raises('++timeout=soon is not a duration', function()
        args.parse('++timeout=soon true')
      end)
      expect.raises('`:Termi show` takes ++open=… and no other option, not `++name`', function()
        args.parse('++name=x', { only = 'open', command = ':Termi show' })
      end)
    end,
  }
end
