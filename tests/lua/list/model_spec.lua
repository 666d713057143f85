local model = require('termi.list.model')
local session_rows = require('termi.model.session_rows')

---@param id string
---@param runs { id: string, at: integer, status?: string, cpu?: number }[]
---@param group? string
---@return termi.proto.Session
local function session(id, runs, group)
  local processes = vim.tbl_map(function(run)
    return {
      run_id = run.id,
      started_at = run.at,
      status = run.status or 'active',
      exit = run.status and { code = 0 } or nil,
      cpu_percent = run.cpu or 0,
      command = 'run ' .. run.id,
      cwd = '/srv',
      bytes = 0,
    }
  end, runs)
  return { name = id, cwd = '/srv', group = group, processes = processes } --[[@as termi.proto.Session]]
end

local rows = session_rows.all({
  web = session('web', { { id = 'w1', at = 10, cpu = 1 }, { id = 'w2', at = 20, cpu = 5 } }, 'site'),
  db = session('db', { { id = 'd1', at = 5, cpu = 3 } }, 'site'),
  tmp = session('tmp', { { id = 't1', at = 30, status = 'exited' } }),
})

---@param more? table
---@return termi.ListView
local function view(more)
  local one = { sort = 'age', reverse = false, filter = '', folded = {}, marked = {} }
  return vim.tbl_extend('force', one, more or {}) --[[@as termi.ListView]]
end

---@param nodes termi.ListNode[]
---@return string
local function ids(nodes)
  return table.concat(
    vim.tbl_map(function(node)
      return node.id
    end, nodes),
    ' '
  )
end

---@param expect termi.spec.Expect
return function(expect)
  return {
    ['a session of several runs has a line, one of a single run is that run'] = function()
      expect.equal(ids(model.nodes(rows, view())), 't1 group:site d1 web w1 w2')
    end,
    ['groups and sessions are sorted by what their runs are together'] = function()
      expect.equal(ids(model.nodes(rows, view({ sort = 'cpu' }))), 't1 group:site web w1 w2 d1')
      expect.equal(ids(model.nodes(rows, view({ sort = 'cpu', reverse = true }))), 't1 group:site d1 web w1 w2')
    end,
    ['what is folded is one line, which stands for its runs'] = function()
      local folded = model.nodes(rows, view({ folded = { web = true } }))
      expect.equal(ids(folded), 't1 group:site d1 web')
      expect.equal(#folded[4].rows, 2)
      expect.equal(ids(model.nodes(rows, view({ folded = { ['group:site'] = true } }))), 't1 group:site')
    end,
    ['a filter finds each word somewhere, and what is folded'] = function()
      expect.equal(ids(model.nodes(rows, view({ filter = 'SITE w2', folded = { web = true } }))), 'group:site web w2')
      expect.equal(ids(model.nodes(rows, view({ filter = 'done' }))), 't1')
      expect.equal(ids(model.nodes(rows, view({ filter = 'nothing' }))), '')
    end,
    ['a node that is hidden is found in what stands for it'] = function()
      local before = model.nodes(rows, view())
      local after = model.nodes(rows, view({ folded = { web = true } }))
      expect.equal(before[6].id, 'w2')
      expect.equal(after[assert(model.find(after, before[6]))].id, 'web')
      expect.equal(model.find(after, nil), nil)
    end,
    ['sessions are counted once'] = function()
      expect.equal(model.count_sessions(rows), 3)
    end,
  }
end
