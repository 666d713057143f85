local columns = require('termi.ui.table')

---@param key string
---@param more table
---@return termi.Column
local function column(key, more)
  return vim.tbl_extend('force', {
    key = key,
    title = key,
    max = 20,
    cell = function(item)
      return { text = item[key] }
    end,
  }, more) --[[@as termi.Column]]
end

---@param expect termi.spec.Expect
return function(expect)
  local items =
    { { name = 'web', what = 'npm run dev', size = '9' }, { name = 'database', what = 'psql', size = '12' } }
  return {
    ['columns are as wide as what is in them, and aligned'] = function()
      local head, lines =
        columns.table({ column('name', {}), column('size', { right = true }), column('what', {}) }, items, 80)
      expect.equal(head, 'name      size  what')
      expect.equal(lines, { 'web          9  npm run dev', 'database    12  psql' })
    end,
    ['what may be left out goes first when the width is small'] = function()
      local list = { column('name', {}), column('size', { drop = 1 }), column('what', { min = 5 }) }
      local head, lines = columns.table(list, items, 16)
      expect.equal(head, 'name      what')
      expect.equal(lines, { 'web       npm r…', 'database  psql' })
    end,
    ['no line is wider than it may be'] = function()
      local list = { column('name', { min = 3 }), column('size', { drop = 1 }), column('what', { min = 5 }) }
      for width = 10, 40 do
        local _, lines = columns.table(list, items, width)
        for _, line in ipairs(lines) do
          expect.equal(vim.fn.strdisplaywidth(line) <= width, true)
        end
      end
    end,
    ['titles are cut between words only'] = function()
      expect.equal(columns.cut_head('NAME  CPU  MEMORY', 12), 'NAME  CPU   ')
      expect.equal(columns.cut_head('NAME  CPU', 12), 'NAME  CPU   ')
      expect.equal(columns.cut_head('NAME  CPU', 3), '   ')
    end,
    ['marks end with the text'] = function()
      local list = {
        column('name', {
          cell = function()
            return { text = 'a', hl = 'One', tail = { { text = ' b', hl = 'Two' } } }
          end,
        }),
      }
      local _, lines, marks = columns.table(list, { {} }, 20)
      expect.equal(lines, { 'a b' })
      expect.equal(marks, { { { from = 0, to = 1, group = 'One' }, { from = 1, to = 3, group = 'Two' } } })
    end,
  }
end
