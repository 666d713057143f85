local format = require('termi.core.format')

---@param expect termi.spec.Expect
return function(expect)
  return {
    ['a duration is read in each unit, and in several'] = function()
      expect.equal(format.parse_duration('500ms'), 500)
      expect.equal(format.parse_duration('30'), 30000)
      expect.equal(format.parse_duration('1.5s'), 1500)
      expect.equal(format.parse_duration('1h30m'), 5400000)
    end,
    ['what is no duration is none'] = function()
      for _, text in ipairs({ '', 'x', '5d', '5m x', '-1s', 'm5' }) do
        expect.equal(format.parse_duration(text), nil)
      end
    end,
    ['a duration is written in two units at most'] = function()
      local cases = { [45] = '45ms', [3290] = '3.2s', [59999] = '59s', [252000] = '4m12s', [7500000] = '2h05m' }
      for ms, text in pairs(cases) do
        expect.equal(format.duration(ms), text)
      end
      expect.equal(format.duration(3 * 86400000 + 4 * 3600000), '3d4h')
    end,
    ['how long something has been so is written in one unit'] = function()
      local cases = { [-5] = '0s', [59999] = '59s', [125000] = '2m', [7500000] = '2h', [3 * 86400000] = '3d' }
      for ms, text in pairs(cases) do
        expect.equal(format.short_duration(ms), text)
      end
    end,
    ['bytes keep a digit behind the point below ten'] = function()
      expect.equal(format.bytes(0), '0B')
      expect.equal(format.bytes(999), '999B')
      expect.equal(format.bytes(1000), '1.0K')
      expect.equal(format.bytes(3.4 * 1024), '3.4K')
      expect.equal(format.bytes(120 * 1024 ^ 2), '120M')
    end,
    ['control characters become one space'] = function()
      expect.equal(format.one_line(' a\n\tb\27 '), 'a b')
      expect.equal(format.one_line('as it is'), 'as it is')
      -- Marks of direction, separators of lines, and what nobody sees; joiners spell words and emoji.
      expect.equal(format.one_line('a\u{200f}b\u{2028}c\u{202e}d\u{61c}e\u{feff}f\u{9b}g\u{2066}h'), 'a b c d e f g h')
      for _, text in ipairs({ 'می\u{200c}خواهم', '👩\u{200d}💻', 'عربي 你好 «é» — …' }) do
        expect.equal(format.one_line(text), text)
      end
    end,
    ['a text is padded or cut to its columns, wide characters too'] = function()
      expect.equal(format.fit('ab', 4), 'ab  ')
      expect.equal(format.fit('ab', 4, true), '  ab')
      expect.equal(format.fit('abcdef', 4), 'abc…')
      expect.equal(format.fit('日本語', 5), '日本…')
      expect.equal(format.fit('日本語', 4), '日… ')
      expect.equal(format.fit('abc', 0), '')
    end,
    ['a signal without a name has its number'] = function()
      expect.equal(format.signal(15), 'SIGTERM')
      expect.equal(format.signal(40), 'signal 40')
    end,
    ['commas stand after each three digits'] = function()
      expect.equal(format.with_commas(999), '999')
      expect.equal(format.with_commas(1000), '1,000')
      expect.equal(format.with_commas(1234567), '1,234,567')
    end,
  }
end
