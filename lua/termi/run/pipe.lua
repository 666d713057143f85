--- `:Termi pipe`: each new line of one run is typed into another, on this machine or between two.
---
--- The lines come from the host as plain text, so many at a time, and the next are asked for when the other program
--- has taken those: a flood waits in the transcript of who prints it, and costs the editor one answer.
local bus = require('termi.rpc.bus')
local capabilities = require('termi.rpc.capabilities')
local client = require('termi.rpc.client')
local errors = require('termi.core.errors')
local format = require('termi.core.format')
local message = require('termi.ui.message')
local remote = require('termi.rpc.remote')
local routing = require('termi.rpc.routing')
local sessions = require('termi.model.sessions')

local M = {}

--- How long the host waits with an answer for a line, before it is asked again.
local WAIT_MS = 20000

--- What is typed in one go.
local BATCH_BYTES = 4000
local BATCH_LINES = 100

--- The longest line that a program can read from a terminal at once.
local LINE_BYTES = 4000

--- How long to wait before who does not read is tried again, or a host that cannot be reached.
local RETRY_MS = 200
local LOST_RETRY_MS = 1000

---@class termi.PipeEnd
---@field run_id string
---@field target string for the host
---@field host string
---@field name string

---@class termi.Pipe
---@field from termi.PipeEnd
---@field to termi.PipeEnd
---@field next? integer where to go on, for the host
---@field lines string[] that are still to be typed
---@field at integer the first of them that is
---@field ended? boolean no more lines follow
---@field skipped integer lines that were lost, and not told of yet
---@field cut integer lines that were too long, and not told of yet
---@field stopped? boolean

local pipes = {} ---@type termi.Pipe[]

---@param pipe termi.Pipe
---@return string
local function title(pipe)
  return ('the pipe from %s to %s'):format(pipe.from.name, pipe.to.name)
end

---@param row termi.Row
---@return termi.PipeEnd
local function end_of(row)
  local name = routing.named(row.session.name, row.session.host)
  if #row.session.processes > 1 then
    name = name .. ':' .. row.process.run_id:sub(1, 8)
  end
  return { run_id = row.process.run_id, target = sessions.target(row), host = row.session.host or '', name = name }
end

--- A number as people write it: `12,345`.
---@param number integer
---@return string
local function with_commas(number)
  local grouped = tostring(number):reverse():gsub('(%d%d%d)', '%1,'):reverse():gsub('^,', '')
  return grouped
end

