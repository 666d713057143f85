vim9script
# What is over: the history of runs, and a run's transcript.

import autoload './columns.vim'
import autoload './commands.vim'
import autoload './host.vim'
import autoload './list.vim'
import autoload './message.vim'
import autoload './scratch.vim'

const MOST = 1000
# Of a run that prints faster than this reads there is always another page.
const MOST_PAGES = 100

var records: list<dict<any>> = []

# :Termi history: the runs that have ended, the newest first.
export def History(query: string)
  var answer = host.Call('history', {limit: MOST, query: query == '' ? v:null : query})
  records = answer.records
  var buf = scratch.Open('termi-history://', 12)
  var lines = Lines(columns.Width(buf))
  if empty(records)
    lines->add(query == '' ? 'No run has ended yet.' : $'No run that has ended has `{query}` in it.')
  elseif answer.total > len(records)
    lines->add($'{answer.total - len(records)} older ones are not shown: narrow it with :Termi history {{text}}')
  endif
  setlocal cursorline filetype=termi-history
  nnoremap <buffer> <nowait> <CR> <ScriptCmd>Again()<CR>
  scratch.Write(buf, lines)
enddef

# The header and a line for each record, in a small window without the less important columns.
def Lines(width: number): list<string>
  var table = [
    {title: 'ENDED', cells: columns.Cells(records, (record) => strftime('%Y-%m-%d %H:%M', record.ended_at / 1000)), most: 16, drop: 2},
    {title: 'HOW', cells: columns.Cells(records, (record) => list.Ended(record)), steady: 11, most: 11},
    {title: 'NAME', cells: columns.Cells(records, (record) => record.session_name), steady: 16, least: 10, most: 16, drop: 3},
    {title: 'DIRECTORY', cells: columns.Cells(records, (record) => fnamemodify(record.cwd, ':~')), steady: 24, least: 16, most: 24, drop: 1},
    {title: 'COMMAND', cells: columns.Cells(records, (record) => record.command), least: 16, most: 1000, gap: 2},
  ]
  return columns.Table(table, len(records), width)
enddef

# Runs the command under the cursor again, in its directory.
def Again()
  var record = get(records, line('.') - 2, {})
  if line('.') < 2 || empty(record)
    message.Say('None', 'No run is on this line.')
    return
  endif
  var taken = host.Call('sessions', {})->values()->mapnew((_, session) => session.name)->index(record.session_name) >= 0
  var opts = {cmd: record.command, cwd: record.cwd, group: record.group, name: taken ? v:null : record.session_name}
  try
    wincmd p
    commands.Run_(opts)
  catch /^termi: /
    message.Say('ErrorMsg', v:exception)
  endtry
enddef

# :Termi transcript: the lines that a run has printed, all that the host keeps.
export def Transcript(run: dict<any>)
  var lines: list<string> = []
  var from: any = v:null
  var answer: dict<any> = {}
  # Page by page, and at last the line that the cursor is in.
  for page in range(MOST_PAGES)
    var last = page > 0 && empty(answer.lines)
    answer = host.Call('lines', {run_id: run.run_id, from: from, partial: last ? v:true : v:false})
    if answer.dropped > 0
      lines->add($'── {answer.dropped} rows are no longer kept ──')
    endif
    lines->extend(answer.lines)
    if last
      break
    endif
    from = answer.next
  endfor
  var buf = scratch.Open($'termi-transcript://{run.session_name}/{run.run_id[: 7]}')
  setlocal filetype=termi-transcript
  scratch.Write(buf, empty(lines) ? ['The run has printed nothing.'] : lines)
  normal! G
enddef
