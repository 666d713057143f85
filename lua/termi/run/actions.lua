--- What can be done to sessions and runs, for the API, the commands and the list.
local capabilities = require('termi.rpc.capabilities')
local client = require('termi.rpc.client')
local config = require('termi.config')
local errors = require('termi.core.errors')
local format = require('termi.core.format')
local message = require('termi.ui.message')
local sessions = require('termi.model.sessions')

local M = {}

--- Of so many runs a wait for a pattern asks what they have lost.
local SNAPSHOTS_MAX = 64

--- Calls a method at each host that a target is about, and waits.
---@param method string
---@param target string
---@param params? table besides the target
---@param timeout_ms? integer
---@return any[] results
local function call(method, target, params, timeout_ms)
  local results = {}
  for _, route in ipairs(sessions.route(target)) do
    local all = vim.tbl_extend('force', params or {}, { target = route.target })
    results[#results + 1] = client.call(method, all, { timeout_ms = timeout_ms, host = route.host })
  end
  return results
end

---@param opts? { signal?: string|integer, grace_ms?: integer }
---@return table params
local function kill_params(opts)
  return opts and { signal = opts.signal, grace_ms = opts.grace_ms } or {}
end

--- What several hosts did, in one: their numbers added up.
---@param results table<string, any>[] at least one
---@return any
local function total(results)
  local sum = table.remove(results, 1)
  for _, result in ipairs(results) do
    for key, value in pairs(result) do
      sum[key] = type(value) == 'number' and (sum[key] or 0) + value or sum[key]
    end
  end
  return sum
end

---@param target string
---@param opts? { signal?: string|integer, grace_ms?: integer }
---@return termi.proto.KillResult
function M.kill(target, opts)
  local grace_ms = opts and opts.grace_ms or 0
  return total(call('kill', target, kill_params(opts), config.get().timeout_ms + grace_ms))
end

--- Kills without waiting, and says `Killed 2/2 processes` once they are gone.
---@param target string
---@param opts? { signal?: string|integer, grace_ms?: integer }
function M.kill_soon(target, opts)
  local results = {} ---@type termi.proto.KillResult[]
  local routes = sessions.route(target)
  local left = #routes
  for _, route in ipairs(routes) do
    local params = vim.tbl_extend('force', kill_params(opts), { target = route.target })
    client.request('kill', params, function(err, result)
      left = left - 1
      results[#results + 1] = result
      if err then
        message.error(errors.of(err))
      end
      if left == 0 and #results > 0 then
        local all = total(results)
        message.info(('Killed %d/%d processes'):format(all.killed, all.total))
      end
    end, route.host)
  end
end

--- Whether a target stands for all runs that it names, not for one of them.
---@param target string
---@return boolean
local function is_several(target)
  return sessions.checked(target):gsub('@[^@]*$', '') == 'all' or vim.startswith(target, 'group:')
end

---@param target string
---@param text string|string[]
---@param opts? { enter?: boolean }
---@return integer runs
function M.send(target, text, opts)
  opts = opts or {}
  local data = type(text) == 'table' and table.concat(text, '\n') or tostring(text)
  -- Lines are of a buffer or a program's output, not keys: the host brackets a paste where the program asked for that,
  -- and lets nothing in it act.
  local paste = (type(text) == 'table' or data:find('\n') ~= nil) or nil
  local several = is_several(target)
  if several and capabilities.has('send') then
    local result = total(call('send', target, { data = data, enter = opts.enter, paste = paste }))
    if result.refused and result.refused > 0 then
      local whom = format.count(result.refused, 'run', 'runs')
      message.aside(('%s received none of it: the input queue is full'):format(whom), vim.log.levels.WARN)
    elseif result.sent == 0 then
      message.fail('`%s` is no longer running. `:Termi restart` starts it again.', target)
    end
    return result.sent
  end
  local sent = 0
  for _, row in ipairs(several and sessions.resolve(target) or { sessions.resolve_one(target) }) do
    if row.process.status == 'active' then
      sent = sent + 1
      client.notify('input', { run_id = row.process.run_id, data = data, paste = paste })
      if opts.enter then
        client.notify('input', { run_id = row.process.run_id, data = '\r' })
      end
    end
  end
  if sent == 0 then
    message.fail('`%s` is no longer running. `:Termi restart` starts it again.', target)
  end
  return sent
end

--- The runs of a target that a restart is about: of each session those that run, or when none does the newest.
---@param target string
---@return termi.Row[]
local function restartable(target)
  local of_session, order = {}, {} ---@type table<string, termi.Row[]>, string[]
  for _, row in ipairs(sessions.resolve(target)) do
    if not of_session[row.session_id] then
      order[#order + 1], of_session[row.session_id] = row.session_id, {}
    end
    table.insert(of_session[row.session_id], row)
  end
  local found = {} ---@type termi.Row[]
  for _, id in ipairs(order) do
    local rows = of_session[id]
    local active = vim.tbl_filter(function(row)
      return row.process.status == 'active'
    end, rows)
    vim.list_extend(found, #active > 0 and active or { rows[#rows] })
  end
  return found
end

--- Starts again what a target names. Of a group, and of all, that is every session's runs.
---@param target string
---@param opts? { force?: boolean } to end processes that live on after their run's end, too
---@return termi.proto.RunResult first
---@return integer restarted how many
function M.restart(target, opts)
  local force = opts and opts.force or nil
  if not is_several(target) then
    return call('restart', target, { force = force })[1], 1
  end
  local results = {} ---@type termi.proto.RunResult[]
  for _, row in ipairs(restartable(target)) do
    results[#results + 1] = client.call('restart', { target = sessions.target(row), force = force })
  end
  return results[1], #results
end

---@param target string
---@param name string
---@return { session_id: string, name: string }
function M.rename(target, name)
  return call('rename', target, { name = name })[1]
end

---@param target string
---@param opts? { force?: boolean } to end processes that live on, too
---@return { removed: integer, kept?: integer, processes?: integer }
function M.remove(target, opts)
  return total(call('remove', target, { force = opts and opts.force or nil }))
end

---@param target string
---@param opts? { scrollback?: integer }
---@return termi.proto.SnapshotResult
function M.snapshot(target, opts)
  local row = sessions.resolve_one(target)
  local lines = opts and opts.scrollback or 10000000
  return client.call('snapshot', { run_id = row.process.run_id, format = 'text', scrollback = lines })
end

--- How much of what runs have printed is not kept any more, which no pattern can find; `callback` gets their sum.
---@param target string
---@param callback fun(bytes: integer)
local function cut_bytes(target, callback)
  sessions.fetch_soon(function(found)
    -- What is wrong with the target is for the wait itself to say.
    local ok, rows = pcall(sessions.resolve, target, found or {})
    rows = ok and vim.list_slice(rows, 1, SNAPSHOTS_MAX) or {}
    local left, bytes = #rows, 0
    if left == 0 then
      return callback(0)
    end
    for _, row in ipairs(rows) do
      local params = { run_id = row.process.run_id, format = 'text', scrollback = 0 }
      client.request('snapshot', params, function(err, result)
        left = left - 1
        bytes = bytes + (not err and result.truncated_bytes or 0)
        if left == 0 then
          callback(bytes)
        end
      end)
    end
  end)
end

---@class termi.WaitResult : termi.proto.WaitResult
---@field unsearched_bytes? integer that were printed and are not kept any more, when no line matched the pattern

---@param target string
---@param opts? { pattern?: string, after?: 'now'|integer, idle_ms?: integer, state?: string[], timeout_ms?: integer }
---@param on_done fun(err?: string, result?: termi.WaitResult)
function M.wait(target, opts, on_done)
  opts = opts or {}
  if type(on_done) ~= 'function' then
    message.fail('wait(): the third argument must be a callback function, not %s', vim.inspect(on_done))
  end
  local condition = 'exit' ---@type string|table
  if opts.pattern then
    condition = { pattern = opts.pattern, after = opts.after }
  elseif opts.idle_ms then
    condition = { idle_ms = opts.idle_ms }
  elseif opts.state then
    condition = { state = opts.state }
  end
  local routes = sessions.route(target)
  local left, done = #routes, false
  ---@param unsearched integer
  local function start(unsearched)
    for _, route in ipairs(routes) do
      local params = { target = route.target, ['until'] = condition, timeout_ms = opts.timeout_ms }
      client.request('wait', params, function(err, result)
        left = left - 1
        -- Of several hosts the last one to be through ends the waiting, or the first that cannot wait.
        if not done and (err or left == 0) then
          done = true
          if result and result.reason ~= 'pattern' and unsearched > 0 then
            result.unsearched_bytes = unsearched
          end
          vim.schedule(function()
            on_done(err and errors.of(err), result)
          end)
        end
      end, route.host)
    end
  end
  if not opts.pattern or opts.after then
    return start(0)
  end
  -- Before the wait: what is cut while it looks on has been searched.
  cut_bytes(target, function(bytes)
    vim.schedule(function()
      local ok, why = pcall(start, bytes)
      if not ok then
        on_done(tostring(why))
      end
    end)
  end)
end

return M
