local session_rows = require('termi.model.session_rows')

---@param name string
---@param started integer[]
---@param more? table
---@return termi.proto.Session
local function session(name, started, more)
  local processes = {}
  for index, at in ipairs(started) do
    processes[index] = { run_id = name .. index, started_at = at, status = 'active' }
  end
  local one = { name = name, cwd = '/', processes = processes }
  return vim.tbl_extend('force', one, more or {}) --[[@as termi.proto.Session]]
end

---@param rows termi.Row[]
---@return string[]
local function ids(rows)
  return vim.tbl_map(function(row)
    return row.process.run_id
  end, rows)
end

---@param expect termi.spec.Expect
return function(expect)
  return {
    ['runs stand by group, then as they were started'] = function()
      local sessions = {
        a = session('a', { 30, 10 }),
        b = session('b', { 5 }, { group = 'web' }),
        c = session('c', { 20 }),
      }
      expect.equal(ids(session_rows.all(sessions)), { 'a2', 'a1', 'c1', 'b1' })
    end,
    ['those of the current directory come first'] = function()
      local sessions = {
        a = session('a', { 1 }),
        b = session('b', { 2 }, { cwd = vim.fn.getcwd() }),
        c = session('c', { 3 }, { cwd = vim.fn.getcwd(), host = 'gpu' }),
      }
      expect.equal(ids(session_rows.here_first(session_rows.all(sessions)))[1], 'b1')
      expect.equal(session_rows.is_here(sessions.c), false)
    end,
  }
end
