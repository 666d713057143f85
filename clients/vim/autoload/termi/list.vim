vim9script
# :TermiSessions: the live list of sessions.

import autoload './commands.vim'
import autoload './host.vim'
import autoload './message.vim'

const NAME = 'termi-sessions://'

var rows: list<dict<any>> = []
var timer = 0
var asking = false
var asked_again = false

export def Open()
  host.Ensure()
  var buf = bufadd(NAME)
  if bufwinid(buf) > 0
    win_gotoid(bufwinid(buf))
  else
    # Before it is loaded: no file of that name is read. No modelines: what programs print stands in it.
    setbufvar(buf, '&buftype', 'nofile')
    setbufvar(buf, '&modeline', false)
    silent bufload(buf)
    silent execute 'botright sbuffer' buf
    resize 12
  endif
  setlocal buftype=nofile nomodeline bufhidden=hide noswapfile nobuflisted nomodifiable nowrap cursorline filetype=termi-sessions
  for [key, action] in items({'<CR>': 'show', K: 'kill', R: 'restart', r: 'rename', x: 'remove', '?': 'help', q: 'close'})
    execute $'nnoremap <buffer> <nowait> {key} <ScriptCmd>Do("{action}")<CR>'
  endfor
  if timer == 0
    # Ages, processor use and memory change without an event.
    timer = timer_start(2000, (_) => Tick(), {repeat: -1})
  endif
  Changed()
enddef

def Tick()
  if bufwinid(bufnr(NAME)) < 0
    timer_stop(timer)
    timer = 0
  else
    Changed()
  endif
enddef

# Asks for the list again, if it is shown; once more when something changes while the answer is under way.
export def Changed()
  var buf = bufnr(NAME)
  if buf < 0 || empty(win_findbuf(buf))
    return
  endif
  if !host.Running()
    Write(buf, {})
    return
  endif
  if asking
    asked_again = true
    return
  endif
  asking = true
  host.Ask('sessions', {}, (sessions, _) => {
    asking = false
    Write(buf, sessions)
    if asked_again
      asked_again = false
      Changed()
    endif
  })
enddef

# No answer comes to what was asked: the next host is asked anew.
export def HostEnded()
  asking = false
  asked_again = false
  Changed()
enddef

def Write(buf: number, sessions: dict<any>)
  rows = []
  for [id, session] in items(sessions)
    for process in session.processes
      rows->add({session_id: id, session_name: session.name, run_id: process.run_id, status: process.status,
        process: process, started_at: process.started_at})
    endfor
  endfor
  rows->sort((a, b) => a.started_at > b.started_at ? 1 : a.started_at < b.started_at ? -1 : 0)
  var lines = [printf('%-10s %-16s %-24s %7s %6s %5s %7s  %s', 'STATUS', 'NAME', 'COMMAND', 'PID', 'AGE', 'CPU', 'MEMORY', 'LAST LINE')]
  for row in rows
    var process: dict<any> = row.process
    var memory = process.memory_bytes == v:null ? '' : printf('%.1fM', process.memory_bytes / 1048576.0)
    var cpu = process.cpu_percent == v:null ? '' : printf('%.0f%%', process.cpu_percent)
    lines->add(printf('%-10s %-16S %-24S %7d %6s %5s %7s  %s', Status(process), Cut(row.session_name, 16),
      Cut(process.command, 24), process.pid, Age(process.duration_ms), cpu, memory, process.last_line))
  endfor
  if empty(rows)
    lines->add('No sessions. :TermiRun starts one.')
  endif
  setbufvar(buf, '&modifiable', true)
  var old = getbufinfo(buf)[0].linecount
  setbufline(buf, 1, lines)
  if old > len(lines)
    silent deletebufline(buf, len(lines) + 1, old)
  endif
  setbufvar(buf, '&modifiable', false)
enddef

def Cut(text: string, width: number): string
  var line = substitute(text, '[[:cntrl:]]\+', ' ', 'g')
  return strdisplaywidth(line) <= width ? line : strcharpart(line, 0, width - 1) .. '…'
enddef

def Status(process: dict<any>): string
  if process.status == 'exited' && process.exit != v:null && process.exit.code != 0
    return $'exited {process.exit.code}'
  endif
  return substitute(process.status, '_', ' ', '')
enddef

def Age(ms: number): string
  var seconds = ms / 1000
  if seconds < 60
    return $'{seconds}s'
  elseif seconds < 3600
    return printf('%dm%02d', seconds / 60, seconds % 60)
  endif
  return printf('%dh%02d', seconds / 3600, seconds / 60 % 60)
enddef

def Do(action: string)
  if action == 'help'
    message.Say('None', '<CR> shows, K kills, R restarts, r renames, x dismisses, q closes')
    return
  elseif action == 'close'
    close
    return
  endif
  var row = get(rows, line('.') - 2, {})
  if empty(row) || line('.') < 2
    return
  endif
  var target = $'{row.session_id}:{row.run_id}'
  if action == 'show'
    wincmd p
    try
      commands.ShowRun(row)
    catch /^termi: /
      message.Say('ErrorMsg', v:exception)
    endtry
  elseif action == 'kill'
    commands.Execute('kill', target, false)
  elseif action == 'rename'
    var name = input('New name: ', row.session_name)
    if name != ''
      commands.Execute('', $'rename {row.session_id} {escape(name, " \\")}', false)
    endif
  else
    commands.Execute('', $'{action} {target}', false)
  endif
  Changed()
enddef
