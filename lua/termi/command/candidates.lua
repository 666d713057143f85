--- Candidates of completion: targets, hosts, options and their values. Finding them never starts the host, and asks a
--- running one only for a moment.
local args = require('termi.run.args')
local options = require('termi.core.run_options')
local remote = require('termi.rpc.remote')
local routing = require('termi.rpc.routing')
local session_rows = require('termi.model.session_rows')
local sessions = require('termi.model.sessions')

local M = {}

--- How long completion may wait for the list of sessions.
local PATIENCE_MS = 200

--- Those of some words that begin as typed.
---@param candidates string[]
---@param lead string
---@return string[]
function M.starting_with(candidates, lead)
  return vim.tbl_filter(function(candidate)
    return vim.startswith(candidate, lead)
  end, candidates)
end

---@param text string
---@return string
local function escaped(text)
  return (text:gsub('[\\ ]', '\\%0'))
end

---@param text string
---@return string
local function unescaped(text)
  return (text:gsub('\\([\\ ])', '%1'))
end

---@return termi.proto.Sessions
local function known()
  if sessions.may_exist() then
    local ok, found = pcall(sessions.fetch, { timeout_ms = PATIENCE_MS }) ---@type boolean, any
    if ok then
      return found
    end
  end
  return {}
end

--- Names of sessions, of the runs of those that have several, of groups, and `all`.
---@param lead string
---@return string[]
function M.targets(lead)
  local found = known()
  local names, groups = {}, {} ---@type string[], table<string, true>
  local order = {} ---@type string[]
  for _, row in ipairs(session_rows.here_first(session_rows.all(found))) do
    if order[#order] ~= row.session_id then
      order[#order + 1] = row.session_id
      names[#names + 1] = routing.named(row.session.name, row.session.host)
    end
    if #row.session.processes > 1 then
      names[#names + 1] = routing.named(row.session.name, row.session.host) .. ':' .. row.process.run_id:sub(1, 8)
    end
    if row.session.group and row.session.group ~= '' then
      groups[row.session.group] = true
    end
  end
  for group in pairs(groups) do
    names[#names + 1] = 'group:' .. group
  end
  names[#names + 1] = 'all'
  if #M.starting_with(names, lead) == 0 then
    names = order
  end
  return M.starting_with(names, lead)
end

---@param lead string
---@return string[]
local function paths(lead)
  return vim.tbl_map(escaped, vim.fn.getcompletion(unescaped(lead), 'file'))
end

---@param lead string
---@return string[]
local function times(lead)
  return M.starting_with({ '30s', '5m', '1h' }, lead)
end

--- Values of the options of |:TermiRun|.
---@type table<string, fun(lead: string): string[]>
local values = {
  session = function(lead)
    local names = {}
    for _, session in pairs(known()) do
      names[#names + 1] = routing.named(session.name, session.host)
    end
    table.sort(names)
    return M.starting_with(names, lead)
  end,
  group = function(lead)
    local names = {}
    for _, session in pairs(known()) do
      if session.group and session.group ~= '' and not vim.tbl_contains(names, session.group) then
        names[#names + 1] = session.group
      end
    end
    table.sort(names)
    return M.starting_with(names, lead)
  end,
  cwd = function(lead)
    return vim.fn.getcompletion(lead, 'dir')
  end,
  timeout = times,
  idle = times,
  keep_for = times,
  template = function(lead)
    return M.starting_with(require('termi.run.templates').names(), lead)
  end,
  host = function(lead)
    return M.starting_with(remote.names(), lead)
  end,
  open = function(lead)
    return M.starting_with(options.OPEN, lead)
  end,
}

--- Options, then a program of $PATH, then files.
---@param before string what stands before the word, without the subcommand
---@param lead string
---@return string[]
function M.run(before, lead)
  local rest = before
  while vim.startswith(rest, '++') do
    _, rest = args.take_word(rest)
  end
  if rest ~= '' then
    return paths(lead)
  end
  local key, value = lead:match('^%+%+([^=]*)=(.*)$')
  if key then
    local complete = values[key]
    return vim.tbl_map(function(found)
      return ('++%s=%s'):format(key, escaped(found))
    end, complete and complete(unescaped(value or '')) or {})
  end
  local keys = vim.tbl_map(function(argument)
    return ('++%s%s'):format(argument.key, argument.read and '=' or '')
  end, options.arguments())
  if vim.startswith(lead, '+') then
    return M.starting_with(keys, lead)
  end
  local programs = lead:find('[/~.]') and paths(lead) or vim.fn.getcompletion(lead, 'shellcmd')
  if lead == '' then
    return vim.list_extend(keys, programs)
  end
  return programs
end

--- One target, and nothing after it.
---@param before string
---@param lead string
---@return string[]
function M.target(before, lead)
  return before == '' and vim.tbl_map(escaped, M.targets(unescaped(lead))) or {}
end

--- Two targets.
---@param before string
---@param lead string
---@return string[]
function M.two_targets(before, lead)
  local _, rest = args.take_word(before)
  return rest == '' and vim.tbl_map(escaped, M.targets(unescaped(lead))) or {}
end

--- One host.
---@param before string
---@param lead string
---@return string[]
function M.host(before, lead)
  return before == '' and M.starting_with(remote.names(), lead) or {}
end

--- One session whose program waits for the clipboard.
---@param before string
---@param lead string
---@return string[]
function M.clipboard(before, lead)
  local names = require('termi.view.clipboard').names()
  return before == '' and vim.tbl_map(escaped, M.starting_with(names, unescaped(lead))) or {}
end

--- One group of templates.
---@param before string
---@param lead string
---@return string[]
function M.template_group(before, lead)
  local groups = require('termi.run.templates').groups()
  return before == '' and vim.tbl_map(escaped, M.starting_with(groups, unescaped(lead))) or {}
end

return M
