--- Choosing a run when no target was named.
local message = require('termi.message')
local origin = require('termi.origin')
local sessions = require('termi.sessions')
local window = require('termi.window')
local wording = require('termi.wording')

local M = {}

--- The run of a buffer.
---@param buf? integer default: the current one
---@return { session_id: string, run_id: string, host?: string }?
function M.of_buf(buf)
  return vim.b[buf or 0].termi
end

--- Asks a person to choose among the runs, when there are several.
---@param prompt string
---@param rows termi.Row[]
---@param on_choice fun(row: termi.Row)
local function ask(prompt, rows, on_choice)
  if #rows == 0 then
    message.fail('%s', wording.NO_SESSIONS)
  end
  if #rows == 1 then
    return on_choice(rows[1])
  end
  vim.ui.select(rows, {
    prompt = prompt,
    kind = 'termi',
    format_item = function(row)
      local ended = row.process.status ~= 'active' and (' [%s]'):format(row.process.status) or ''
      return ('%s: %s%s'):format(origin.named(row.session.name, row.session.host), row.process.command, ended)
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
  ask(prompt, require('termi.persist').here_first(sessions.rows(sessions.fetch())), function(row)
    on_choice(sessions.target(row))
  end)
end

--- The run to type into: of the tab page's Termi window, or the only living one, or one that a person chooses.
---@param prompt string
---@param on_choice fun(target: string)
function M.living(prompt, on_choice)
  local rows = vim.tbl_filter(function(row)
    return row.process.status == 'active'
  end, sessions.rows(sessions.fetch()))
  local win = window.of_tab()
  local shown = win and M.of_buf(vim.api.nvim_win_get_buf(win))
  for _, row in ipairs(rows) do
    if shown and row.process.run_id == shown.run_id then
      return on_choice(sessions.target(row))
    end
  end
  ask(prompt, rows, function(row)
    on_choice(sessions.target(row))
  end)
end

return M
