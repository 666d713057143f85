--- Views: the buffers that show runs. One view is one buffer with one |nvim_open_term()| terminal in it; the host
--- writes frames into it, keys typed in it go to the host.
local autoscroll = require('termi.view.autoscroll')
local client = require('termi.rpc.client')
local config = require('termi.config')
local exit_status = require('termi.view.exit_status')
local exited = require('termi.view.exited')
local focus_reports = require('termi.view.focus_reports')
local message = require('termi.ui.message')
local new_output_badge = require('termi.view.new_output_badge')
local paste = require('termi.view.paste')
local reattach = require('termi.view.reattach')
local routing = require('termi.rpc.routing')
local run_state = require('termi.model.run_state')
local shell_integration = require('termi.view.shell_integration')
local size = require('termi.view.size')
local sync = require('termi.view.sync')
local views = require('termi.model.views')
local window = require('termi.ui.window')
require('termi.view.follow_autocmds')

local api = vim.api
local M = {}

local group = api.nvim_create_augroup('termi.view', {})

---@param buf integer
---@param data string
function M.input(buf, data)
  local view = views.of_buf(buf)
  if focus_reports.take(data) then
    return
  end
  if view and view.run_id and not view.ended and not paste.take(buf, data) then
    client.notify('input', { run_id = view.run_id, data = data })
  end
end

--- Forgets a view whose buffer is going away.
---@param view termi.View
local function gone(view)
  local current = views.of_run(view.run_id) == view
  views.remove(view)
  exit_status.forget(view.buf)
  new_output_badge.close(view.buf)
  if not current or vim.v.exiting ~= vim.NIL or not client.running(view.host) then
    return
  end
  if config.get().on_wipe == 'kill' and not view.ended then
    client.request('kill', { target = view.session_id .. ':' .. view.run_id }, function() end)
  else
    client.request('detach', { run_id = view.run_id }, function() end)
  end
end

---@param view termi.View
local function watch(view)
  views.add(view)
  autoscroll.track(view.buf)
  shell_integration.map(view.buf)
  local function on(events, callback)
    api.nvim_create_autocmd(events, { group = group, buffer = view.buf, callback = callback })
  end
  on('BufWinEnter', function()
    window.set_options(view.buf)
    if view.away then
      reattach.attach(view)
    end
  end)
  on('BufEnter', function()
    views.used(view)
    window.remember(view.buf)
    run_state.seen(view.run_id)
  end)
  on('TermEnter', function()
    run_state.seen(view.run_id)
    sync.soon()
    if view.ended then
      vim.schedule(exit_status.leave_terminal_mode)
    end
  end)
  on({ 'BufUnload', 'BufWipeout' }, function()
    gone(view)
  end)
end

--- Makes a view: a buffer with a terminal, shown as `how` says, not yet bound to a run.
---@param how termi.Open
---@param opts? { new_window?: boolean, explicit?: boolean, buf?: integer, host?: string }
---@return termi.View
---@return fun() undo closes what was opened, for when the run cannot be had
function M.create(how, opts)
  opts = opts or {}
  local buf = opts.buf or api.nvim_create_buf(config.get().buflisted, false)
  -- The option's default would unload the buffer, and its terminal, when no window shows it under 'nohidden'.
  vim.bo[buf].bufhidden = 'hide'
  local function discard()
    if not opts.buf and api.nvim_buf_is_valid(buf) then
      api.nvim_buf_delete(buf, { force = true })
    end
  end
  local placed, put_back = pcall(window.place, buf, how, opts)
  if not placed then
    discard()
    error(put_back, 0)
  end
  local opened, chan = pcall(api.nvim_open_term, buf, {
    force_crlf = false,
    on_input = function(_, _, bufnr, data)
      require('termi.view').input(bufnr, data)
    end,
  })
  if not opened then
    put_back()
    discard()
    error(chan, 0)
  end
  window.set_options(buf)
  window.remember(buf)
  local view = {
    buf = buf,
    host = opts.host or '',
    chan = chan,
    size = size.of(buf) or size.of_current_window(),
    seen = size.is_seen(buf),
    ended = false,
  }
  watch(view)
  autoscroll.follow(buf)
  return view, function()
    put_back()
    discard()
  end
end

---@param view termi.View
---@param name string of the session
local function set_name(view, name)
  name = routing.named(name, view.host)
  window.set_title(view.buf, name)
  local old = api.nvim_buf_get_name(view.buf)
  local wanted = ('termi://%s/%s'):format(name, (view.run_id or ''):sub(1, 8))
  if old == wanted then
    return
  end
  pcall(api.nvim_buf_set_name, view.buf, wanted)
  -- Renaming a buffer leaves another one behind that has the old name.
  for _, buf in ipairs(old ~= '' and api.nvim_list_bufs() or {}) do
    if buf ~= view.buf and api.nvim_buf_get_name(buf) == old then
      pcall(api.nvim_buf_delete, buf, { force = true })
    end
  end
