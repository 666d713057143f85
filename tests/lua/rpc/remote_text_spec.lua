local texts = require('termi.rpc.remote_text')

---@param state termi.RemoteState
---@param more? table
---@return termi.Remote
local function remote(state, more)
  local one = { name = 'gpu', state = state, keep = true, lost = false, attempts = 0, callbacks = {} }
  return vim.tbl_extend('force', one, more or {}) --[[@as termi.Remote]]
end

---@param expect termi.spec.Expect
return function(expect)
  return {
    ['of what ssh says the last is the reason'] = function()
      local stderr = 'Warning: added gpu\r\nssh: connect to host gpu port 22: Connection refused\r\n'
      local reason, is_final = texts.reason(remote('connecting'), stderr, 255)
      expect.equal(reason, 'cannot connect to gpu: Connection refused')
      expect.equal(is_final, false)
    end,
    ['a machine without termi is not tried again'] = function()
      local stderr = 'bash: line 1: termi: command not found\n'
      local reason, is_final = texts.reason(remote('connecting'), stderr, 127)
      expect.equal(reason:match('^gpu has no termi: .*Install it'), 'gpu has no termi: command not found. Install it')
      expect.equal(is_final, true)
    end,
    ['a silent end has its signal or its code'] = function()
      expect.equal((texts.reason(remote('ready'), '', 143)), 'SIGTERM')
      expect.equal((texts.reason(remote('ready'), '', 3)), 'its command ended with exit code 3')
    end,
    ['how it stands is told only when it should be there and is not'] = function()
      expect.equal(texts.status(nil), nil)
      expect.equal(texts.status(remote('off')), nil)
      expect.equal(texts.status(remote('ready')), nil)
      expect.equal(texts.status(remote('connecting')), 'connecting …')
      expect.equal(
        texts.status(remote('connecting', { lost = true, attempts = 2 })),
        'connection lost, trying again now'
      )
      local failed = remote('failed', { reason = 'cannot connect to gpu: refused' })
      expect.equal(texts.status(failed), 'no connection: refused')
      expect.equal(texts.error('gpu', failed), 'gpu: no connection: refused. `:Termi connect gpu` connects it now.')
      expect.equal(texts.error('gpu'), 'gpu is not connected. `:Termi connect gpu` connects it now.')
    end,
  }
end
