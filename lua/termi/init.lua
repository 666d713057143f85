--- Termi's Lua API. Each function returns its result or raises an error that says what to do; `:help termi-api`.
local M = {}

---@class termi.RunOpts
---@field cmd? string|string[] a string runs in the user's shell; none: an interactive shell
---@field host? string a name of the option `hosts`; default: this machine, or where `session` is
---@field session? string target of a session to run in; none: a new one
---@field name? string of the new session
---@field label? string shown beside the name
---@field group? string of the new session
---@field cwd? string default: the current directory of the window; on another host what its `cwd` says
---@field env? table<string, string> added to the environment
---@field timeout_ms? integer ends the run after this time
---@field idle_timeout_ms? integer ends the run after this time without output and input
---@field limits? termi.proto.Limits
---@field transcript_bytes? integer how much text the new session keeps, 64,000 to 64,000,000; default: 500,000
---@field keep? termi.proto.Keep which ended runs the new session keeps
---@field log? boolean keep the whole output in a file
---@field log_bytes? integer the most that this file may hold; default: 16 MiB
---@field template? string whose settings hold where these say nothing
---@field open? termi.Open default: the tab page's Termi window, or the option `open` where there is none
---@field new_window? boolean always make a window
---@field focus? boolean false: stay in the current window

---@class termi.Run
---@field host? string when it is another machine's
---@field session_id string
---@field run_id string
---@field session_name string
---@field buf integer
---@field pid? integer
---@field terminal_name? string

--- Sets options. Not needed when the defaults suit.
---@param opts? table any part of |termi.Config|
function M.setup(opts)
  local ok, why = pcall(require('termi.config').set, opts)
  if not ok then
    -- As a tail call, so that the traceback in a person's configuration begins at the line that is wrong there.
    return error(why, 0)
  end
  for name, complaint in vim.spairs(require('termi.config').faulty_templates) do
    -- Later: a configuration may be under way, which is to go on.
    vim.schedule(function()
      local text = 'setup(): the template `%s` is left out: %s. See :help termi-templates'
      require('termi.ui.message').error(text:format(name, complaint))
    end)
  end
  if opts and opts.persist then
    require('termi.model.greeting').watch()
  end
  if opts and opts.hosts and next(opts.hosts) then
    require('termi.rpc.remote').watch()
  end
end

--- Starts a program in a session and shows it.
---@param opts? termi.RunOpts|string|string[] options, or only the command
---@return termi.Run
function M.run(opts)
  return require('termi.run').run(opts)
end

--- The sessions and their runs, by session id.
---@return termi.proto.Sessions
function M.sessions()
  return require('termi.model.sessions').fetch()
end

--- Kills what a target names with all their processes, and waits until they are gone.
---@param target string
---@param opts? { signal?: string|integer, grace_ms?: integer }
---@return termi.proto.KillResult
function M.kill(target, opts)
  return require('termi.run.actions').kill(target, opts)
end

--- Sends text to the program as if typed. Lines (a list, or a text with line breaks) are a paste: none of them acts as
--- a key, and they arrive as one where the program takes that.
---@param target string
---@param text string|string[] lines are joined
---@param opts? { enter?: boolean } enter: press <Enter> after it
---@return integer runs that it was sent to
function M.send(target, text, opts)
  return require('termi.run.actions').send(target, text, opts)
end

--- Shows a run: its buffer, or a new one attached to it.
---@param target string
---@param opts? { open?: termi.Open, new_window?: boolean }
---@return termi.Run
function M.attach(target, opts)
  return require('termi.view.attach').attach(target, opts)
end

--- Hides the Termi window of the tab page, or shows the run used last there, or starts a shell.
---@return boolean shown
function M.toggle()
  return require('termi.run.toggle').toggle()
end

--- Starts a run's program again in the same buffer.
---@param target string
---@param opts? { force?: boolean } to end processes that live on after their run's end, too
---@return termi.proto.RunResult
function M.restart(target, opts)
  return (require('termi.run.actions').restart(target, opts))
end

---@param target string
---@param name string
---@return { session_id: string, name: string }
function M.rename(target, name)
  return require('termi.run.actions').rename(target, name)
end

--- Dismisses sessions that have ended.
---@param target string
---@param opts? { force?: boolean } to end processes that live on after their run's end, too
---@return { removed: integer, kept?: integer, processes?: integer }
function M.remove(target, opts)
  return require('termi.run.actions').remove(target, opts)
end

--- The text of a run: what is on its screen, and what has left it.
---@param target string
---@param opts? { scrollback?: integer } lines from above the screen; default: all
---@return termi.proto.SnapshotResult
function M.snapshot(target, opts)
  return require('termi.run.actions').snapshot(target, opts)
end

--- Calls `on_done` when a run has ended, or has printed a pattern, or has been silent for a time, or is a coding agent in
--- one of some states. The editor goes on meanwhile.
---@param target string
---@param opts? { pattern?: string, after?: 'now'|integer, idle_ms?: integer, state?: string[], timeout_ms?: integer } default: until it has ended
---@param on_done fun(err?: string, result?: termi.WaitResult)
function M.wait(target, opts, on_done)
  require('termi.run.actions').wait(target, opts, on_done)
end

--- The runs that are coding agents: who waits for a person first, and of those who has waited longest.
---@return termi.AgentRun[]
function M.agents()
  local sessions = require('termi.model.sessions')
  if sessions.may_exist() then
    sessions.fetch()
  end
  return require('termi.model.agents').all()
end

--- For the statusline: how many runs are alive, have failed, wait for a person, or are agents that have finished. Empty when there are none.
---@return string
function M.statusline()
  return require('termi.model.statusline').text()
end

return M
