local outcome = require('termi.core.outcome')

---@param expect termi.spec.Expect
return function(expect)
  return {
    ['only what went wrong by itself has failed'] = function()
      expect.equal(outcome.failed({ status = 'active' }), false)
      expect.equal(outcome.failed({ status = 'exited', exit = { code = 0 } }), false)
      expect.equal(outcome.failed({ status = 'exited', exit = { code = 1 } }), true)
      expect.equal(outcome.failed({ status = 'exited', exit = { signal = 11 } }), true)
      expect.equal(outcome.failed({ status = 'killed', exit = { signal = 15 } }), false)
      expect.equal(outcome.failed({ status = 'killed', exit = { signal = 9 }, reason = 'used too much memory' }), true)
      expect.equal(outcome.failed({ status = 'timed_out' }), true)
      expect.equal(outcome.failed({ status = 'failed' }), true)
    end,
    ['an end is told with its signal'] = function()
      expect.equal(outcome.text({ status = 'exited', exit = { code = 3 } }), 'exited 3')
      expect.equal(outcome.text({ status = 'exited', exit = { signal = 11 } }), 'ended by SIGSEGV')
      expect.equal(outcome.text({ status = 'killed', exit = { signal = 15 } }), 'killed by SIGTERM')
      expect.equal(outcome.text({ status = 'killed' }), 'killed')
    end,
    ['the line has the time, the reason, and what lives on'] = function()
      local run = { status = 'timed_out', duration_ms = 30000, reason = 'was idle\nlonger than 10s' }
      expect.equal(outcome.line(run), '[Process timed out after 30s: was idle longer than 10s]')
      local left = { status = 'exited', exit = { code = 0 }, left_running = 1 }
      expect.equal(outcome.line(left), '[Process exited 0; 1 process lives on]')
      left.left_running = 2
      expect.equal(outcome.line(left), '[Process exited 0; 2 processes live on]')
    end,
  }
end
