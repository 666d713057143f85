--- Table of the subcommands of |:Termi|: it drives dispatch, completion and `:Termi help`.
local actions = require('termi.run.actions')
local args = require('termi.run.args')
local candidates = require('termi.command.candidates')
local message = require('termi.ui.message')
local remote = require('termi.rpc.remote')
local handlers = require('termi.command.handlers')
local help = require('termi.command.help')

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

---@type termi.Command[]
M.all = {
  {
    name = 'run',
    usage = 'run[!] [++key=value …] [cmd]',
    desc = 'start a program or a shell; !: own window',
    run = handlers.run,
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
    run = handlers.show,
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
    name = 'next',
    usage = 'next',
    desc = 'go to the agent that has waited longest',
    run = function()
      require('termi.run.next').next()
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
    run = handlers.send,
    complete = candidates.target,
  },
  {
    name = 'kill',
    usage = 'kill[!] [target]',
    desc = 'kill all its processes; !: with SIGKILL',
    run = handlers.kill,
    complete = candidates.target,
  },
  {
    name = 'restart',
    usage = 'restart [target]',
    desc = 'start the program again, same buffer',
    run = function(call)
      handlers.with_target(call.rest, 'Restart:', function(target)
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
    run = handlers.rename,
    complete = candidates.target,
  },
  {
    name = 'remove',
    usage = 'remove [target]',
    desc = 'dismiss a session that has ended',
    run = function(call)
      handlers.with_target(call.rest, 'Dismiss:', actions.remove)
    end,
    complete = candidates.target,
  },
  {
    name = 'wait',
    usage = 'wait [target]',
    desc = 'say when a run has ended',
    run = handlers.wait,
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
      handlers.with_target(follow and rest or call.rest, 'Transcript of:', function(target)
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
      local from, to = handlers.two_targets(call.rest)
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
      local from, to = handlers.two_targets(call.rest)
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
      remote.connect_and_say(handlers.host_of(call))
    end,
    complete = candidates.host,
  },
  {
    name = 'disconnect',
    usage = 'disconnect {host}',
    desc = 'leave another machine; its sessions go on',
    run = function(call)
      remote.disconnect(handlers.host_of(call))
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
    run = handlers.stop,
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
      help.show(M.all)
    end,
  },
}

return M
