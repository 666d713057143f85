--- Handlers of subcommands that take more than a line: they read the arguments and act.
local actions = require('termi.run.actions')
local args = require('termi.run.args')
local attach = require('termi.view.attach')
local client = require('termi.rpc.client')
local format = require('termi.core.format')
local message = require('termi.ui.message')
local outcome = require('termi.core.outcome')
local picker = require('termi.run.picker')
local remote = require('termi.rpc.remote')
local views = require('termi.model.views')

local M = {}

--- The target that a command names, or else the current buffer's run, or else one that a person chooses.
---@param rest string
---@param prompt string
---@param on_target fun(target: string)
function M.with_target(rest, prompt, on_target)
  local here = views.run_of()
  if rest ~= '' then
    on_target(args.only_word(rest))
  elseif here then
    on_target(here.session_id .. ':' .. here.run_id)
  else
    picker.any(prompt, on_target)
  end
end

---@param call termi.CommandCall
function M.run(call)
  local opts = args.parse(call.rest)
  opts.new_window = call.bang or nil
  require('termi.run').run_soon(opts --[[@as termi.RunOpts]])
end

---@param call termi.CommandCall
function M.kill(call)
  local here = views.run_of()
  local target = call.rest ~= '' and args.only_word(call.rest) or here and here.session_id
  if not target then
    message.fail('this buffer shows no session. Name one: :TermiKill {target}, or :TermiKill all.')
  end
  actions.kill_soon(target, call.bang and { signal = 'KILL', grace_ms = 0 } or nil)
end

---@param call termi.CommandCall
function M.show(call)
  local opts = args.parse(call.rest, { only = 'open', command = ':Termi show' })
  local place = { open = opts.open, new_window = call.bang or nil }
  if opts.cmd then
    attach.attach(args.only_word(opts.cmd), place)
  else
    picker.any('Show:', function(target)
      attach.attach(target, place)
    end)
  end
end

---@param call termi.CommandCall
function M.send(call)
  local enter = { enter = not call.bang }
  if call.range then
    local lines = vim.api.nvim_buf_get_lines(0, call.range[1] - 1, call.range[2], false)
    if call.rest ~= '' then
      actions.send(args.only_word(call.rest), lines, enter)
    else
      picker.living('Send to:', function(target)
        actions.send(target, lines, enter)
      end)
    end
    return
  end
  local target, text = args.take_word(call.rest)
  if target == '' or text == '' then
    message.fail('usage: :Termi send {target} {text}, or :[range]Termi send [target] for lines of this buffer.')
  end
  actions.send(target, text, enter)
end

---@param call termi.CommandCall
function M.rename(call)
  local first, name = args.take_word(call.rest)
  local here = views.run_of()
  if name == '' and here then
    first, name = here.session_id, first
  end
  if first == '' or name == '' then
    message.fail('usage: :Termi rename {target} {name}, or :Termi rename {name} in a buffer of the session.')
  end
  actions.rename(first, args.only_word(name))
end

---@param call termi.CommandCall
function M.wait(call)
  M.with_target(call.rest, 'Wait for:', function(target)
    actions.wait(target, {}, function(err, result)
      if err then
        return message.error(err)
      end
      local how = outcome.text({ status = 'exited', exit = result and result.exit })
      message.info(('%s %s'):format(call.rest ~= '' and call.rest or 'the run', how))
    end)
  end)
end

---@param call termi.CommandCall
function M.stop(call)
  local active = require('termi.model.run_state').count_active('')
  if active > 0 and not call.bang then
    local programs = format.count(active, 'program', 'programs')
    message.fail('%s still running. `:Termi stop!` ends the host and them.', programs)
  elseif not client.stop() then
    message.info('no host is running.')
  end
end

---@param rest string
---@return string first
---@return string? second
function M.two_targets(rest)
  local first, second = args.take_word(rest)
  return first, second ~= '' and args.only_word(second) or nil
end

---@param call termi.CommandCall
---@return string
function M.host_of(call)
  if call.rest == '' then
    local names = table.concat(remote.names(), ', ')
    message.fail('name a host of the option `hosts`%s. See :help termi-hosts', names ~= '' and ': ' .. names or '')
  end
  return args.only_word(call.rest)
end

return M
