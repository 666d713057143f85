--- Sessions that outlive the editor: where the daemon is, what is said of it at the start, and coming back to it.
local M = {}

--- How long after the start of the editor it is looked whether a daemon has sessions.
local GREETING_MS = 100

---@return string? path
local function absolute(path)
  return path and vim.startswith(path, '/') and path or nil
end

--- The daemon's socket, as the binary finds it.
---@return string
function M.socket()
  local runtime = absolute(vim.env.XDG_RUNTIME_DIR)
  local stat = runtime and vim.uv.fs_stat(runtime)
  if runtime and stat and stat.type == 'directory' then
    return vim.fs.joinpath(runtime, 'termi', 'daemon.sock')
  end
  local temporary = vim.env.TMPDIR ~= '' and vim.env.TMPDIR or '/tmp'
  return vim.fs.joinpath(temporary or '/tmp', 'termi-' .. vim.uv.getuid(), 'daemon.sock')
end

--- Whether there may be a daemon that has sessions. Does not ask it.
---@return boolean
function M.may_have_sessions()
  return require('termi.config').get().persist and vim.uv.fs_stat(M.socket()) ~= nil
end

--- What runs, in one line; nothing when nothing does.
---@param sessions termi.proto.Sessions
---@return string?
local function greeting(sessions)
  local here, elsewhere = 0, 0
  for _, session in pairs(sessions) do
    if session.active_processes > 0 then
      if M.is_here(session) then
        here = here + 1
      else
        elsewhere = elsewhere + 1
      end
    end
  end
  if here + elsewhere == 0 then
    return nil
  end
  local count = require('termi.format').count(here + elsewhere, 'session', 'sessions')
  local place = here > 0 and elsewhere > 0 and (' (%d of this directory)'):format(here) or ''
  return ('%s still running%s; :TermiSessions lists them'):format(count, place)
end

local function greet()
  require('termi.sessions').fetch_soon(function(sessions)
    local text = sessions and greeting(sessions)
    if text then
      require('termi.message').aside(text)
    end
  end)
end

--- Says what runs, once the editor has started: only when a daemon listens, which is found out without waiting.
local function greet_soon()
  vim.defer_fn(function()
    local pipe = M.may_have_sessions() and not require('termi.client').running() and vim.uv.new_pipe(false)
    if not pipe then
      return
    end
    pipe:connect(M.socket(), function(err)
      pipe:close()
      if not err then
        vim.schedule(function()
          require('termi.message').guard(greet)
        end)
      end
    end)
  end, GREETING_MS)
end

--- Greets once: now, or when the editor has started.
function M.watch()
  if M.watched then
    return
  end
  M.watched = true
  if vim.v.vim_did_enter == 1 then
    return greet_soon()
  end
  vim.api.nvim_create_autocmd('VimEnter', {
    group = vim.api.nvim_create_augroup('termi.persist', {}),
    once = true,
    desc = 'Termi: say what still runs',
    callback = greet_soon,
  })
end

--- Whether a session was started in the current folder.
---@param session termi.proto.Session
---@return boolean
function M.is_here(session)
  if session.host then
    return false
  end
  local here = vim.uv.fs_realpath(vim.fn.getcwd())
  return here ~= nil and vim.uv.fs_realpath(session.cwd) == here
end

--- The rows of sessions that were started in the current folder, then the others.
---@param rows termi.Row[]
---@return termi.Row[]
function M.here_first(rows)
  local here, elsewhere = {}, {} ---@type termi.Row[], termi.Row[]
  for _, row in ipairs(rows) do
    table.insert(M.is_here(row.session) and here or elsewhere, row)
  end
  return vim.list_extend(here, elsewhere)
end

--- Attaches a view again after the daemon was given another binary: its run went on.
---@param shown termi.View
---@param on_done? fun()
function M.attach_again(shown, on_done)
  local params = { run_id = shown.run_id, format = 'ansi', size = shown.size }
  shown.away = nil
  require('termi.client').request('attach', params, function(err, result)
    local view = require('termi.view')
    local is_lost_again = err and shown.host ~= '' and vim.startswith(err.code, 'host_')
    if is_lost_again then
      -- The next connection attaches it.
      shown.away = true
    elseif err and shown.run_id then
      view.ended(shown.run_id, ('[Termi: %s]'):format(err.message), true)
    elseif not err then
      view.named(shown, result.view_id)
      -- Of a view that has just been attached the host knows that it is seen, and not yet that it is read in.
      shown.seen, shown.held, shown.waiting_rows = true, false, nil
      require('termi.sync').soon()
    end
    if on_done then
      on_done()
    end
  end)
end

--- Attaches the view of a run that had ended when its connection was made again, and is now restarted.
---@param shown termi.View
function M.attach_restarted(shown)
  shown.unattached = nil
  if require('termi.size').is_seen(shown.buf) then
    M.attach_again(shown)
  else
    shown.away = true
  end
end

--- Shows again what the views showed, after the daemon was given another binary. One that no window shows waits until
--- one does: Neovim 0.10 cannot empty its scrollback before.
---@param host string whose runs they show
---@param on_done fun() the last view is attached, or could not be
function M.reattach(host, on_done)
  local registry = require('termi.registry')
  local left = 1
  local function done()
    left = left - 1
    if left == 0 then
      on_done()
    end
  end
  for _, shown in ipairs(registry.all()) do
    local is_there = shown.host == host and vim.api.nvim_buf_is_valid(shown.buf)
    if is_there then
      -- The other binary counts views anew.
      require('termi.view').named(shown, nil)
    end
    if shown.run_id and shown.ended and is_there then
      -- Its text stays. The next frames are those of a restart.
      shown.unattached = true
    elseif shown.run_id and is_there then
      if require('termi.size').is_seen(shown.buf) then
        left = left + 1
        M.attach_again(shown, done)
      else
        shown.away = true
        -- The name is another view's by now.
        require('termi.view').named(shown, nil)
      end
    end
  end
  done()
end

--- Starts again what ran when the daemon ended without being told to, as by a reboot.
---@param names? string[] of sessions; none: all
---@return { restored: termi.proto.RunResult[], failed: { name: string, message: string }[] }
function M.restore(names)
  local client, message = require('termi.client'), require('termi.message')
  local result = client.call('restore', { names = names }, { timeout_ms = 60000 })
  for _, failure in ipairs(result.failed) do
    message.error(('%s could not be restored: %s'):format(failure.name, failure.message))
  end
  return result
end

--- The same, and says what came of it.
---@param name string '': all
function M.restore_and_say(name)
  local result = M.restore(name ~= '' and { name } or nil)
  local count = #result.restored
  if count > 0 then
    local runs = require('termi.format').count(count, 'run', 'runs')
    require('termi.message').info(('restored %s; :TermiSessions lists them'):format(runs))
  elseif #result.failed == 0 then
    require('termi.message').info('there is nothing to restore.')
  end
end

return M
