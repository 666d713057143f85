--- Starting a program in a session and showing it.
local client = require('termi.rpc.client')
local config = require('termi.config')
local errors = require('termi.core.errors')
local exit_status = require('termi.view.exit_status')
local message = require('termi.ui.message')
local options = require('termi.core.run_options')
local remote = require('termi.rpc.remote')
local routing = require('termi.rpc.routing')
local sessions = require('termi.model.sessions')
local view = require('termi.view')

local M = {}

--- Where a run starts on another machine: what is a folder here need not be one there.
---@param opts termi.RunOpts
---@param host string
---@return string? cwd
local function cwd_on(opts, host)
  local set = remote.settings(host).cwd
  if opts.cwd or opts.session or opts.template then
    return opts.cwd
  elseif type(set) == 'function' then
    set = set(vim.fn.getcwd())
    if set ~= nil and type(set) ~= 'string' then
      message.fail('the `cwd` of hosts.%s must return a directory or nothing, not %s', host, vim.inspect(set))
    end
  end
  return set --[[@as string?]]
end

---@param opts termi.RunOpts
---@return string? cwd
local function cwd_here(opts)
  -- A session and a template have folders of their own.
  local cwd = opts.cwd or not (opts.session or opts.template) and vim.fn.getcwd() or nil
  return cwd and vim.fs.normalize(vim.fn.fnamemodify(cwd, ':p'))
end

---@param opts termi.RunOpts
---@param host string
---@param size termi.proto.Size
---@return termi.proto.RunParams
local function params(opts, host, size)
  local added = host == '' and config.get().env or remote.settings(host).env
  local env = vim.tbl_extend('force', added or {}, opts.env or {})
  local wanted = options.wire(opts)
  wanted.cwd = host == '' and cwd_here(opts) or host ~= '' and cwd_on(opts, host) or nil
  wanted.env = next(env) and env or nil
  wanted.size, wanted.attach = size, 'ansi'
  return wanted
end

--- Checks the options, and finds out on which host they are to run. A session is where it is.
---@param opts termi.RunOpts
---@return string host
local function host_of(opts)
  options.check(opts)
  local host = opts.host
  if host then
    host = host ~= routing.LOCAL and host or ''
    if host ~= '' then
      remote.settings(host)
    end
  end
  if opts.session and (not host or host ~= '') and #remote.ready() > 0 then
    local known, row = pcall(sessions.resolve_one, host and ('%s@%s'):format(opts.session, host) or opts.session)
    -- Whoever has no such session says so itself.
    if known then
      host, opts.session = row.session.host or '', row.session_id
    end
  end
  if opts.template and host and host ~= '' then
    local text = 'templates belong to this machine: ++template does not work with ++host=%s. Give the command itself.'
    message.fail(text, host)
  end
  return host or ''
end

--- A view for a run that is to be started.
---@param opts termi.RunOpts
---@param host string
---@return termi.View
---@return fun() undo
local function make_view(opts, host)
  local how = opts.open or config.get().open
  return view.create(how, { new_window = opts.new_window, explicit = opts.open ~= nil, host = host })
end

---@param opts termi.RunOpts
---@param shown termi.View
---@param focus integer window that was the current one before
local function place_cursor(opts, shown, focus)
  if opts.focus == false and vim.api.nvim_win_is_valid(focus) then
    vim.api.nvim_set_current_win(focus)
  else
    view.start_insert(shown)
  end
end

--- Connects a host, and waits until that is done. Raises when it cannot be had.
---@param host string
local function wait_for(host)
  local done, err = false, nil ---@type boolean, string?
  remote.connect(host, function(why)
    done, err = true, why
  end)
  local limit = config.get().timeout_ms
  vim.wait(limit, function()
    return done
  end, 5)
  if err or not done then
    message.fail('%s', err or ('%s did not answer within %g s'):format(host, limit / 1000))
  end
end

---@param opts termi.RunOpts
---@return termi.Run
local function start(opts)
  local host = host_of(opts)
  if host ~= '' then
    wait_for(host)
  else
    client.ensure()
  end
  if opts.template then
    require('termi.run.templates').need(opts.template)
  end
  local focus = vim.api.nvim_get_current_win()
  local shown, undo = make_view(opts, host)
  local ok, result = pcall(client.call, 'run', params(opts, host, shown.size), {
    host = host,
    on_result = function(answer)
      view.bind(shown, answer)
    end,
  })
  if not ok then
    undo()
    error(result, 0)
  end
  place_cursor(opts, shown, focus)
  return {
    session_id = result.session_id,
    run_id = result.run_id,
    session_name = result.session_name,
    host = host ~= '' and host or nil,
    pid = result.pid,
    terminal_name = result.terminal_name,
    buf = shown.buf,
  }
end

--- Starts it on another machine without waiting: its window is there at once, and says what it waits for.
---@param opts termi.RunOpts
---@param host string
local function start_soon(opts, host)
  local focus = vim.api.nvim_get_current_win()
  local shown, undo = make_view(opts, host)
  if not client.running(host) then
    exit_status.show(shown.buf, ('[Connecting to %s …]'):format(host), false)
  end
  if opts.focus == false then
    place_cursor(opts, shown, focus)
  end
  local function give_up(why)
    if vim.api.nvim_buf_is_valid(shown.buf) then
      undo()
    end
    message.error(why)
  end
  remote.connect(host, function(err)
    -- Who has wiped the buffer meanwhile wants no program in it.
    if err or not vim.api.nvim_buf_is_valid(shown.buf) then
      return err and give_up(err)
    end
    local ok, wanted = pcall(params, opts, host, shown.size)
    if not ok then
      return give_up(tostring(wanted))
    end
    client.request('run', wanted, function(refused, answer)
      if refused then
        local why = errors.of(refused)
        vim.schedule(function()
          give_up(why)
        end)
        return
      elseif not vim.api.nvim_buf_is_valid(shown.buf) then
        return client.request('detach', { run_id = answer.run_id }, function() end, host)
      end
      exit_status.clear(shown.buf)
      view.bind(shown, answer)
      vim.schedule(function()
        if vim.api.nvim_get_current_buf() == shown.buf and opts.focus ~= false then
          view.start_insert(shown)
        end
      end)
    end, host)
  end)
end

---@param opts? termi.RunOpts|string|string[]
---@return termi.Run
function M.run(opts)
  local bare = type(opts) == 'string' or (type(opts) == 'table' and vim.islist(opts) and #opts > 0)
  return start((bare and { cmd = opts } or opts or {}) --[[@as termi.RunOpts]])
end

--- The same for commands: nothing waits for another machine.
---@param opts termi.RunOpts
function M.run_soon(opts)
  local host = host_of(opts)
  if host ~= '' then
    opts.host = host
    return start_soon(opts, host)
  end
  start(opts)
end

return M
