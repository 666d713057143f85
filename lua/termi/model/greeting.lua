--- The greeting at the start of the editor: how many sessions of the daemon still run.
local client = require('termi.rpc.client')
local daemon = require('termi.rpc.daemon')
local format = require('termi.core.format')
local message = require('termi.ui.message')
local session_rows = require('termi.model.session_rows')
local sessions = require('termi.model.sessions')

local M = {}

--- How long after the start of the editor it is looked whether a daemon has sessions.
local GREETING_MS = 100

--- What runs, in one line; nothing when nothing does.
---@param found termi.proto.Sessions
---@return string?
local function greeting(found)
  local here, elsewhere = 0, 0
  for _, session in pairs(found) do
    if session.active_processes > 0 then
      if session_rows.is_here(session) then
        here = here + 1
      else
        elsewhere = elsewhere + 1
      end
    end
  end
  if here + elsewhere == 0 then
    return nil
  end
  local count = format.count(here + elsewhere, 'session', 'sessions')
  local place = here > 0 and elsewhere > 0 and (' (%d of this directory)'):format(here) or ''
  return ('%s still running%s; :TermiSessions lists them'):format(count, place)
end

local function greet()
  sessions.fetch_soon(function(found)
    local text = found and greeting(found)
    if text then
      message.aside(text)
    end
  end)
end

--- Says what runs, once the editor has started: only when a daemon listens, which is found out without waiting.
local function greet_soon()
  vim.defer_fn(function()
    local pipe = daemon.may_have_sessions() and not client.running() and vim.uv.new_pipe(false)
    if not pipe then
      return
    end
    pipe:connect(daemon.socket(), function(err)
      pipe:close()
      if not err then
        vim.schedule(function()
          message.guard(greet)
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

return M
