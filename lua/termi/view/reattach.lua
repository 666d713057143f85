--- Reattaching: views whose connection was lost, or whose daemon was given another binary, are attached to their runs
--- again once the host can be called.
local client = require('termi.rpc.client')
local exited = require('termi.view.exited')
local size = require('termi.view.size')
local sync = require('termi.view.sync')
local views = require('termi.model.views')

local M = {}

--- Attaches a view again: its run went on.
---@param view termi.View
---@param on_done? fun()
function M.attach(view, on_done)
  local params = { run_id = view.run_id, format = 'ansi', size = view.size }
  view.away = nil
  client.request('attach', params, function(err, result)
    local is_lost_again = err and view.host ~= '' and vim.startswith(err.code, 'host_')
    if is_lost_again then
      -- The next connection attaches it.
      view.away = true
    elseif err and view.run_id then
      exited.mark(view.run_id, ('[Termi: %s]'):format(err.message), true)
    elseif not err then
      views.name(view, result.view_id)
      -- Of a view that has just been attached the host knows that it is seen, and not yet that it is read in.
      view.seen, view.held, view.waiting_rows = true, false, nil
      sync.soon()
    end
    if on_done then
      on_done()
    end
  end)
end

--- Attaches the view of a run that had ended when its connection was made again, and is now restarted.
---@param view termi.View
function M.restarted(view)
  view.unattached = nil
  if size.is_seen(view.buf) then
    M.attach(view)
  else
    view.away = true
  end
end

--- Shows again what the views showed. One that no window shows waits until one does: Neovim 0.10 cannot empty its
--- scrollback before.
---@param host string whose runs they show
---@param on_done fun() the last view is attached, or could not be
function M.all(host, on_done)
  local left = 1
  local function done()
    left = left - 1
    if left == 0 then
      on_done()
    end
  end
  for _, view in ipairs(views.all()) do
    local is_there = view.host == host and vim.api.nvim_buf_is_valid(view.buf)
    if is_there then
      -- The other binary counts views anew.
      views.name(view, nil)
    end
    if view.run_id and view.ended and is_there then
      -- Its text stays. The next frames are those of a restart.
      view.unattached = true
    elseif view.run_id and is_there then
      if size.is_seen(view.buf) then
        left = left + 1
        M.attach(view, done)
      else
        view.away = true
      end
    end
  end
  done()
end

return M
