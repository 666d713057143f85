--- The commands: one table drives dispatch, completion and `:Termi help`.
local actions = require('termi.run.actions')
local args = require('termi.run.args')
local attach = require('termi.view.attach')
local candidates = require('termi.command.candidates')
local client = require('termi.rpc.client')
local errors = require('termi.core.errors')
local format = require('termi.core.format')
local message = require('termi.ui.message')
local outcome = require('termi.core.outcome')
local picker = require('termi.run.picker')
local remote = require('termi.rpc.remote')
local views = require('termi.model.views')

local M = {}

---@class termi.CommandCall
---@field rest string what follows the subcommand, without white space around it
---@field bang boolean
---@field range? { [1]: integer, [2]: integer } lines

---@class termi.Command
---@field name string
---@field alias? string
---@field usage string
---@field desc string
---@field run fun(call: termi.CommandCall)
---@field complete? fun(before: string, lead: string): string[]

--- The target that a command names, or else the current buffer's run, or else one that a person chooses.
---@param rest string
---@param prompt string
---@param on_target fun(target: string)
local function with_target(rest, prompt, on_target)
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
local function run(call)
  local opts = args.parse(call.rest)
  opts.new_window = call.bang or nil
  require('termi.run').run_soon(opts --[[@as termi.RunOpts]])
end

---@param call termi.CommandCall
local function kill(call)
  local here = views.run_of()
  local target = call.rest ~= '' and args.only_word(call.rest) or here and here.session_id
  if not target then
    message.fail('this buffer shows no session. Name one: :TermiKill {target}, or :TermiKill all.')
  end
  actions.kill_soon(target, call.bang and { signal = 'KILL', grace_ms = 0 } or nil)
end

