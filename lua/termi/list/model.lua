--- The session list as a tree of lines: groups, sessions, runs; sorted, filtered, folded. Pure: it touches no buffer.
local agents = require('termi.model.agents')
local format = require('termi.core.format')
local remote = require('termi.rpc.remote')
local run_state = require('termi.model.run_state')
local status = require('termi.model.status')

local M = {}

---@alias termi.Sort 'age'|'name'|'status'|'cpu'|'memory'|'activity'|'attention'

--- What a person has set in the list.
---@class termi.ListView
---@field sort termi.Sort
---@field reverse boolean
---@field filter string
---@field folded table<string, true> by a node's id
---@field marked table<string, true> by run id

---@class termi.ListNode
---@field kind 'group'|'session'|'run'|'host'
---@field id string of the group (`group:web`), the session, the run, or the host (`host:gpu`)
---@field rows termi.Row[] the runs it stands for
---@field name string
---@field trouble? string of a host that cannot be reached: how that is
---@field child? boolean a run below the line of its session
---@field last? boolean it is the last one there
---@field folded? boolean nil: it cannot be folded

--- The ways to sort, in the order in which a key goes through them.
---@type termi.Sort[]
M.SORTS = { 'age', 'name', 'status', 'cpu', 'memory', 'activity', 'attention' }

--- How runs compare. A session or a group is compared by one value of all its runs.
---@class termi.SortKey
---@field descending boolean the greatest first, unless it is turned round
---@field fold 'sum'|'least'|'most'
---@field of fun(row: termi.Row): any

--- More than any unix time in milliseconds: of two numbers the one that counts more is multiplied by it.
local TIMES = 1e14

--- Where runs that are no agents are among the ranks of these: those that ring, and the others.
local AFTER_ERRORS, AFTER_AGENTS = 2.5, 6

---@type table<termi.Sort, termi.SortKey>
local keys = {
  -- The oldest start is the greatest age.
  age = {
    descending = true,
    fold = 'most',
    of = function(row)
      return -row.process.started_at
    end,
  },
  name = {
    descending = false,
    fold = 'least',
    of = function(row)
      return row.session.name:lower()
    end,
  },
  status = {
    descending = false,
    fold = 'least',
    of = function(row)
      return status.of(row.process).rank
    end,
  },
  cpu = {
    descending = true,
    fold = 'sum',
    of = function(row)
      return row.process.status == 'active' and row.process.cpu_percent or 0
    end,
  },
  memory = {
    descending = true,
    fold = 'sum',
    of = function(row)
      return row.process.status == 'active' and row.process.memory_bytes or 0
    end,
  },
  activity = {
    descending = true,
    fold = 'most',
    of = function(row)
      return run_state.activity(row.process)
    end,
  },
  -- Who has waited longest for a person: one number, of how much it wants one and since when.
  attention = {
    descending = false,
    fold = 'least',
    of = function(row)
      local agent = run_state.agent(row.process)
      if agent then
        return agents.rank(agent) * TIMES + agent.since
      end
      local rings = run_state.attention(row.process.run_id) ~= nil
      return (rings and AFTER_ERRORS or AFTER_AGENTS) * TIMES + row.process.started_at
    end,
  },
}

--- Whether the greatest comes first.
---@param view termi.ListView
---@return boolean
function M.is_descending(view)
  return keys[view.sort].descending ~= view.reverse
end

--- What belongs together and how it compares.
---@class termi.Sorted
---@field value any
---@field rows termi.Row[]
---@field name string

---@param rows termi.Row[]
---@param view termi.ListView
---@return any
local function value_of(rows, view)
  local key = keys[view.sort]
  local value = key.of(rows[1] --[[@as termi.Row]])
  for index = 2, #rows do
    local its = key.of(rows[index] --[[@as termi.Row]])
    if key.fold == 'sum' then
      value = value + its
    elseif (key.fold == 'most') == (its > value) then
      value = its
    end
  end
  return value
end

---@param items termi.Sorted[]
---@param view termi.ListView
local function sort(items, view)
  local descending = M.is_descending(view)
  table.sort(items, function(a, b)
    if a.value ~= b.value then
      return (a.value < b.value) ~= descending
    end
    local first, other = a.rows[1], b.rows[1]
    if first.process.started_at ~= other.process.started_at then
      return first.process.started_at < other.process.started_at
    elseif a.name ~= b.name then
      return a.name < b.name
    end
    return first.process.run_id < other.process.run_id
  end)
end

--- All that a filter looks at, in lower case.
---@param row termi.Row
---@return string
local function searched(row)
  local session, process = row.session, row.process
  local agent = run_state.agent(process)
  local texts = {
    session.name,
    session.label or '',
    session.host or '',
    session.group or '',
    process.command,
    process.cwd ~= '' and process.cwd or session.cwd,
    process.status,
    status.of(process).word,
    agent and agent.app or '',
    agent and agent.message or '',
  }
  return table.concat(texts, '\n'):lower()
end

