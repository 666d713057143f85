--- What the buffers of another machine's runs show of its connection: that it is lost, and all that happened meanwhile.
local ending = require('termi.ending')
local registry = require('termi.registry')
local state = require('termi.state')

local M = {}

---@param host string
---@return termi.View[] of runs that live, as far as is known
local function views(host)
  return vim.tbl_filter(function(view)
    return view.host == host and view.run_id ~= nil and not view.ended and vim.api.nvim_buf_is_valid(view.buf)
  end, registry.all())
end

--- Writes below the text of each view what has become of its host; nothing takes it away.
---@param host string
---@param text? string
function M.write(host, text)
  for _, view in ipairs(views(host)) do
    if text then
      ending.show(view.buf, text, true)
    else
      ending.clear(view.buf)
    end
  end
end

---@param host string
---@param session_id string
---@param session termi.proto.Session
---@param process termi.proto.Process
---@return termi.proto.RunEvent
local function exit_of(host, session_id, session, process)
  return {
    type = 'run_exited',
    host = host,
    session_id = session_id,
    session_name = session.name,
    run_id = process.run_id,
    pid = process.pid,
    status = process.status,
    exit = process.exit,
    reason = process.reason,
    duration_ms = process.duration_ms,
    left_running = process.left_running,
  }
end

--- Attaches the views again; what happened to their runs while nothing could be heard of them is told as if it happened
--- now.
---@param host string
---@param found termi.proto.Sessions that it has
---@param on_done fun()
function M.catch_up(host, found, on_done)
  local ended, there = {}, {} ---@type termi.proto.RunEvent[], table<string, true>
  for session_id, session in pairs(found) do
    for _, process in ipairs(session.processes) do
      there[process.run_id] = true
      local known = state.runs()[process.run_id]
      if known and known.active and process.status ~= 'active' then
        ended[#ended + 1] = exit_of(host, session_id, session, process)
      end
    end
  end
  for _, view in ipairs(views(host)) do
    if view.run_id and not there[view.run_id] then
      require('termi.view').ended(view.run_id, ('[%s no longer has this run]'):format(host), true)
    end
  end
  require('termi.persist').reattach(host, function()
    for _, event in ipairs(ended) do
      require('termi.events').handle(event)
    end
    on_done()
  end)
end

return M