---@param call termi.CommandCall
local function show(call)
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
local function send(call)
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
local function rename(call)
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
local function wait(call)
  with_target(call.rest, 'Wait for:', function(target)
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
local function stop(call)
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
local function two_targets(rest)
  local first, second = args.take_word(rest)
  return first, second ~= '' and args.only_word(second) or nil
end

---@param call termi.CommandCall
---@return string
local function host_of(call)
  if call.rest == '' then
    local names = table.concat(remote.names(), ', ')
    message.fail('name a host of the option `hosts`%s. See :help termi-hosts', names ~= '' and ': ' .. names or '')
  end
  return args.only_word(call.rest)
end

---@type termi.Command[]
M.table = {
  {
    name = 'run',
    usage = 'run[!] [++key=value …] [cmd]',
    desc = 'start a program or a shell; !: own window',
    run = run,
    complete = candidates.run,
  },
  {
    name = 'sessions',
    alias = 'list',
    usage = 'sessions',
    desc = 'the live list of sessions',
    run = function()
      require('termi.list').open()
    end,
  },
  {
    name = 'show',
    alias = 'attach',
    usage = 'show[!] [++open=…] [target]',
    desc = 'show a run; !: own window',
    run = show,
    complete = function(before, lead)
      if vim.startswith(lead, '++open=') then
        return candidates.run(before, lead)
      elseif vim.startswith(lead, '+') then
        return vim.startswith('++open=', lead) and { '++open=' } or {}
      end
      return candidates.target((before:gsub('^%+%+%S+%s+', '')), lead)
    end,
  },
  {
    name = 'toggle',
    usage = 'toggle',
    desc = "show or hide this tab page's Termi window",
    run = function()
      require('termi.run.toggle').toggle()
    end,
  },
  {
    name = 'hide',
    usage = 'hide',
    desc = "hide this tab page's Termi window",
    run = function()
      require('termi.run.toggle').hide_or_say()
    end,
  },
  {
    name = 'send',
    usage = 'send[!] {target} {text}',
    desc = 'type text or a range, and <Enter>',
    run = send,
    complete = candidates.target,
  },
  {
    name = 'kill',
    usage = 'kill[!] [target]',
    desc = 'kill all its processes; !: with SIGKILL',
    run = kill,
    complete = candidates.target,
  },
  {
    name = 'restart',
    usage = 'restart [target]',
    desc = 'start the program again, same buffer',
    run = function(call)
      with_target(call.rest, 'Restart:', function(target)
        local _, count = actions.restart(target)
        if count > 1 then
          message.info(('restarted %d runs'):format(count))
        end
      end)
    end,
    complete = candidates.target,
  },
  {
    name = 'rename',
    usage = 'rename [target] {name}',
    desc = 'give a session another name',
    run = rename,
    complete = candidates.target,
  },
  {
    name = 'remove',
    usage = 'remove [target]',
    desc = 'dismiss a session that has ended',
    run = function(call)
      with_target(call.rest, 'Dismiss:', actions.remove)
    end,
    complete = candidates.target,
  },
  {
    name = 'wait',
    usage = 'wait [target]',
    desc = 'say when a run has ended',
    run = wait,
    complete = candidates.target,
  },
  {
    name = 'history',
    usage = 'history [text]',
    desc = 'runs that have ended: search, run again',
    run = function(call)
      require('termi.browse.history').open(call.rest)
    end,
  },
  {
    name = 'stats',
    usage = 'stats',
    desc = 'what commands took, how often they failed',
    run = function()
      require('termi.browse.stats').open()
    end,
  },
  {
    name = 'up',
    usage = 'up [group]',
    desc = 'start the templates, in their order',
    run = function(call)
      require('termi.run.templates').up(call.rest ~= '' and args.only_word(call.rest) or nil)
    end,
    complete = candidates.template_group,
  },
  {
    name = 'down',
    usage = 'down [group]',
    desc = 'end what the templates have started',
    run = function(call)
      require('termi.run.templates').down(call.rest ~= '' and args.only_word(call.rest) or nil)
    end,
    complete = candidates.template_group,
  },
  {
    name = 'transcript',
    alias = 'snapshot',
    usage = 'transcript [++follow] [target]',
    desc = 'the whole text of a run',
    run = function(call)
      local word, rest = args.take_word(call.rest)
      local follow = word == '++follow'
      with_target(follow and rest or call.rest, 'Transcript of:', function(target)
        require('termi.browse.transcript').open(target, { follow = follow })
      end)
    end,
    complete = function(before, lead)
      if vim.startswith(lead, '+') then
        return { '++follow' }
      end
      return candidates.target((before:gsub('^%+%+%S+%s+', '')), lead)
    end,
  },
  {
    name = 'clipboard',
    usage = 'clipboard [target]',
    desc = 'whether a program that asks gets it',
    run = function(call)
      require('termi.view.clipboard').choose(call.rest ~= '' and args.only_word(call.rest) or '')
    end,
    complete = candidates.clipboard,
  },
  {
    name = 'restore',
    usage = 'restore [name]',
    desc = 'start again what a reboot ended (persist)',
    run = function(call)
      require('termi.run.restore').restore_and_say(args.only_word(call.rest))
    end,
  },
  {
    name = 'pipe',
    usage = 'pipe {from} {to}',
    desc = "type one run's new lines into another",
    run = function(call)
      local from, to = two_targets(call.rest)
      if not to then
        message.fail('usage: :Termi pipe {from} {to}. Each new line of the first is typed into the second.')
      end
      require('termi.run.pipe').start(from, to)
    end,
    complete = candidates.two_targets,
  },
  {
    name = 'unpipe',
    usage = 'unpipe {from} [to]',
    desc = 'end that',
    run = function(call)
      local from, to = two_targets(call.rest)
      if from == '' then
        message.fail('usage: :Termi unpipe {from} [to]')
      end
      require('termi.run.pipe').stop(from, to)
    end,
    complete = candidates.two_targets,
  },
  {
    name = 'connect',
    usage = 'connect {host}',
    desc = 'connect another machine, or try again now',
    run = function(call)
      remote.connect_and_say(host_of(call))
    end,
    complete = candidates.host,
  },
  {
    name = 'disconnect',
    usage = 'disconnect {host}',
    desc = 'leave another machine; its sessions go on',
    run = function(call)
      remote.disconnect(host_of(call))
    end,
    complete = candidates.host,
  },
  {
    name = 'log',
    usage = 'log',
    desc = "open the host's log",
    run = function()
      require('termi.browse.transcript').open_log()
    end,
  },
  {
    name = 'stop',
    usage = 'stop[!]',
    desc = 'end the host; !: and what still runs',
    run = stop,
  },
  {
    name = 'build',
    usage = 'build',
    desc = 'build the termi binary with cargo',
    run = function()
      local build = require('termi.build') --[[@as termi.Build]]
      build.build({ wait = false })
    end,
  },
  {
    name = 'health',
    usage = 'health',
    desc = 'check that everything is in place',
    run = function()
      vim.cmd.checkhealth('termi')
    end,
  },
  {
    name = 'help',
    usage = 'help',
    desc = 'this list; more in :help termi',
    run = function()
      M.help()
    end,
  },
}

---@param name string
---@return termi.Command?
function M.find(name)
  name = name:gsub('!$', '')
  for _, command in ipairs(M.table) do
    if command.name == name or command.alias == name then
      return command
    end
  end
end

---@return string[]
function M.names()
  local names = {}
  for _, command in ipairs(M.table) do
    names[#names + 1] = command.name
    names[#names + 1] = command.alias
  end
  table.sort(names)
  return names
end

function M.help()
  local chunks = {} ---@type [string, string?][]
  for _, command in ipairs(M.table) do
    chunks[#chunks + 1] = { ':Termi ' .. format.fit(command.usage, 31), 'Identifier' }
    local also = command.alias and (' (also: %s)'):format(command.alias) or ''
    chunks[#chunks + 1] = { ('%s%s\n'):format(command.desc, also) }
  end
  chunks[#chunks + 1] = { 'More in :help termi', 'Comment' }
  vim.api.nvim_echo(chunks, false, {})
end

---@param name? string the subcommand; nil: it is the first word of the arguments
---@param given vim.api.keyset.create_user_command.command_args
local function dispatch(name, given)
  local rest = given.args
  local bang = given.bang
  if not name then
    name, rest = rest:match('^%S*') or '', rest:gsub('^%S*%s*', '')
    bang = bang or vim.endswith(name, '!')
  end
  if name == '' then
    return M.help()
  end
  local command = M.find(name)
  if not command then
    local likely = errors.nearest(name, M.names())
    local advice = likely and ('Did you mean `%s`?'):format(likely) or ':Termi help lists them.'
    message.fail('`%s` is not a subcommand. %s', name, advice)
  end
  local range = given.range > 0 and { given.line1, given.line2 } or nil
  command.run({ rest = rest, bang = bang, range = range })
end

--- Carries out a command; what it raises is shown, without a traceback.
---@param name? string
---@param given vim.api.keyset.create_user_command.command_args
function M.execute(name, given)
  message.guard(dispatch, name, given)
end

return M
