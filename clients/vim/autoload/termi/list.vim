vim9script
# :TermiSessions: the live list of sessions.

import autoload './agents.vim'
import autoload './columns.vim'
import autoload './commands.vim'
import autoload './host.vim'
import autoload './message.vim'
import autoload './scratch.vim'

const NAME = 'termi-sessions://'
# Columns grow to what they hold, up to these; names only in a window with this much room.
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
    agents.Take(sessions)
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
      if [session.name, session.group ?? '', process.command, Status(process), agents.Line(process)]->join("\n")->tolower()->stridx(tolower(filter)) >= 0
        rows->add({session_id: id, session_name: session.name, run_id: process.run_id, status: process.status,
          group: session.group ?? '', process: process, order: agents.Order(process)
            + [session.group ?? '', session.created_at, id, index(session.run_ids, process.run_id)]})
      endif
    endfor
  endfor
  # Agents that wait for a person first, then groups together, in the order of their names; within one, sessions and their runs in the order in which they were made.
  rows->sort((a, b) => {
    for [its, other] in range(6)->mapnew((_, at) => [a.order[at], b.order[at]])
      if its != other
        return its > other ? 1 : -1
      endif
    endfor
    return 0
  })
  var lines = Lines(columns.Width(shown))
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

# The header and a line for each row. In a small window the same columns go first as in Neovim's list.
def Lines(width: number): list<string>
  var groups = columns.Cells(rows, (row) => row.group)
  # What agents ask counts for more than the commands that they were started by.
  var has_agents = rows->indexof((_, row) => type(get(row.process, 'agent')) == v:t_dict) >= 0
  # The filter is always seen.
  var last = filter == '' ? 'LAST LINE' : $'LAST LINE  (filter: {filter})'
  var table = [
    {title: 'STATUS', cells: columns.Cells(rows, (row) => Status(row.process)), steady: 10, most: STATUS_MOST},
    {title: 'NAME', cells: columns.Cells(rows, (row) => row.session_name), steady: 16, least: 12, most: width < ROOMY ? 16 : NAME_MOST},
    # One without a group in it is the first to go.
    {title: 'GROUP', cells: groups, steady: 8, most: 8, drop: join(groups, '') == '' ? 0 : 4},
    {title: 'COMMAND', cells: columns.Cells(rows, (row) => row.process.command), steady: 24, least: 10, most: 24, drop: has_agents ? 4 : 6},
    {title: 'PID', cells: columns.Cells(rows, (row) => string(row.process.pid)), steady: 7, most: 10, right: true, drop: 1},
    {title: 'AGE', cells: columns.Cells(rows, (row) => Age(row.process.duration_ms)), steady: 6, most: 8, right: true, drop: 7},
    {title: 'CPU', cells: columns.Cells(rows, (row) => Percent(row.process.cpu_percent)), steady: 5, most: 8, right: true, drop: 3},
    {title: 'MEMORY', cells: columns.Cells(rows, (row) => row.process.memory_bytes == v:null ? '' : Bytes(row.process.memory_bytes)),
      steady: 7, most: 8, right: true, drop: 2},
    {title: last, cells: columns.Cells(rows, (row) => agents.Line(row.process)), least: filter == '' ? 12 : strdisplaywidth(last),
      most: 1000, drop: filter == '' ? 5 : 8, gap: 2},
  ]
  return columns.Table(table, len(rows), width)
enddef

def Percent(percent: any): string
  return percent == v:null ? '' : printf('%.0f%%', percent)
enddef

def Status(process: dict<any>): string
  var doing = agents.Status(process)
  if doing != ''
    return doing
  endif
  var left = get(process, 'left_running', 0)
  return Ended(process) .. (left == 0 || process.status == 'active' ? '' : $', {left} {left == 1 ? "lives" : "live"} on')
enddef

# How a run ended, in the list and in the history: `exited 0`, `exited 3`, `signal 9`, `timed out`.
export def Ended(run: dict<any>): string
  if run.status == 'exited' && type(run.exit) == v:t_dict
    if run.exit.signal != v:null
      return $'signal {run.exit.signal}'
    elseif run.exit.code != v:null
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
