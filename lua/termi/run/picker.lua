--- Picker: choosing a run when no target was named.
local errors = require('termi.core.errors')
local message = require('termi.ui.message')
local routing = require('termi.rpc.routing')
local session_rows = require('termi.model.session_rows')
local sessions = require('termi.model.sessions')
local views = require('termi.model.views')
local window = require('termi.ui.window')

local M = {}

--- Asks a person to choose among the runs, when there are several.
---@param prompt string
---@param choices termi.Row[]
---@param on_choice fun(row: termi.Row)
local function ask(prompt, choices, on_choice)
  if #choices == 0 then
    message.fail('%s', errors.NO_SESSIONS)
  end
  if #choices == 1 then
    return on_choice(choices[1])
  end
  vim.ui.select(choices, {
    prompt = prompt,
    kind = 'termi',
    format_item = function(row)
      local ended = row.process.status ~= 'active' and (' [%s]'):format(row.process.status) or ''
      return ('%s: %s%s'):format(routing.named(row.session.name, row.session.host), row.process.command, ended)
    end,
  }, function(row)
    if row then
      -- What was asked has scrolled the screen: Neovim would wait three seconds before it enters terminal mode.
      vim.cmd.redraw()
      message.guard(on_choice, row)
    end
  end)
end

--- Any run, chosen by a person.
---@param prompt string
---@param on_choice fun(target: string)
function M.any(prompt, on_choice)
  ask(prompt, session_rows.here_first(session_rows.all(sessions.fetch())), function(row)
    on_choice(sessions.target(row))
  end)
end

--- The run to type into: of the tab page's Termi window, or the only living one, or one that a person chooses.
---@param prompt string
---@param on_choice fun(target: string)
function M.living(prompt, on_choice)
  local living = vim.tbl_filter(function(row)
    return row.process.status == 'active'
  end, session_rows.all(sessions.fetch()))
  local win = window.of_tab()
  local shown = win and views.run_of(vim.api.nvim_win_get_buf(win))
  for _, row in ipairs(living) do
    if shown and row.process.run_id == shown.run_id then
      return on_choice(sessions.target(row))
    end
  end
  ask(prompt, living, function(row)
    on_choice(sessions.target(row))
  end)
end

return M
