-- What `make demo` shows. Everything in it is real: a compiler, a server, a shell, each in a session of its own. Only the
-- coding agents are stand-ins, which cost nobody a token: programs that report what they do as real ones report it.
local root = vim.fn.fnamemodify(vim.fn.getcwd(), ':p')
local termi = require('termi')
termi.setup({
  start_insert = false,
  -- What they do stands in the list.
  notify = { agent = 'never' },
  binary = vim.env.TERMI_DEMO_BINARY or root .. 'target/release/termi',
})
vim.o.laststatus = 3
vim.o.showmode = false
vim.o.ruler = false

-- A crate with a warning in it, so that the compiler has something to say in color.
local work = vim.env.TERMI_DEMO_WORK
local crate = work .. '/hello'
vim.api.nvim_create_autocmd('VimLeave', {
  callback = function()
    vim.fn.delete(work, 'rf')
  end,
})
vim.fn.mkdir(crate .. '/src', 'p')
vim.fn.writefile({ '[package]', 'name = "hello"', 'edition = "2024"', '[workspace]' }, crate .. '/Cargo.toml')
vim.fn.writefile({
  'fn main() {',
  '    let sessions = 3;',
  '    let forgotten = "a warning";',
  '    println!("\\x1b[1;32mhello\\x1b[m from {sessions} sessions");',
  '}',
}, crate .. '/src/main.rs')

local server = [[n=0; while :; do n=$((n + 1));
  printf '\033[90m%s\033[m \033[36mGET\033[m /items/%d \033[3%dm%d\033[m\n' \
    "$(date +%T)" "$n" $((n % 4 == 0 ? 3 : 2)) $((n % 4 == 0 ? 304 : 200));
  sleep 0.5; done]]

-- What the shell is asked for: the last commits, without a pager, whatever the user's is; where there are none, as in
-- an unpacked archive, the sources.
local function question()
  local asked, log = pcall(vim.system, { 'git', '-C', root, 'log', '-1' }, { text = true })
  local has_commits = asked and log:wait().code == 0
  return has_commits and 'git --no-pager log --oneline --no-decorate --color -5' or 'ls --color=always src'
end

-- A stand-in for coding agents: it reports a state (OSC 7501), and stays in it.
vim.fn.writefile({ '#!/bin/sh', [[printf '\033]7501;%s\033\\' "$REPORT"; exec sleep 1000000]] }, work .. '/agent')
vim.fn.setfperm(work .. '/agent', 'rwx------')
local agents = {
  { name = 'login', report = 'state=blocked:kind=permission', message = 'approve Bash: cargo test' },
  { name = 'docs', report = 'state=working:progress=40' },
  { name = 'review', report = 'state=done' },
  { name = 'upgrade', report = 'state=error', message = 'the network is down' },
}

-- The whole layout comes first: a program that starts before it is settled is resized while it prints.
---@type integer[]
local windows = { vim.api.nvim_get_current_win() }
for at = 2, 3 do
  vim.cmd('rightbelow vsplit')
  windows[at] = vim.api.nvim_get_current_win()
end
vim.cmd('wincmd =')
vim.cmd('TermiSessions')
local list = { win = vim.api.nvim_get_current_win(), buf = vim.api.nvim_get_current_buf() }

-- No shell of the user's is asked, and no configuration of theirs: it may print, page or prompt in its own way.
local function run_in(window, opts)
  vim.api.nvim_set_current_win(window)
  termi.run(vim.tbl_extend('error', opts, { open = 'current' }))
end
run_in(windows[1], {
  cmd = { 'cargo', 'run', '--color', 'always' },
  name = 'build',
  cwd = crate,
  env = { CARGO_TARGET_DIR = crate .. '/target' },
})
run_in(windows[2], { cmd = { 'sh', '-c', server }, name = 'server', label = 'ticks twice a second' })
run_in(windows[3], {
  cmd = { 'bash', '--norc' },
  name = 'shell',
  env = { PS1 = 'termi $ ', PROMPT_COMMAND = '', INPUTRC = '/dev/null', ENV = '', HISTFILE = '' },
})
for _, agent in ipairs(agents) do
  local message = agent.message and ':msg=' .. vim.base64.encode(agent.message) or ''
  termi.run({
    cmd = { './agent', agent.name },
    name = agent.name,
    group = 'agents',
    cwd = work,
    env = { REPORT = agent.report .. ':app=stand-in' .. message },
    open = 'none',
  })
end
vim.api.nvim_set_current_win(list.win)

---@param target string
---@return string text without white space: a narrow window wraps anywhere
local function text(target)
  return (table.concat(vim.tbl_map(tostring, termi.snapshot(target).lines)):gsub('%s', ''))
end

---@param times integer
local function prompted(times)
  local prompts = text('shell')
  return select(2, prompts:gsub('termi%$', '')) >= times and vim.endswith(prompts, 'termi$')
end

---@param pattern string
local function listed(pattern)
  return vim.api.nvim_buf_is_valid(list.buf)
    and table.concat(vim.api.nvim_buf_get_lines(list.buf, 0, -1, false), '\n'):find(pattern) ~= nil
end

--- The conditions of a complete screen, each with what is done once it holds.
---@type { what: string, holds: (fun(): boolean), next: fun()? }[]
local missing = {
  {
    what = 'the prompt of the session `shell`',
    holds = function()
      return prompted(1)
    end,
    next = function()
      termi.send('shell', question(), { enter = true })
    end,
  },
  {
    what = 'what the program of the session `build` prints, "hello from 3 sessions"',
    holds = function()
      return text('build'):find('from3sessions', 1, true) ~= nil
    end,
  },
  {
    what = 'six lines of the session `server`',
    holds = function()
      return select(2, text('server'):gsub('GET', '')) >= 6
    end,
  },
  {
    what = 'the answer of the session `shell`, and its next prompt',
    holds = function()
      return prompted(2)
    end,
  },
  {
    what = 'the end of the session `build` in the list of sessions',
    holds = function()
      return listed('✓ done +build')
    end,
  },
  {
    what = 'the sessions `server` and `shell` in the list of sessions',
    holds = function()
      return listed('running +server') and listed('running +shell')
    end,
  },
  {
    what = 'what each agent does in the list of sessions',
    holds = function()
      local asks = listed('◆ asks +login') and listed('approve Bash')
      return asks and listed('working 40%% +%w+ +docs') and listed('your turn +review') and listed('✗ error +upgrade')
    end,
  },
}

-- Says what is missing still, to a file that is there whole or not at all; empty when the screen is complete.
local status = vim.env.TERMI_DEMO_STATUS
local function report()
  if status then
    vim.cmd('redraw')
    local lines = vim.tbl_map(function(condition)
      return condition.what
    end, missing)
    vim.fn.writefile(lines, status .. '.new')
    assert(vim.uv.fs_rename(status .. '.new', status))
  end
end

local function look()
  -- In their order: the last commits are asked for once there is a prompt.
  local first = missing[1]
  local ok, holds = pcall(first.holds)
  if ok and holds then
    if first.next then
      first.next()
    end
    table.remove(missing, 1)
  end
  report()
  if #missing > 0 then
    vim.defer_fn(look, 100)
  end
end
vim.defer_fn(look, 100)
