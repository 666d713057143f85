-- What `make demo` shows. Everything in it is real: a compiler, a server, a shell, each in a session of its own.
local root = vim.fn.fnamemodify(vim.fn.getcwd(), ':p')
local termi = require('termi')
termi.setup({ start_insert = false, binary = root .. 'target/release/termi' })
vim.o.laststatus = 3
vim.o.showmode = false
vim.o.ruler = false

-- A crate with a warning in it, so that the compiler has something to say in colour.
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

local build = termi.run({
  cmd = 'cargo clean --quiet; cargo run --color always',
  name = 'build',
  cwd = crate,
  open = 'current',
})
vim.cmd('rightbelow vsplit')
termi.run({ cmd = server, name = 'server', label = 'ticks twice a second', open = 'current' })
vim.cmd('rightbelow vsplit')
local shell = termi.run({ cmd = { 'bash', '--norc' }, name = 'shell', env = { PS1 = '\\W $ ' }, open = 'current' })
termi.send('shell', 'git log --oneline --color -5', { enter = true })
vim.cmd('wincmd =')
vim.cmd('TermiSessions')

-- Says when the picture is complete: the build has ended, the server has ticked, the shell has answered.
local ready = vim.env.TERMI_DEMO_READY
if ready then
  local function text(target)
    return table.concat(vim.tbl_map(tostring, termi.snapshot(target).lines), '\n')
  end
  local timer = assert(vim.uv.new_timer())
  timer:start(200, 200, function()
    vim.schedule(function()
      if timer:is_closing() or not vim.api.nvim_buf_is_valid(build.buf) or not vim.api.nvim_buf_is_valid(shell.buf) then
        return
      end
      local built = text('build'):find('from 3 sessions')
      local ticked = select(2, text('server'):gsub('GET', '')) >= 6
      local answered = text('shell'):find('%$ *$') or text('shell'):find('%$ *\n+$')
      if built and ticked and answered then
        timer:close()
        vim.defer_fn(function()
          vim.cmd('redraw')
          vim.fn.writefile({}, ready)
        end, 1200)
      end
    end)
  end)
end
