--- `:checkhealth termi`

-- A Neovim that is too old lacks what the rest of the plugin needs as it is loaded, and has other names for these.
if vim.fn.has('nvim-0.10') == 0 then
  ---@diagnostic disable-next-line: unresolved-require
  local health = vim.health or require('health')
  return {
    check = function()
      local its = vim.version(); --[[@as vim.Version]]
      (health.start or health.report_start)('Neovim');
      (health.error or health.report_error)(
        ('Neovim %d.%d.%d is too old'):format(its.major, its.minor, its.patch),
        { 'Install Neovim 0.10 or newer.' }
      )
    end,
  }
end

local actions = require('termi.run.actions')
local binary = require('termi.rpc.binary')
local client = require('termi.rpc.client')
local config = require('termi.config')
local outcome = require('termi.core.outcome')
local remote = require('termi.rpc.remote')

local health = vim.health
local M = {}

local function check_neovim()
  health.start('Neovim')
  local version = tostring(vim.version())
  health.ok('Neovim ' .. version)
  if vim.o.termguicolors then
    health.ok("'termguicolors' is on: programs appear in their own colors")
  else
    health.warn(
      "'termguicolors' is off: programs that use 24-bit colors appear in fewer",
      'If your terminal has 24-bit colors, add `vim.o.termguicolors = true` to your configuration.'
    )
  end
end

--- What to do about the option `binary`, where it is set: building would not change what it names.
---@return string? advice
local function corrected()
  if config.get().binary then
    return 'Correct the option `binary` of setup(), or leave it out: then the built one is used, or termi in $PATH.'
  end
end

---@return boolean found
local function check_binary()
  health.start('The termi binary')
  local path, tried = binary.search()
  if not path then
    health.error(
      'not found: looked for ' .. table.concat(tried, ' and '),
      corrected()
        or { 'Build it: `:Termi build` (needs Rust, https://rustup.rs).', 'Or set the option `binary` to where it is.' }
    )
    return false
  end
  local ok, result = pcall(function()
    return vim.system({ path, '--version' }, { text = true, timeout = 5000 }):wait()
  end)
  if not ok or result.code ~= 0 then
    local why = ok and vim.trim((result.stdout or '') .. (result.stderr or '')) or tostring(result)
    health.error(path .. ' does not run: ' .. why, corrected() or 'Build it again: `:Termi build`.')
    return false
  end
  if not vim.startswith(result.stdout or '', 'termi ') then
    health.error(path .. ' is not termi', corrected() or 'Build it again: `:Termi build`.')
    return false
  end
  local version = (result.stdout or ''):match('(%d+%.%d+%.%d+%S*)')
  local expected = binary.source_version()
  if expected and version ~= expected then
    health.warn(
      ('%s is version %s, the plugin is %s'):format(path, version or 'unknown', expected),
      corrected() or 'Build it again: `:Termi build`, then restart Neovim.'
    )
  else
    health.ok(('%s, version %s'):format(path, version or 'unknown'))
  end
  return true
end

---@return boolean answers
local function check_host()
  health.start('The host')
  local ok, why = pcall(client.ensure)
  if not ok then
    health.error(tostring(why), 'See the log: `:Termi log`.')
    return false
  end
  local info = client.info()
  health.ok(info and ('answers: version %s, pid %d'):format(info.server.version, info.pid) or 'runs')
  return true
end

local function check_pty()
  local ok, why = pcall(function()
    local run = client.call('run', { cmd = { 'true' }, size = { rows = 24, cols = 80 } })
    local result = client.call('wait', { target = run.session_id, ['until'] = 'exit', timeout_ms = 5000 })
    pcall(actions.remove, run.session_id)
    if result.reason ~= 'exit' then
      error('`true` did not end within 5 s', 0)
    elseif not result.exit or result.exit.code ~= 0 then
      error('`true` ' .. outcome.text({ exit = result.exit }), 0)
    end
  end)
  if ok then
    health.ok('a program runs on a PTY and its exit is seen')
  else
    health.error(
      'a program cannot be run: ' .. tostring(why),
      { 'See the log: `:Termi log`.', 'In a container, /dev/ptmx and /dev/pts must be there.' }
    )
  end
end

local function check_agents()
  local ok, report = pcall(client.call, 'health', vim.empty_dict())
  for _, found in ipairs(ok and report.checks or {}) do
    if found.name == 'agents' then
      health.start('Coding agents')
      for agent in vim.gsplit(found.detail, '; ', { plain = true }) do
        health.info(agent)
      end
    end
  end
end

local function check_help()
  if vim.tbl_contains(vim.fn.getcompletion('termi-troubleshooting', 'help'), 'termi-troubleshooting') then
    health.ok('the help has its tags')
  else
    health.warn('the help has no tags, so :help cannot find it', 'Make them: `:helptags ALL`.')
  end
end

local function check_log()
  health.start('Files')
  check_help()
  local path = client.log_path()
  local folder = vim.fs.dirname(path)
  if vim.fn.filewritable(path) == 1 or vim.fn.filewritable(folder) == 2 then
    health.ok('log: ' .. path)
  elseif not vim.uv.fs_stat(folder) then
    health.info('log: ' .. path .. ' (the first run creates its directory)')
  else
    health.warn('the log ' .. path .. ' cannot be written', 'Correct the permissions, or set $XDG_STATE_HOME.')
  end
end

local function check_hosts()
  local names = remote.names()
  if #names == 0 then
    return
  end
  health.start('Other machines')
  for _, name in ipairs(names) do
    local settings = config.get().hosts[name]
    local info, trouble = remote.running(name) and client.info(name), remote.status_text(name)
    if info then
      health.ok(('%s: connected: version %s, pid %d'):format(name, info.server.version, info.pid))
    elseif settings and vim.fn.executable(settings.cmd[1]) == 0 then
      health.error(
        ('%s: %s is not executable'):format(name, settings.cmd[1]),
        ('Correct the `cmd` of hosts.%s.'):format(name)
      )
    elseif trouble then
      health.warn(('%s: %s'):format(name, trouble), ('`:Termi connect %s` tries again now.'):format(name))
    else
      local how = settings and table.concat(settings.cmd, ' ') or '?'
      health.info(('%s: not connected. `:Termi connect %s` runs `%s`.'):format(name, name, how))
    end
  end
end

function M.check()
  check_neovim()
  if check_binary() and check_host() then
    check_pty()
    check_agents()
  end
  check_hosts()
  check_log()
end

return M
