local config = require('termi.config')
local run_state = require('termi.model.run_state')
local status = require('termi.model.status')

---@param run table
---@return string
local function word(run)
  return status.of_ended(run --[[@as termi.proto.Process]]).word
end

---@param expect termi.spec.Expect
return function(expect)
  return {
    ['an end has one word, and what lives on is counted'] = function()
      expect.equal(word({ status = 'exited', exit = { code = 0 } }), 'done')
      expect.equal(word({ status = 'exited', exit = { code = 2 } }), 'exited 2')
      expect.equal(word({ status = 'exited', exit = { signal = 11 } }), 'SIGSEGV')
      expect.equal(word({ status = 'killed', exit = { signal = 15 } }), 'killed')
      expect.equal(word({ status = 'timed_out' }), 'timed out')
      expect.equal(word({ status = 'exited', exit = { code = 0 }, left_running = 2 }), 'done, 2 live on')
    end,
    ['a kill for a limit looks like a failure'] = function()
      local killed =
        status.of_ended({ status = 'killed', reason = 'used too much memory' } --[[@as termi.proto.Process]])
      expect.equal({ killed.icon, killed.hl }, { config.get().icons.killed, 'TermiFailure' })
    end,
    ['an agent has the word of its state, and the worst of several speaks for them'] = function()
      local function row(state, more)
        local agent = vim.tbl_extend('force', { app = 'x', state = state, since = 0, seen = false }, more or {})
        return { process = { run_id = state, status = 'active', agent = agent } }
      end
      local rows = {
        row('ready'),
        row('working', { progress = 40 }),
        row('done'),
        row('error'),
        row('blocked', { kind = 'question', message = 'which?' }),
      } --[[@as termi.Row[] ]]
      local words = { '^ready$', '^working 40%% +%d+d$', '^your turn$', '^error$', '^asks$' }
      for count, pattern in ipairs(words) do
        local first = vim.list_slice(rows, 1, count)
        expect.equal(status.of_all(first).word:find(pattern), 1)
        expect.equal(status.agent_of_all(first), first[#first].process.agent)
      end
      local seen = row('done', { seen = true }) --[[@as termi.Row]]
      expect.equal(status.of_all({ seen, rows[2] }).word:find('^working'), 1)
      expect.equal(status.of(row('unknown').process --[[@as termi.proto.Process]]).word, 'running')
      expect.equal(status.of(row('blocked').process --[[@as termi.proto.Process]]).word, 'asks')
      local function worked(ms, progress)
        local agent = { app = 'x', state = 'working', since = run_state.now() - ms, seen = false, progress = progress }
        local process = { run_id = 'x', status = 'active', agent = agent }
        return status.of(process --[[@as termi.proto.Process]]).word
      end
      expect.equal({ worked(9500), worked(10500) }, { 'working  9s', 'working 10s' })
      expect.equal({ worked(9500, 9), worked(200000, 10) }, { 'working  9%  9s', 'working 10%  3m' })
      local get = { run_id = 'get', status = 'active', progress = { state = 'normal', percent = 7 } }
      expect.equal(status.of(get --[[@as termi.proto.Process]]).word, 'running  7%')
    end,
    ['what runs and what failed is counted'] = function()
      local rows = vim.tbl_map(function(process)
        return { process = process }
      end, {
        { run_id = 'a', status = 'active' },
        { run_id = 'b', status = 'exited', exit = { code = 1 } },
        { run_id = 'c', status = 'exited', exit = { code = 0 } },
      }) --[[@as termi.Row[] ]]
      expect.equal(status.summary(rows), '1 running, 1 failed')
      expect.equal(status.of_all(rows).word, 'running')
      expect.equal(status.summary({}), '')
      local function agent(state, seen)
        local its = { app = 'x', state = state, since = 1, seen = seen }
        return { process = { run_id = state .. tostring(seen), status = 'active', agent = its } }
      end
      local several = { agent('blocked', true), agent('done', false), agent('done', true), agent('working', false) }
      expect.equal(status.summary(several --[[@as termi.Row[] ]]), '2 waiting, 2 running')
    end,
  }
end
