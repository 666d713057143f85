local connection = require('termi.rpc.connection')
local input_queue = require('termi.rpc.input_queue')

---@param expect termi.spec.Expect
return function(expect)
  --- Sends what is queued for a host, and returns it.
  ---@param host string
  ---@return string[]
  local function flushed(host)
    local sent, notify = {}, connection.notify ---@type string[], function
    connection.notify = function(_, method, params)
      sent[#sent + 1] = method .. ' ' .. params.data
    end
    local ok, why = pcall(input_queue.flush, host, { host = host, chan = 0, stderr = '' })
    connection.notify = notify
    expect.equal({ ok, why }, { true, nil })
    return sent
  end

  return {
    ['typing is queued in order, and only of a host that has a queue'] = function()
      expect.equal(input_queue.take('a', 'input', { data = 'x' }), false)
      input_queue.open('a')
      expect.equal(input_queue.take('a', 'input', { data = 'one' }), true)
      expect.equal(input_queue.take('a', 'resize', { rows = 1 }), false)
      expect.equal(input_queue.take('b', 'input', { data = 'x' }), false)
      input_queue.open('a')
      expect.equal(input_queue.take('a', 'input', { data = 'two' }), true)
      expect.equal(flushed('a'), { 'input one', 'input two' })
      expect.equal(input_queue.take('a', 'input', { data = 'x' }), false)
    end,
    ['from the first that does not fit all is dropped, and counted'] = function()
      input_queue.open('a')
      input_queue.take('a', 'input', { data = 'first' })
      input_queue.take('a', 'input', { data = ('x'):rep(1024 * 1024) })
      input_queue.take('a', 'input', { data = 'last' })
      expect.equal(flushed('a'), { 'input first' })
    end,
    ['what is discarded is counted'] = function()
      input_queue.open('a')
      input_queue.take('a', 'input', { data = 'four' })
      expect.equal(input_queue.discard('a'), 4)
      expect.equal(input_queue.discard('a'), 0)
    end,
  }
end
