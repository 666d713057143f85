vim9script
# :TermiSessions: the live list of sessions.

import autoload './commands.vim'
import autoload './host.vim'
import autoload './message.vim'
import autoload './scratch.vim'

const NAME = 'termi-sessions://'
# Columns grow to what they hold, up to these; names only in a window with room for them.
const STATUS_MOST = 24
const NAME_MOST = 32
const ROOMY = 110

var shown = -1
var rows: list<dict<any>> = []
# Only runs with this text in their name, group, command or last line are listed.
var filter = ''
var timer = 0
var asking = false
var asked_again = false

export def Open()
  host.Ensure()
  shown = scratch.Open(NAME, 12)
  setlocal cursorline filetype=termi-sessions
  for [key, action] in items({'<CR>': 'show', K: 'kill', R: 'restart', r: 'rename', x: 'remove', f: 'filter',
      t: 'transcript', '?': 'help'})
    execute $'nnoremap <buffer> <nowait> {key} <ScriptCmd>Do("{action}")<CR>'
  endfor
  if timer == 0
    # Ages, processor use and memory change without an event.
    timer = timer_start(2000, (_) => Tick(), {repeat: -1})
  endif
  Changed()
enddef

def Tick()
  if bufwinid(shown) < 0
    timer_stop(timer)
    timer = 0
  else
    Changed()
  endif
enddef

# Asks for the list again, if it is shown; once more when something changes while the answer is under way.
export def Changed()
  if shown < 0 || !bufloaded(shown) || empty(win_findbuf(shown))
    return
  endif
  if !host.Running()
    Write({})
    return
  endif
  if asking
    asked_again = true
    return
  endif
  asking = true
  host.Ask('sessions', {}, (sessions, _) => {
    asking = false
    Write(sessions)
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

def Write(sessions: dict<any>)
  # The cursor of each window stays on its run, wherever that is listed now: a key is about what was under it.
  var under = win_findbuf(shown)->mapnew((_, winid) => [winid, line('.', winid), get(rows, line('.', winid) - 2, {})])
  rows = []
  for [id, session] in items(sessions)
    for process in session.processes
      if [session.name, session.group ?? '', process.command, process.last_line]->join("\n")->tolower()->stridx(tolower(filter)) >= 0
        rows->add({session_id: id, session_name: session.name, run_id: process.run_id, status: process.status,
          group: session.group ?? '', process: process, started_at: process.started_at})
      endif
    endfor
  endfor
  # Groups together, in the order of their names; within one, the order in which they started.
  rows->sort((a, b) => a.group == b.group ? (a.started_at > b.started_at ? 1 : a.started_at < b.started_at ? -1 : 0)
    : a.group > b.group ? 1 : -1)
  var words = rows->mapnew((_, row) => Status(row.process))
  var wide = Widest(words, 10, STATUS_MOST)
  var names = winwidth(bufwinid(shown)) < ROOMY ? 16 : Widest(rows->mapnew((_, row) => row.session_name), 16, NAME_MOST)
  var lines = [printf('%-*s %-*s %-8s %-24s %7s %6s %5s %7s  %s', wide, 'STATUS', names, 'NAME', 'GROUP', 'COMMAND', 'PID',
    'AGE', 'CPU', 'MEMORY', filter == '' ? 'LAST LINE' : $'LAST LINE  (filter: {filter})')]
  for [index, row] in items(rows)
    var process: dict<any> = row.process
    var memory = process.memory_bytes == v:null ? '' : Bytes(process.memory_bytes)
    var cpu = process.cpu_percent == v:null ? '' : printf('%.0f%%', process.cpu_percent)
    lines->add(printf('%-*S %-*S %-8S %-24S %7d %6s %5s %7s  %s', wide, message.Cut(words[index], wide), names,
      message.Cut(row.session_name, names), message.Cut(row.group, 8), message.Cut(process.command, 24), process.pid,
      Age(process.duration_ms), cpu, memory, message.Clean(process.last_line)))
  endfor
  if empty(rows)
    lines->add(filter == '' ? 'No sessions. :TermiRun starts one.' : $'No session has `{filter}` in it; f changes the filter.')
  endif
  scratch.Write(shown, lines)
  for [winid, lnum, row] in under
    var now = lnum < 2 || empty(row) ? -1 : rows->indexof((_, other) => other.run_id == row.run_id)
    if now >= 0 && now + 2 != lnum
      win_execute(winid, $'noautocmd :{now + 2}')
    endif
  endfor
enddef

# The width of a column that holds these texts, within bounds.
def Widest(texts: list<string>, least: number, most: number): number
  return min([most, max(texts->mapnew((_, text) => strdisplaywidth(text)) + [least])])
enddef

def Status(process: dict<any>): string
  var left = get(process, 'left_running', 0)
  return Ended(process) .. (left == 0 || process.status == 'active' ? '' : $', {left} {left == 1 ? "lives" : "live"} on')
enddef

# How a run ended, in the list and in the history: `exited`, `exited 3`, `signal 9`, `timed out`.
export def Ended(run: dict<any>): string
  if run.status == 'exited' && type(run.exit) == v:t_dict
    if run.exit.signal != v:null
      return $'signal {run.exit.signal}'
    elseif run.exit.code != v:null && run.exit.code != 0
      return $'exited {run.exit.code}'
    endif
  endif
  return substitute(run.status, '_', ' ', '')
enddef

def Age(ms: number): string
  var seconds = ms / 1000
  if seconds < 60
    return $'{seconds}s'
  elseif seconds < 3600
    return printf('%dm%02ds', seconds / 60, seconds % 60)
  elseif seconds < 86400
    return printf('%dh%02dm', seconds / 3600, seconds / 60 % 60)
  endif
  return printf('%dd%dh', seconds / 86400, seconds / 3600 % 24)
enddef

# `512B`, `3.4K`, `120M`, `1.2G`, as in Neovim's list.
def Bytes(bytes: number): string
  var [left, unit] = [bytes * 1.0, 0]
  while left >= 1000.0 && unit < 4
    left = left / 1024.0
    unit += 1
  endwhile
  return printf(unit == 0 || left >= 9.95 ? '%.0f%s' : '%.1f%s', left, 'BKMGT'[unit])
enddef

def Do(action: string)
  if action == 'help'
    message.Notice('None', '<CR> show  K kill  R restart  r rename  x remove  t transcript  f filter  q close')
    return
  elseif action == 'filter'
    filter = input('Filter: ', filter)
    Changed()
    return
  endif
  var row = line('.') < 2 ? {} : get(rows, line('.') - 2, {})
  if empty(row)
    message.Say('None', 'No run is on this line.')
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