end

--- Binds a view to its run. To be called while the host's answer is handled: the first frame follows it.
---@param view termi.View
---@param run { run_id: string, session_id: string, session_name: string, view_id?: integer }
function M.bind(view, run)
  if not (routing.learn(run.session_id, view.host) and routing.learn(run.run_id, view.host)) then
    message.fail('%s answered with a run that is not its own', routing.word(view.host))
  end
  local before = views.of_run(run.run_id)
  view.run_id, view.session_id, view.session_name = run.run_id, run.session_id, run.session_name
  views.name(view, run.view_id)
  views.used(view)
  local host = view.host ~= '' and view.host or nil
  vim.b[view.buf].termi = { session_id = run.session_id, run_id = run.run_id, host = host }
  if before and before ~= view then
    api.nvim_buf_delete(before.buf, { force = true })
  end
  set_name(view, run.session_name)
  vim.b[view.buf].term_title = vim.b[view.buf].term_title or routing.named(run.session_name, view.host)
  vim.bo[view.buf].filetype = 'termi'
  if not view.seen then
    client.notify('visible', { run_id = run.run_id, visible = false })
  end
  sync.soon()
end

--- Writes a frame into its view.
---@param frame termi.proto.Frame
---@param host string
---@return boolean written false: there is no such view any more
function M.frame(frame, host)
  local view = views.of_frame(frame, host)
  if not view then
    return false
  end
  local is_first = not view.written
  view.written = true
  return autoscroll.write(view.buf, view.chan, frame, is_first)
end

--- Closes the windows of a run and wipes its buffer.
---@param run_id string
function M.close(run_id)
  local view = views.of_run(run_id)
  if view then
    window.close_all(view.buf)
    pcall(api.nvim_buf_delete, view.buf, { force = true })
  end
end

--- The run has been started again in its buffer.
---@param run_id string
function M.restarted(run_id)
  local view = views.of_run(run_id)
  if view then
    view.ended, view.lost = false, nil
    exit_status.clear(view.buf)
    autoscroll.follow(view.buf)
    if view.unattached then
      reattach.restarted(view)
    end
  end
end

---@param session_id string
---@param name string
function M.renamed(session_id, name)
  for _, view in ipairs(views.all()) do
    if view.session_id == session_id and api.nvim_buf_is_valid(view.buf) then
      view.session_name = name
      set_name(view, name)
    end
  end
end

--- Shows a view in a window, or goes to the window that shows it.
---@param view termi.View
---@param how? termi.Open
---@param opts? termi.PlaceOpts
function M.show(view, how, opts)
  opts = opts or {}
  local win = not opts.explicit and not opts.new_window and window.showing(view.buf)
  if win then
    api.nvim_set_current_win(win)
  else
    window.place(view.buf, how or config.get().open, opts)
  end
  window.set_title(view.buf, routing.named(view.session_name or '', view.host))
  window.remember(view.buf)
  M.start_insert(view)
end

---@param view termi.View
function M.start_insert(view)
  if config.get().start_insert and not view.ended and api.nvim_get_current_buf() == view.buf then
    vim.cmd.startinsert()
  end
end

--- After a reload of the plugin: takes over the buffers that an earlier load made.
local function adopt()
  for _, chan in ipairs(api.nvim_list_chans()) do
    local buf = chan.mode == 'terminal' and (chan.buf or chan.buffer)
    local run = buf and api.nvim_buf_is_valid(buf) and vim.b[buf].termi
    if run then
      local host = run.host or ''
      local name = api.nvim_buf_get_name(buf):match('^termi://(.*)/[^/]*$')
      if name and host ~= '' and vim.endswith(name, '@' .. host) then
        name = name:sub(1, -#host - 2)
      end
      routing.learn(run.session_id, host)
      routing.learn(run.run_id, host)
      watch({
        buf = buf,
        host = host,
        chan = chan.id,
        run_id = run.run_id,
        id = vim.b[buf].termi_view --[[@as integer?]],
        session_id = run.session_id,
        session_name = name or run.session_id,
        -- Not what the host knows: it is told anew.
        size = { rows = 0, cols = 0 },
        seen = not size.is_seen(buf),
        ended = exit_status.adopt(buf),
        written = true,
      })
    end
  end
  sync.soon()
end

client.on_death(function(reason, wanted)
  for _, view in ipairs(views.all()) do
    if view.host == '' and view.run_id and not view.ended and api.nvim_buf_is_valid(view.buf) then
      view.lost = true
      local fate = config.get().persist and ':Termi attach shows it if it is still running' or 'this program is gone'
      exited.mark(view.run_id, ('[The Termi host ended: %s]'):format(fate), true)
    end
  end
  -- Once terminal mode is left: Neovim holds the screen for seconds when its mode changes below an error message.
  vim.defer_fn(function()
    message.notify(reason, wanted and vim.log.levels.INFO or vim.log.levels.ERROR)
  end, 50)
end)

adopt()

return M