--- The runs that hold each word of the filter somewhere.
---@param rows termi.Row[]
---@param filter string
---@return termi.Row[]
function M.matching(rows, filter)
  local words = vim.split(filter:lower(), '%s+', { trimempty = true })
  if #words == 0 then
    return rows
  end
  return vim.tbl_filter(function(row)
    local text = searched(row)
    for _, word in ipairs(words) do
      if not text:find(word, 1, true) then
        return false
      end
    end
    return true
  end, rows)
end

---@param rows termi.Row[]
---@param key fun(row: termi.Row): string
---@param view termi.ListView
---@return termi.Sorted[] # in order, with the rows that have one key together
local function gathered(rows, key, view)
  local by_key, items = {}, {} ---@type table<string, termi.Sorted>, termi.Sorted[]
  for _, row in ipairs(rows) do
    local name = key(row)
    local item = by_key[name]
    if not item then
      item = { name = name, rows = {}, value = nil }
      by_key[name] = item
      items[#items + 1] = item
    end
    item.rows[#item.rows + 1] = row
  end
  for _, item in ipairs(items) do
    item.value = value_of(item.rows, view)
  end
  sort(items, view)
  return items
end

---@param rows termi.Row[] of one session, as they were started
---@param view termi.ListView
---@param nodes termi.ListNode[] is added to
local function add_session(rows, view, nodes)
  local first = rows[1]
  if #first.session.processes == 1 then
    nodes[#nodes + 1] = { kind = 'run', id = first.process.run_id, rows = rows, name = first.session.name }
    return
  end
  -- What a filter found is not hidden in a fold.
  local folded = view.filter == '' and view.folded[first.session_id] == true
  nodes[#nodes + 1] =
    { kind = 'session', id = first.session_id, rows = rows, name = first.session.name, folded = folded }
  if folded then
    return
  end
  for index, row in ipairs(rows) do
    nodes[#nodes + 1] = {
      kind = 'run',
      id = row.process.run_id,
      rows = { row },
      name = row.session.name,
      child = true,
      last = index == #rows,
    }
  end
end

---@param row termi.Row
---@return string
local function session_of(row)
  return row.session_id
end

---@param row termi.Row
---@return string
local function group_of(row)
  return row.session.group or ''
end

--- Puts what has no group, and so no heading, before the groups. Among those sorted by attention it stays in its place,
--- for who waits in a group is not to stand below all that waits for nobody; below another group it gets a heading.
---@param groups termi.Sorted[] as `gathered()` orders them
---@param view termi.ListView
---@return termi.Sorted[]
local function with_ungrouped(groups, view)
  if view.sort == 'attention' then
    return groups
  end
  local ordered = {} ---@type termi.Sorted[]
  for _, group in ipairs(groups) do
    table.insert(ordered, group.name == '' and 1 or #ordered + 1, group)
  end
  return ordered
end

--- The heading of what has no group.
local NO_GROUP = 'no group'

--- The lines of the list.
---@param rows termi.Row[] as `session_rows.all()` gives them
---@param view termi.ListView
---@return termi.ListNode[]
function M.nodes(rows, view)
  local shown = M.matching(rows, view.filter)
  local nodes = {} ---@type termi.ListNode[]
  for index, group in ipairs(with_ungrouped(gathered(shown, group_of, view), view)) do
    local id = 'group:' .. group.name
    local with_heading = group.name ~= '' or index > 1
    local folded = with_heading and view.filter == '' and view.folded[id] == true
    if with_heading then
      local name = group.name ~= '' and group.name or NO_GROUP
      nodes[#nodes + 1] = { kind = 'group', id = id, rows = group.rows, name = name, folded = folded }
    end
    for _, session in ipairs(folded and {} or gathered(group.rows, session_of, view)) do
      add_session(session.rows, view, nodes)
    end
  end
  return nodes
end

--- The lines of the hosts that should be there and cannot be reached.
---@return termi.ListNode[]
function M.unreachable()
  local nodes = {} ---@type termi.ListNode[]
  for _, name in ipairs(remote.names()) do
    local trouble = remote.status_text(name)
    if trouble then
      local count = run_state.count_active(name)
      local runs = count > 0 and (' (%s there)'):format(format.count(count, 'run', 'runs')) or ''
      nodes[#nodes + 1] = { kind = 'host', id = 'host:' .. name, rows = {}, name = name, trouble = trouble .. runs }
    end
  end
  return nodes
end

--- Where a node is now; where it is gone or hidden in a fold, what stands for it.
---@param nodes termi.ListNode[]
---@param node? termi.ListNode as it was
---@return integer? index
function M.find(nodes, node)
  if not node then
    return nil
  end
  for index, candidate in ipairs(nodes) do
    if candidate.id == node.id then
      return index
    end
  end
  local run_id = node.rows[1] and node.rows[1].process.run_id
  local found ---@type integer?
  for index, candidate in ipairs(nodes) do
    for _, row in ipairs(candidate.rows) do
      -- The last that has it is the innermost.
      found = row.process.run_id == run_id and index or found
    end
  end
  return found
end

--- How many sessions the rows are of.
---@param rows termi.Row[]
---@return integer
function M.count_sessions(rows)
  local seen, count = {}, 0 ---@type table<string, true>, integer
  for _, row in ipairs(rows) do
    if not seen[row.session_id] then
      seen[row.session_id], count = true, count + 1
    end
  end
  return count
end

return M
