--- Bulk actions, one thing done to several runs: asked once for all, done without waiting, told in one message.
local client = require('termi.rpc.client')
local errors = require('termi.core.errors')
local format = require('termi.core.format')
local message = require('termi.ui.message')
local routing = require('termi.rpc.routing')
local sessions = require('termi.model.sessions')

local M = {}

---@param row termi.Row
---@return string
local function name_of(row)
  return routing.named(row.session.name, row.session.host)
end

--- Names of the runs' sessions, each once.
---@param rows termi.Row[]
---@return string[]
local function names(rows)
  local seen, found = {}, {} ---@type table<string, true>, string[]
  for _, row in ipairs(rows) do
    if not seen[row.session_id] then
      seen[row.session_id] = true
      found[#found + 1] = name_of(row)
    end
  end
  return found
end

--- Those of them that a kill can be about: they run, or have left processes that do.
---@param rows termi.Row[]
---@return termi.Row[]
function M.killable(rows)
  local found = vim.tbl_filter(function(row)
    return row.process.status == 'active' or (row.process.left_running or 0) > 0
  end, rows)
  if #found == 0 then
    message.fail(
      '%s ended already. x dismisses %s.',
      #rows == 1 and name_of(rows[1]) .. ' has' or 'all have',
      #rows == 1 and 'it' or 'them'
    )
  end
  return found
end

---@param question string
---@return boolean
local function ask(question)
  -- One line, so that the question is one key.
  question = vim.trim(format.fit(question, math.max(20, vim.v.echospace - 4))) .. '?'
  return vim.fn.confirm(question, '&Yes\n&No', 2) == 1
end

--- Asks whether to do it, and says to how many.
---@param verb string
---@param rows termi.Row[]
---@return boolean
function M.confirmed(verb, rows)
  local list = table.concat(names(rows), ', ')
  return ask(('%s %s: %s'):format(verb, format.count(#rows, 'run', 'runs'), list))
end

--- Calls a method for each run, all at once.
---@param method string
---@param rows termi.Row[]
---@param params fun(row: termi.Row): table
---@param on_done fun(results: any[], refusals: termi.proto.Error[])
local function for_each(method, rows, params, on_done)
  local results, refusals, left = {}, {}, #rows ---@type any[], termi.proto.Error[], integer
  for _, row in ipairs(rows) do
    client.request(method, params(row), function(err, result)
      left = left - 1
      if err then
        refusals[#refusals + 1] = err
      else
        results[#results + 1] = result
      end
      if left == 0 then
        vim.schedule(function()
          message.guard(on_done, results, refusals)
        end)
      end
    end)
  end
end

---@param row termi.Row
---@return table
local function target(row)
  return { target = sessions.target(row) }
end

--- Says what went wrong, as it is for one run, and how often for several.
---@param rows termi.Row[]
---@param refusals termi.proto.Error[]
local function complain(rows, refusals)
  local first = refusals[1] --[[@as termi.proto.Error]]
  local text = errors.of(first)
  message.error(#rows == 1 and text or ('%d of %d: %s'):format(#refusals, #rows, text))
end

--- Kills them and says `Killed 3/3 processes` once they are gone.
---@param rows termi.Row[]
function M.kill(rows)
  for_each('kill', rows, target, function(results, refusals)
    local killed, total = 0, 0
    for _, result in ipairs(results) do
      killed, total = killed + result.killed, total + result.total
    end
    if #refusals > 0 then
      complain(rows, refusals)
    end
    if #results > 0 then
      message.info(('Killed %d/%d processes'):format(killed, total))
    end
  end)
end

--- Those of which processes live on, and how many these are.
---@param rows termi.Row[]
---@return termi.Row[]
---@return integer
local function living(rows)
  local sum = 0
  local found = vim.tbl_filter(function(row)
    local left = row.process.status ~= 'active' and row.process.left_running or 0
    sum = sum + left
    return left > 0
  end, rows)
  return found, sum
end

--- Calls a method for each run, and asks first whether processes that live on are to be ended, where there are any. With
--- an answer "no", those runs stay as they are.
---@param method string
---@param rows termi.Row[]
---@param on_done fun(kept: termi.Row[], results: any[], refusals: termi.proto.Error[]) not called when no run is left
local function for_each_to_end(method, rows, on_done)
  local with_tree, count = living(rows)
  local question = count == 1 and '1 process of %s lives on. End it' or count .. ' processes of %s live on. End them'
  local force = #with_tree > 0 and ask(question:format(table.concat(names(with_tree), ', ')))
  local kept = rows
  if #with_tree > 0 and not force then
    kept = vim.tbl_filter(function(row)
      return not vim.tbl_contains(with_tree, row)
    end, rows)
  end
  if #kept == 0 then
    return
  end
  local function params(row)
    local its_tree = force and vim.tbl_contains(with_tree, row) or nil
    return { target = sessions.target(row), force = its_tree }
  end
  for_each(method, kept, params, function(results, refusals)
    on_done(kept, results, refusals)
  end)
end

--- Starts their programs again. Whether processes that live on are to be ended is asked; runs of an answer "no" stay as
--- they are.
---@param rows termi.Row[]
function M.restart(rows)
  for_each_to_end('restart', rows, function(kept, results, refusals)
    if #refusals > 0 then
      complain(kept, refusals)
    end
    if #results > 0 then
      local what = #kept == 1 and name_of(kept[1]) or format.count(#results, 'run', 'runs')
      message.info('restarted ' .. what)
    end
  end)
end

--- Those of them that can be dismissed.
---@param rows termi.Row[]
---@return termi.Row[]
function M.dismissable(rows)
  local ended = vim.tbl_filter(function(row)
    return row.process.status ~= 'active'
  end, rows)
  if #ended == 0 then
    local who = #rows == 1 and name_of(rows[1]) .. ' still runs' or ('all %d still run'):format(#rows)
    message.fail('%s. K kills %s.', who, #rows == 1 and 'it' or 'them')
  end
  return ended
end

--- Dismisses runs that have ended. Whether processes that live on are to be ended is asked; those of an answer "no" are
--- kept.
---@param rows termi.Row[]
function M.dismiss(rows)
  for_each_to_end('remove', rows, function(kept, results, refusals)
    local ended = 0
    for _, result in ipairs(results) do
      ended = ended + (result.processes or 0)
    end
    if #refusals > 0 then
      complain(kept, refusals)
    elseif ended > 0 then
      local runs = format.count(#results, 'run', 'runs')
      message.info(('dismissed %s and ended %s'):format(runs, format.count(ended, 'process', 'processes')))
    elseif #results > 1 then
      message.info(('dismissed %d runs'):format(#results))
    end
  end)
end

return M
