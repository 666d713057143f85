--- Plug mappings: what each <Plug>(termi-…) does.
local actions = require('termi.run.actions')
local attach = require('termi.view.attach')
local message = require('termi.ui.message')
local picker = require('termi.run.picker')
local run = require('termi.run')
local toggle = require('termi.run.toggle')
local views = require('termi.model.views')

---@class termi.PlugMappings
local M = {}

---@param lines string[]
local function send(lines)
  message.guard(picker.living, 'Send to:', function(target)
    actions.send(target, lines, { enter = true })
  end)
end

function M.toggle()
  message.guard(toggle.toggle)
end

function M.shell()
  message.guard(run.run)
end

function M.run()
  vim.ui.input({ prompt = 'Run: ', completion = 'shellcmd' }, function(cmd)
    if cmd and cmd ~= '' then
      message.guard(run.run, cmd)
    end
  end)
end

function M.sessions()
  message.guard(require('termi.list').open)
end

function M.pick()
  message.guard(picker.any, 'Show:', attach.attach)
end

--- Calls `fn` with the current buffer's run, or the one that a person chooses.
---@param prompt string
---@param fn fun(target: string)
local function with_run(prompt, fn)
  local here = views.run_of()
  if here then
    message.guard(fn, here.session_id .. ':' .. here.run_id)
  else
    message.guard(picker.any, prompt, fn)
  end
end

function M.next()
  message.guard(require('termi.run.next').next)
end

function M.kill()
  with_run('Kill:', actions.kill_soon)
end

function M.restart()
  with_run('Restart:', actions.restart)
end

function M.send_line()
  local line = vim.api.nvim_win_get_cursor(0)[1]
  send(vim.api.nvim_buf_get_lines(0, line - 1, line - 1 + vim.v.count1, false))
end

---@param from integer[] as of getpos()
---@param to integer[]
---@param kind string as of visualmode()
local function send_region(from, to, kind)
  send(vim.fn.getregion(from, to, { type = kind }))
end

function M.send_selection()
  local from, to, kind = vim.fn.getpos('v'), vim.fn.getpos('.'), vim.fn.mode()
  vim.api.nvim_feedkeys(vim.keycode('<Esc>'), 'nx', false)
  send_region(from, to, kind)
end

--- For 'operatorfunc'.
---@param kind 'char'|'line'|'block'
function M.operator(kind)
  send_region(vim.fn.getpos("'["), vim.fn.getpos("']"), ({ char = 'v', line = 'V', block = '\22' })[kind])
end

---@return string keys
function M.send_motion()
  vim.o.operatorfunc = "v:lua.require'termi.command.plug_mappings'.operator"
  return 'g@'
end

return M
