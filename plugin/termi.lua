-- Defines the commands and mappings. Loads nothing else until one of them is used.

if vim.g.loaded_termi then
  return
end
vim.g.loaded_termi = true

if vim.fn.has('nvim-0.10') == 0 then
  vim.api.nvim_echo(
    { { 'termi needs Neovim 0.10 or newer; its commands are not defined here.', 'WarningMsg' } },
    true,
    {}
  )
  return
end

---@param name string name of the command
---@param subcommand? string the `:Termi` subcommand it is short for
---@param opts vim.api.keyset.user_command
local function command(name, subcommand, opts)
  opts.nargs = opts.nargs or '*'
  opts.force = true
  if opts.nargs ~= 0 then
    opts.complete = function(_, line, cursor)
      return require('termi.command.complete').command_line(subcommand, line:sub(1, cursor))
    end
  end
  vim.api.nvim_create_user_command(name, function(args)
    require('termi.command').execute(subcommand, args)
  end, opts)
end

command('Termi', nil, { bang = true, range = true, desc = 'Termi: any subcommand' })
command('TermiRun', 'run', { bang = true, desc = 'Termi: run a program in a session' })
command('TermiSessions', 'sessions', { nargs = 0, desc = 'Termi: the live list of sessions' })
command('TermiKill', 'kill', { bang = true, desc = 'Termi: kill sessions and their process trees' })

---@param name string name inside <Plug>(termi-…)
---@param modes string[]
---@param opts { desc: string, expr?: boolean }
---@param rhs fun(plugs: termi.PlugMappings): any
local function plug(name, modes, opts, rhs)
  vim.keymap.set(modes, ('<Plug>(termi-%s)'):format(name), function()
    return rhs(require('termi.command.plug_mappings'))
  end, opts)
end

-- stylua: ignore start
plug('toggle', { 'n', 't', 'i' }, { desc = 'Show or hide the Termi window' }, function(p) p.toggle() end)
plug('run', { 'n' }, { desc = 'Ask for a command and run it' }, function(p) p.run() end)
plug('shell', { 'n' }, { desc = 'Start a shell' }, function(p) p.shell() end)
plug('sessions', { 'n', 't' }, { desc = 'List the sessions' }, function(p) p.sessions() end)
plug('pick', { 'n', 't' }, { desc = 'Choose a session and show it' }, function(p) p.pick() end)
plug('next', { 'n', 't' }, { desc = 'Go to the agent that has waited longest' }, function(p) p.next() end)
plug('kill', { 'n', 't' }, { desc = 'Kill the session of this buffer' }, function(p) p.kill() end)
plug('restart', { 'n', 't' }, { desc = 'Restart the run of this buffer' }, function(p) p.restart() end)
plug('send', { 'n' }, { desc = 'Send a motion to a session', expr = true }, function(p) return p.send_motion() end)
plug('send', { 'x' }, { desc = 'Send the selection to a session' }, function(p) p.send_selection() end)
plug('send-line', { 'n' }, { desc = 'Send the line to a session' }, function(p) p.send_line() end)
-- stylua: ignore end

-- `:edit termi://build` shows the session `build`; a restored :mksession finds its runs again.
vim.api.nvim_create_autocmd('BufReadCmd', {
  group = vim.api.nvim_create_augroup('termi.plugin', {}),
  pattern = 'termi://*',
  desc = 'Termi: attach a buffer to the run that its name says',
  callback = function(event)
    require('termi.view.uri').read(event.buf, event.match)
  end,
})
