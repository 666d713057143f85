--- Attaching to a run that exists: its buffer, or a new one that is attached to it.
local client = require('termi.rpc.client')
local config = require('termi.config')
local exited = require('termi.view.exited')
local outcome = require('termi.core.outcome')
local sessions = require('termi.model.sessions')
local view = require('termi.view')
local views = require('termi.model.views')

local M = {}

--- Makes a buffer, or takes `buf`, for a run that has none.
---@param row termi.Row
---@param how termi.Open
---@param opts { new_window?: boolean, explicit?: boolean, buf?: integer, host?: string }
---@return termi.View
function M.make_view(row, how, opts)
  opts.host = row.session.host
  local shown, undo = view.create(how, opts)
  local params = { run_id = row.process.run_id, format = 'ansi', size = shown.size }
  local ok, why = pcall(client.call, 'attach', params, {
    on_result = function(result)
      view.bind(shown, {
        run_id = row.process.run_id,
        session_id = row.session_id,
        session_name = result.session_name or row.session.name,
        view_id = result.view_id,
      })
    end,
  })
  if not ok then
    undo()
    error(why, 0)
  end
  if row.process.status ~= 'active' then
    exited.mark(row.process.run_id, outcome.line(row.process), outcome.failed(row.process))
  end
  return shown
end

---@param target string
---@param opts? { open?: termi.Open, new_window?: boolean }
---@return termi.Run
function M.attach(target, opts)
  opts = opts or {}
  local row = sessions.resolve_one(target)
  local place = { new_window = opts.new_window, explicit = opts.open ~= nil }
  local shown = views.of_run(row.process.run_id)
  if shown then
    if shown.lost then
      -- The daemon has kept the run; this view of it went with the host that died.
      local params = { run_id = row.process.run_id, format = 'ansi', size = shown.size }
      client.call('attach', params, {
        on_result = function(result)
          views.name(shown, result.view_id)
          view.restarted(row.process.run_id)
        end,
      })
    end
    view.show(shown, opts.open, place)
  else
    shown = M.make_view(row, opts.open or config.get().open, place)
    view.start_insert(shown)
  end
  return {
    session_id = row.session_id,
    run_id = row.process.run_id,
    session_name = row.session.name,
    host = row.session.host,
    pid = row.process.pid,
    terminal_name = row.process.terminal_name,
    buf = shown.buf,
  }
end

return M