--- Says what did not get through, once for all of it.
---@param pipe termi.Pipe
local function tell_losses(pipe)
  local parts = {} ---@type string[]
  if pipe.skipped > 0 then
    parts[#parts + 1] = ('… %s %s skipped'):format(with_commas(pipe.skipped), pipe.skipped == 1 and 'line' or 'lines')
  end
  if pipe.cut > 0 then
    local lines = pipe.cut == 1 and 'line' or 'lines'
    parts[#parts + 1] = ('%s %s cut to %d bytes'):format(with_commas(pipe.cut), lines, LINE_BYTES)
  end
  pipe.skipped, pipe.cut = 0, 0
  if #parts > 0 then
    local text = ('%s to %s: %s'):format(pipe.from.name, pipe.to.name, table.concat(parts, ', '))
    message.aside(text, vim.log.levels.WARN)
  end
end

---@param pipe termi.Pipe
local function remove(pipe)
  pipe.stopped = true
  pipes = vim.tbl_filter(function(other)
    return other ~= pipe
  end, pipes)
end

---@param pipe termi.Pipe
---@param why string
local function finish(pipe, why)
  if not pipe.stopped then
    remove(pipe)
    tell_losses(pipe)
    message.aside(('%s ended: %s'):format(title(pipe), why))
  end
end

--- Goes on later, outside of the message that is handled now.
---@param pipe termi.Pipe
---@param step fun(pipe: termi.Pipe)
---@param after_ms? integer
local function go_on(pipe, step, after_ms)
  vim.defer_fn(function()
    -- What an earlier load of the plugin still has to do is not done any more.
    if not pipe.stopped and package.loaded['termi.run.pipe'] == M then
      message.guard(step, pipe)
    end
  end, after_ms or 0)
end

--- A call has failed: it is tried again when only the connection is lost.
---@param pipe termi.Pipe
---@param of termi.PipeEnd
---@param err termi.proto.Error
---@param step fun(pipe: termi.Pipe)
local function failed(pipe, of, err, step)
  local comes_back = err.code == 'host_replaced' or (of.host ~= '' and remote.is_wanted(of.host))
  if comes_back and (vim.startswith(err.code, 'host_') or err.code == 'shutting_down') then
    return go_on(pipe, step, LOST_RETRY_MS)
  end
  local is_gone = err.code == 'not_found'
  finish(pipe, is_gone and of.name .. ' has ended' or errors.of(err))
end

--- One line as it is typed: nothing in it may be a key.
---@param pipe termi.Pipe
---@param line string
---@return string
local function typed(pipe, line)
  -- In one go over characters, so that none is left or made by what is taken out. A byte from 128 to 159 that is no
  -- part of a character counts as one.
  local text = vim.fn.substitute(line:gsub('%z', ''), [=[[\x01-\x08\x0a-\x1f\x7f-\u009f]]=], '', 'g')
  if #text > LINE_BYTES then
    pipe.cut = pipe.cut + 1
    local stop = LINE_BYTES
    -- Not within a character.
    while stop > 0 and text:byte(stop + 1) >= 0x80 and text:byte(stop + 1) < 0xc0 do
      stop = stop - 1
    end
    text = text:sub(1, stop)
  end
  return text .. '\r'
end

local read ---@type fun(pipe: termi.Pipe) defined below: what is typed is followed by what is printed next

--- Types the next lines, and the ones after that when they were taken.
---@param pipe termi.Pipe
local function write(pipe)
  local parts, bytes, at = {}, 0, pipe.at ---@type string[], integer, integer
  while at <= #pipe.lines and #parts < BATCH_LINES and bytes < BATCH_BYTES do
    parts[#parts + 1] = typed(pipe, pipe.lines[at] --[[@as string]])
    bytes, at = bytes + #parts[#parts], at + 1
  end
  if #parts == 0 then
    pipe.lines, pipe.at = {}, 1
    if pipe.ended then
      return finish(pipe, pipe.from.name .. ' has ended')
    end
    return read(pipe)
  end
  client.request('send', { target = pipe.to.target, data = table.concat(parts) }, function(err, result)
    if pipe.stopped then
      return
    elseif err then
      return failed(pipe, pipe.to, err, write)
    elseif result.sent == 0 then
      return go_on(pipe, write, RETRY_MS)
    end
    pipe.at = at
    go_on(pipe, write)
  end, pipe.to.host)
end

--- Waits for the next lines.
read = function(pipe)
  local params = { run_id = pipe.from.run_id, from = pipe.next, wait_ms = WAIT_MS }
  client.request('lines', params, function(err, result)
    if pipe.stopped then
      return
    elseif err then
      return failed(pipe, pipe.from, err, read)
    end
    pipe.skipped = pipe.skipped + result.dropped
    if result.dropped == 0 then
      -- It keeps up again.
      go_on(pipe, tell_losses)
    end
    pipe.lines, pipe.at, pipe.next, pipe.ended = result.lines, 1, result.next, result.ended
    go_on(pipe, write)
  end, pipe.from.host)
end

--- Whether what a run prints gets to another, over any number of pipes.
---@param from string run id
---@param to string run id
---@return boolean
local function leads(from, to)
  if from == to then
    return true
  end
  for _, pipe in ipairs(pipes) do
    if pipe.from.run_id == from and leads(pipe.to.run_id, to) then
      return true
    end
  end
  return false
end

--- From now on each line that one run prints is typed into another. Raises when that cannot be.
---@param from string target
---@param to string target
function M.start(from, to)
  local rows = { sessions.resolve_one(from), sessions.resolve_one(to) } ---@type termi.Row[]
  for _, row in ipairs(rows) do
    if row.process.status ~= 'active' then
      local name = routing.named(row.session.name, row.session.host)
      message.fail('%s has ended. `:Termi restart %s` starts it again.', name, name)
    end
    local host = row.session.host or ''
    if not capabilities.has('lines', host) or not capabilities.has('send', host) then
      message.fail('a pipe needs a newer host. `:Termi build`, then `:Termi stop!`.')
    end
  end
  local pipe = { from = end_of(rows[1]), to = end_of(rows[2]), lines = {}, at = 1, skipped = 0, cut = 0 } ---@type termi.Pipe
  if pipe.from.run_id == pipe.to.run_id then
    message.fail('a run cannot be piped into itself: what it prints would come back forever.')
  elseif leads(pipe.to.run_id, pipe.from.run_id) then
    local text = '%s is already piped into %s: what they print would go around forever. `:Termi unpipe %s` ends that.'
    message.fail(text, pipe.to.name, pipe.from.name, pipe.to.name)
  end
  for _, other in ipairs(pipes) do
    if other.from.run_id == pipe.from.run_id and other.to.run_id == pipe.to.run_id then
      message.fail('%s already exists. `:Termi unpipe %s` ends it.', title(pipe), pipe.from.name)
    end
  end
  local host = pipe.from.host
  -- Where it stands now.
  pipe.next = client.call('lines', { run_id = pipe.from.run_id, last = 0 }, { host = host }).next
  pipes[#pipes + 1] = pipe
  read(pipe)
  message.info(('each new line of %s is now typed into %s'):format(pipe.from.name, pipe.to.name))
end

--- Ends the pipes out of a run, or the one into another.
---@param from string target
---@param to? string target; none: all out of `from`
function M.stop(from, to)
  local from_row = sessions.resolve_one(from)
  local to_row = to and sessions.resolve_one(to)
  local found = vim.tbl_filter(function(pipe)
    return pipe.from.run_id == from_row.process.run_id and (not to_row or pipe.to.run_id == to_row.process.run_id)
  end, pipes)
  if #found == 0 then
    message.fail('nothing of %s is piped%s.', from, to and ' into ' .. to or '')
  end
  for _, pipe in ipairs(found) do
    remove(pipe)
    tell_losses(pipe)
  end
  message.info(('ended %s'):format(format.count(#found, 'pipe', 'pipes')))
end

bus.on_any(function(event)
  if event.type ~= 'run_exited' and event.type ~= 'session_removed' then
    return
  end
  -- What the first of the two has printed still gets through.
  for _, pipe in ipairs(vim.list_slice(pipes)) do
    if pipe.to.run_id == event.run_id then
      finish(pipe, pipe.to.name .. ' has ended')
    end
  end
end)

-- This machine's host takes what belongs to it along.
client.on_death(function(reason)
  for _, pipe in ipairs(vim.list_slice(pipes)) do
    if pipe.from.host == '' or pipe.to.host == '' then
      finish(pipe, reason)
    end
  end
end)

return M
