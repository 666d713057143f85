--- Reconnecting: what the buffers of runs show of the connection to their host, that it is lost, and all that happened
--- meanwhile once it is there again.
local bus = require('termi.rpc.bus')
local client = require('termi.rpc.client')
local exit_status = require('termi.view.exit_status')
local exited = require('termi.view.exited')
local input_queue = require('termi.rpc.input_queue')
local reattach = require('termi.view.reattach')
local remote = require('termi.rpc.remote')
local run_state = require('termi.model.run_state')
local sessions = require('termi.model.sessions')
local views = require('termi.model.views')

---@param host string
---@return termi.View[] of runs that live, as far as is known
local function living_views(host)
  return vim.tbl_filter(function(view)
    return view.host == host and view.run_id ~= nil and not view.ended and vim.api.nvim_buf_is_valid(view.buf)
  end, views.all())
end

--- Writes below the text of each view what has become of its host; nothing takes it away.
---@param host string
---@param text? string
local function write(host, text)
  for _, view in ipairs(living_views(host)) do
    if text then
      exit_status.show(view.buf, text, true)
    else
      exit_status.clear(view.buf)
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
local function catch_up(host, found, on_done)
  local ended, there = {}, {} ---@type termi.proto.RunEvent[], table<string, true>
  for session_id, session in pairs(found) do
    for _, process in ipairs(session.processes) do
      there[process.run_id] = true
      local known = run_state.runs()[process.run_id]
      if known and known.active and process.status ~= 'active' then
        ended[#ended + 1] = exit_of(host, session_id, session, process)
      end
    end
  end
  for _, view in ipairs(living_views(host)) do
    if view.run_id and not there[view.run_id] then
      exited.mark(view.run_id, ('[%s no longer has this run]'):format(host), true)
    end
  end
  reattach.all(host, function()
    for _, event in ipairs(ended) do
      bus.publish(event)
    end
    on_done()
  end)
end

bus.on('host_lost', function(event)
  if event.notice then
    write(event.host or '', event.notice)
  end
end)

remote.on_connected(function(host, was_lost, on_known)
  if was_lost then
    write(host, nil)
  end
  sessions.ask(host, on_known, function(found)
    local function send_typed()
      -- It may be lost once more.
      local its = remote.running(host)
      if its then
        input_queue.flush(host, its)
      end
    end
    if was_lost and found then
      catch_up(host, found, send_typed)
    elseif was_lost then
      send_typed()
    end
  end)
end)

client.on_rejoined(function(on_done)
  reattach.all('', on_done)
end)
