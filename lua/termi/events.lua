--- What the host's events do here: buffers, what is known of the runs, User autocommands, notifications.
local agent_notifications = require('termi.model.agent_notifications')
local agent_seen = require('termi.view.agent_seen')
local agents = require('termi.model.agents')
local bus = require('termi.rpc.bus')
local capabilities = require('termi.rpc.capabilities')
local client = require('termi.rpc.client')
local config = require('termi.config')
local exit_notifications = require('termi.model.exit_notifications')
local exited = require('termi.view.exited')
local format = require('termi.core.format')
local input_queue = require('termi.rpc.input_queue')
local message = require('termi.ui.message')
local new_output_badge = require('termi.view.new_output_badge')
local outcome = require('termi.core.outcome')
local routing = require('termi.rpc.routing')
local run_state = require('termi.model.run_state')
local sessions = require('termi.model.sessions')
local size = require('termi.view.size')
local view = require('termi.view')
local views = require('termi.model.views')
-- Acts on what becomes of connections.
require('termi.view.reconnect')

--- The event's session, as a person reads it.
---@param event termi.proto.Event
---@return string
local function who(event)
  return routing.named(event.session_name or event.session_id or '', event.host)
end

---@param name string
---@param event termi.proto.RunEvent
local function autocommand(name, event)
  local its = views.of_run(event.run_id)
  local data = vim.tbl_extend('force', event, { buf = its and its.buf })
  vim.api.nvim_exec_autocmds('User', { pattern = name, modeline = false, data = data })
end

---@param event termi.proto.RunEvent
---@param policy 'always'|'hidden'|'never'
---@return boolean
local function is_to_be_said(event, policy)
  local its = views.of_run(event.run_id)
  return its ~= nil and (policy == 'always' or (policy == 'hidden' and not size.is_seen(its.buf)))
end

--- How long after a bell the state of an agent that rang it may come: hosts send them ten times a second.
local STATE_MS = 150

--- Whether a run is an agent whose states are told: its bells are not told besides.
---@param event termi.proto.RunEvent
---@return boolean
local function is_told_as_agent(event)
  return config.get().notify.agent ~= 'never' and run_state.is_known_agent(event.run_id)
end

--- Says that a run rings, or what it says, unless it is an agent.
---@param event termi.proto.RunEvent
---@param text string
local function say_attention(event, text)
  if not capabilities.has('seen', event.host or '') then
    -- A host that knows no agents.
    return message.aside(text)
  end
  vim.defer_fn(function()
    if not is_told_as_agent(event) then
      message.guard(message.aside, text)
    end
  end, STATE_MS)
end

--- Says that an agent waits, unless a person sees it.
---@param event termi.proto.RunEvent of another state than before
local function say_agent(event)
  local policy, agent = config.get().notify.agent, event.agent
  local is_to_be_told = policy == 'always' or (policy == 'hidden' and not agent_seen.is_in_view(event.run_id))
  if is_to_be_told and agent and agents.waits(agent) and views.of_run(event.run_id) then
    agent_notifications.waits(event.run_id, who(event), agent.state)
  end
end

---@type table<string, fun(event: termi.proto.RunEvent)>
local handlers = {
  output = function(event)
    run_state.printed(event.run_id)
    local its = views.of_run(event.run_id)
    if its and its.held and event.waiting_rows then
      its.waiting_rows = event.waiting_rows
      new_output_badge.show(its)
    end
    if its and its.held and event.skipped_rows and its.skipped_rows ~= event.skipped_rows then
      its.skipped_rows = event.skipped_rows
      require('termi.view.skipped_marker').show(its.buf, its.size.rows, event.skipped_rows)
    end
  end,
  run_started = function(event)
    run_state.started(event)
    autocommand('TermiStarted', event)
  end,
  run_restarted = function(event)
    run_state.started(event)
    view.restarted(event.run_id)
    autocommand('TermiStarted', event)
  end,
  run_exited = function(event)
    run_state.ended(event)
    require('termi.view.clipboard').ended(event.run_id)
    local policy = config.get().notify.exit
    -- Who kills a run is told so by the kill itself.
    local failed = outcome.failed(event)
    if is_to_be_said(event, policy) and (policy == 'always' or event.status ~= 'killed' or failed) then
      local name = who(event)
      exit_notifications.ended(name, ('%s %s'):format(name, outcome.full_text(event)), failed)
    end
    exited.mark(event.run_id, outcome.line(event), failed)
    autocommand('TermiExited', event)
    local on_exit = config.get().on_exit
    if on_exit == 'close' or (on_exit == 'close_on_success' and event.status == 'exited' and not failed) then
      view.close(event.run_id)
    end
  end,
  attention = function(event)
    if event.kind and event.kind ~= 'bell' and event.kind ~= 'notification' then
      -- A kind of a newer host: for who listens to the autocommand.
      return autocommand('TermiAttention', event)
    end
    if is_told_as_agent(event) then
      return autocommand('TermiAttention', event)
    end
    local its = views.of_run(event.run_id)
    local text = event.message and event.message ~= '' and format.one_line(event.message) or nil
    local looked_at = its and vim.api.nvim_get_current_buf() == its.buf
    -- Who rings on and on is said once, until a person has looked.
    local news = looked_at or run_state.wants_attention(event.run_id, text or 'bell')
    if news and is_to_be_said(event, config.get().notify.attention) then
      say_attention(event, ('%s %s'):format(who(event), text and 'says: ' .. text or 'rings'))
    end
    autocommand('TermiAttention', event)
  end,
  agent_state = function(event)
    local is_news = run_state.agent_is(event)
    if not run_state.runs()[event.run_id] then
      -- Another editor's, that was never heard of here.
      sessions.fetch_soon(function() end)
    end
    if is_news then
      say_agent(event)
    end
    agent_seen.look()
    autocommand('TermiAgent', event)
  end,
  clipboard = function(event)
    require('termi.view.clipboard').copy(event)
  end,
  clipboard_request = function(event)
    require('termi.view.clipboard').asked(event)
  end,
  session_removed = function(event)
    run_state.removed(event.session_id, event.run_id)
    if event.run_id then
      require('termi.view.clipboard').forget(event.run_id)
    end
    routing.forget(event.run_id or event.session_id)
  end,
  session_renamed = function(event)
    local name = event.session_name or event.session_id
    run_state.renamed(event.session_id, name)
    view.renamed(event.session_id, name)
  end,
  host_lost = function(event)
    if event.is_wanted_off then
      run_state.clear(event.host or '')
    end
  end,
  replacing = function(event)
    if event.begins then
      input_queue.open(event.host or '')
    else
      input_queue.flush(event.host or '', client.running(event.host))
    end
  end,
  events_lost = function()
    sessions.fetch_soon(function() end)
  end,
  input_stalled = function(event)
    local pending = format.bytes(event.pending_bytes or 0)
    local text = ('%s does not read its input; %s wait'):format(who(event), pending)
    message.aside(text, vim.log.levels.WARN)
  end,
  input_dropped = function(event)
    local text = '%s did not read its input: %s of it were dropped (it may have %s waiting)'
    local dropped, limit = format.bytes(event.dropped_bytes or 0), format.bytes(event.limit_bytes or 0)
    message.aside(text:format(who(event), dropped, limit), vim.log.levels.WARN)
  end,
}

for type, handler in pairs(handlers) do
  bus.on(type, handler)
end

client.on_death(function()
  run_state.clear('')
  bus.publish({ type = 'host_ended', session_id = '' } --[[@as termi.proto.Event]])
end)
