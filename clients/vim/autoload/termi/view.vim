vim9script
# Buffers that show runs: rows of text with text properties, kept up to date by frames.
#
# A buffer holds the lines that left the screen, then the screen, then, while the run lives, one line to type in:
# 'buftype' is "prompt". What is typed there goes to the program with <CR>.

import autoload './host.vim'
import autoload './color.vim'

# Views by run id: {buf, run_id, session_id, session_name, screen, drawn, top, ended}. `top` lines of the buffer are
# scrollback, the `drawn` rows after them the screen as it is shown.
var views: dict<dict<any>> = {}
# Run ids by view id: frames after the first may name the view alone.
var runs: dict<string> = {}

def MaxScrollback(): number
  return get(g:, 'termi_scrollback', 5000)
enddef

# Vim's own colours, for programs that ask.
export def Colors(): dict<any>
  var id = hlID('Normal')->synIDtrans()
  var [fg, bg] = [synIDattr(id, 'fg#', 'gui'), synIDattr(id, 'bg#', 'gui')]
  return {foreground: fg =~ '^#' ? fg : v:null, background: bg =~ '^#' ? bg : v:null}
enddef

export def Name(session_name: string, run_id: string): string
  return $'termi://{session_name}/{run_id[: 7]}'
enddef

# The buffer of a run, made when there is none. Its view is opened by the caller.
export def Buffer(run_id: string, session_id: string, session_name: string): number
  if has_key(views, run_id) && bufexists(views[run_id].buf)
    return views[run_id].buf
  endif
  var buf = bufadd(Name(session_name, run_id))
  # Before it is loaded: no file of that name is read.
  setbufvar(buf, '&buftype', 'nofile')
  setbufvar(buf, '&swapfile', false)
  silent bufload(buf)
  # What a program prints must not set options: no modelines, which any plugin's `:doautocmd` would have read.
  for [option, value] in items({buftype: 'prompt', bufhidden: 'hide', swapfile: false, buflisted: true, undolevels: -1,
      modeline: false})
    setbufvar(buf, '&' .. option, value)
  endfor
  setbufvar(buf, 'termi', {session_id: session_id, run_id: run_id})
  views[run_id] = {buf: buf, run_id: run_id, session_id: session_id, session_name: session_name,
    screen: [], drawn: [], top: 0, ended: false, title: '', cursor: {row: 0, col: 0}}
  Open(buf, run_id)
  setbufvar(buf, '&filetype', 'termi')
  return buf
enddef

# Makes the last line one to type in.
def Open(buf: number, run_id: string)
  setbufvar(buf, '&buftype', 'prompt')
  setbufvar(buf, '&modifiable', true)
  prompt_setprompt(buf, Prompt())
  prompt_setcallback(buf, (_) => Submit(buf, run_id))
  prompt_setinterrupt(buf, () => Type(run_id, "\x03"))
enddef

def Prompt(): string
  return get(g:, 'termi_prompt', '» ')
enddef

# Sends what stands below the output, several lines when they were pasted there, and takes it away: the program shows
# what it was given, and Vim has appended an empty line to type in before it calls this.
def Submit(buf: number, run_id: string)
  var view = get(views, run_id, {})
  if empty(view)
    return
  endif
  var first = view.top + len(view.drawn) + 1
  var last = getbufinfo(buf)[0].linecount - 1
  var prompt = Prompt()
  var lines = getbufline(buf, first, last)
    ->map((_, line) => stridx(line, prompt) == 0 ? strpart(line, len(prompt)) : line)
  while len(lines) > 1 && lines[0] == ''
    remove(lines, 0)
  endwhile
  while len(lines) > 1 && lines[-1] == ''
    remove(lines, -1)
  endwhile
  Delete(buf, first, last)
  if len(lines) == 1 && lines[0] == Plain(lines[0])
    Type(run_id, lines[0] .. "\r")
  else
    Paste(run_id, lines)
    Type(run_id, "\r")
  endif
enddef

# Types keys into a run.
export def Type(run_id: string, keys: string)
  host.Notify('input', {run_id: run_id, data: keys})
enddef

# Pastes lines into a run: the host brackets them where the program asked for that.
export def Paste(run_id: string, lines: list<string>)
  host.Notify('input', {run_id: run_id, data: lines->mapnew((_, line) => Plain(line))->join("\n"), paste: v:true})
enddef

# Text without control characters, tabs apart: pasted, one would act as a key, end the paste, or (NUL, which Vim has as
# a line end) the line.
def Plain(text: string): string
  return substitute(text, '[[:cntrl:]\u0080-\u009f]', (found) => found[0] == "\t" ? "\t" : '', 'g')
enddef

export def Attached(run_id: string, view_id: number, size: dict<any>)
  runs[view_id] = run_id
  if has_key(views, run_id)
    views[run_id].size = size
  endif
enddef

# Takes a frame in. False when nothing shows its run any more.
export def Frame(frame: dict<any>): bool
  var run_id: string = get(frame, 'run_id', get(runs, frame.view_id, ''))
  var view = get(views, run_id, {})
  if empty(view) || !bufexists(view.buf)
    Forget(run_id)
    return false
  endif
  runs[frame.view_id] = run_id
  var buf: number = view.buf
  var modifiable = getbufvar(buf, '&modifiable')
  setbufvar(buf, '&modifiable', true)
  try
    if get(frame, 'reset', false)
      Delete(buf, 1, view.top + len(view.drawn))
      view->extend({top: 0, drawn: [], screen: []})
    endif
    if get(frame, 'cleared', false)
      Delete(buf, 1, view.top)
      view.top = 0
    endif
    var skipped: number = get(frame, 'skipped', 0)
    var scrolled: list<dict<any>> = get(frame, 'scrolled', [])
    if skipped > 0
      Scroll(view, [{text: $'── {skipped} lines are not shown here ──', spans: []}])
    endif
    Scroll(view, scrolled)
    view.screen = view.screen[len(scrolled) :]
    TakeRows(view, get(frame, 'lines', []))
    view.cursor = get(frame, 'cursor', view.cursor)
    view.title = get(frame, 'title', view.title)
    Draw(view)
    for id in Popups(buf)
      # A popup window has no cursor that keeps its end in sight.
      popup_setoptions(id, {firstline: max([1, getbufinfo(buf)[0].linecount - popup_getpos(id).core_height + 1])})
    endfor
  finally
    setbufvar(buf, '&modifiable', modifiable)
    setbufvar(buf, '&modified', false)
  endtry
  return true
enddef

# Rows with a number replace those rows, rows without are the whole screen.
def TakeRows(view: dict<any>, lines: list<dict<any>>)
  var screen: list<dict<any>> = view.screen
  for [number, line] in items(lines)
    var row: number = get(line, 'row', number)
    while len(screen) <= row
      screen->add({text: '', spans: []})
    endwhile
    screen[row] = {text: line.text, spans: get(line, 'spans', [])}
  endfor
enddef

# Puts lines at the end of the scrollback.
def Scroll(view: dict<any>, lines: list<dict<any>>)
  if empty(lines)
    return
  endif
  var buf: number = view.buf
  appendbufline(buf, view.top, lines->mapnew((_, line) => line.text))
  for [number, line] in items(lines)
    color.Paint(buf, view.top + number + 1, line)
  endfor
  view.top += len(lines)
  var over = view.top - MaxScrollback()
  # Some at a time, not one for each new line.
  if over > MaxScrollback() / 10
    Delete(buf, 1, over)
    view.top -= over
  endif
enddef

# Shows the screen: to its last row with text, or with the cursor.
def Draw(view: dict<any>)
  var last = len(view.screen)
  while last > view.cursor.row + 1 && view.screen[last - 1].text == ''
    last -= 1
  endwhile
  if view.ended
    while last > 0 && view.screen[last - 1].text == ''
      last -= 1
    endwhile
  endif
  var rows: list<dict<any>> = view.screen[: last - 1]
  if last == 0
    rows = []
  endif
  var drawn: list<dict<any>> = view.drawn
  var first = view.top + 1
  if len(drawn) > len(rows)
    Delete(view.buf, first + len(rows), view.top + len(drawn))
  elseif len(drawn) < len(rows)
    appendbufline(view.buf, view.top + len(drawn), rows[len(drawn) :]->mapnew((_, row) => row.text))
  endif
  for [number, row] in items(rows)
    if number >= len(drawn)
      color.Paint(view.buf, first + number, row)
    elseif drawn[number] != row
      setbufline(view.buf, first + number, row.text)
      prop_clear(first + number, first + number, {bufnr: view.buf})
      color.Paint(view.buf, first + number, row)
    endif
  endfor
  view.drawn = rows->copy()
  Fill(view.buf)
enddef

# Fills the windows whose cursor is at the end. As lines come above the one to type in, Vim keeps there what was on top,
# or scrolls it away when it draws: a short output would stand above the window. Also where it is right already, as Vim
# goes by an old last line until it is set.
def Fill(buf: number)
  for window in win_findbuf(buf)->mapnew((_, winid) => getwininfo(winid)[0])
    var last = line('$', window.winid)
    var top = max([1, last - window.height + 1])
    if line('.', window.winid) == last && window.topline >= top
      win_execute(window.winid, $'noautocmd call winrestview({{"topline": {top}}})')
    endif
  endfor
enddef

def Delete(buf: number, first: number, last: number)
  if last >= first
    silent deletebufline(buf, first, last)
  endif
enddef

# The size of the program's terminal for a buffer: that of the smallest window that shows it, without what is beside
# the text, and the line to type in. Windows of this tab page come before those of others.
export def Size(buf: number): dict<any>
  var wins = win_findbuf(buf)
  var here = wins->copy()->filter((_, winid) => win_id2win(winid) > 0)
  var popups = Popups(buf)
  if empty(wins) && empty(popups)
    here = [win_getid()]
  elseif empty(here) && empty(popups)
    here = wins
  endif
  var sizes = here->mapnew((_, winid) => getwininfo(winid)[0])
    ->mapnew((_, window) => [window.height, window.width - window.textoff])
  sizes->extend(popups->mapnew((_, id) => popup_getpos(id))->mapnew((_, place) => [place.core_height, place.core_width]))
  return {rows: max([1, sizes->mapnew((_, size) => size[0] - 1)->min()]),
    cols: max([1, sizes->mapnew((_, size) => size[1])->min()])}
enddef

# The popup windows that show a buffer, which win_findbuf() leaves out.
def Popups(buf: number): list<number>
  return !has('popupwin') ? [] : popup_list()
    ->filter((_, id) => winbufnr(id) == buf && popup_getpos(id)->get('visible', 0) != 0)
enddef

def IsShown(buf: number): bool
  return !empty(win_findbuf(buf)) || !empty(Popups(buf))
enddef

# Tells programs the sizes of the windows that show them.
export def Resized()
  for view in values(views)
    if !IsShown(view.buf) || view.ended
      continue
    endif
    var size = Size(view.buf)
    if get(view, 'size', {}) != size
      view.size = size
      host.Notify('resize', {run_id: view.run_id, rows: size.rows, cols: size.cols})
    endif
  endfor
enddef

# A view that no window shows gets no frames.
export def Visibility()
  for view in values(views)
    var visible = IsShown(view.buf)
    if get(view, 'visible', true) != visible
      view.visible = visible
      host.Notify('visible', {run_id: view.run_id, visible: visible ? v:true : v:false})
    endif
  endfor
  # A window that shows another buffer now was perhaps the smallest.
  Resized()
enddef

export def Exited(event: dict<any>)
  var exit: dict<any> = event.exit
  var how = exit.signal != v:null ? $'ended by signal {exit.signal}' : $'exited with code {exit.code}'
  if get(event, 'reason', v:null) != v:null
    how ..= $' ({event.reason})'
  endif
  End(event.run_id, how)
enddef

# Takes away the line to type in and says how it ended.
def End(run_id: string, how: string)
  var view = get(views, run_id, {})
  if empty(view) || view.ended || !bufexists(view.buf)
    return
  endif
  var buf: number = view.buf
  view.ended = true
  setbufvar(buf, '&modifiable', true)
  if bufnr() == buf && mode() =~ '^i'
    stopinsert
    # What was typed for the program must not become commands.
    var left = 1000
    while left > 0 && getchar(1) != 0
      getchar(0)
      left -= 1
    endwhile
  endif
  Draw(view)
  setbufvar(buf, '&buftype', 'nofile')
  setbufline(buf, view.top + len(view.drawn) + 1, $'── {how} ──')
  Delete(buf, view.top + len(view.drawn) + 2, getbufinfo(buf)[0].linecount)
  color.Note(buf, view.top + len(view.drawn) + 1)
  setbufvar(buf, '&modified', false)
  setbufvar(buf, '&modifiable', false)
enddef

export def Restarted(event: dict<any>)
  var view = get(views, event.run_id, {})
  if !empty(view) && bufexists(view.buf) && view.ended
    view.ended = false
    setbufvar(view.buf, '&modifiable', true)
    # The note makes way for an empty line to type in.
    var line = view.top + len(view.drawn) + 1
    prop_clear(line, line, {bufnr: view.buf})
    setbufline(view.buf, line, '')
    Open(view.buf, event.run_id)
    setbufline(view.buf, line, Prompt())
    setbufvar(view.buf, '&modified', false)
  endif
  if !empty(view) && get(view, 'unattached', false)
    view.unattached = false
    var size = Size(view.buf)
    host.Ask('attach', {run_id: view.run_id, format: 'spans', size: size}, (answer, _) => {
      if !empty(answer)
        Attached(view.run_id, answer.view_id, size)
        view.visible = true
        Visibility()
      endif
    })
  endif
enddef

export def Renamed(event: dict<any>)
  for view in values(views)
    if view.session_id == event.session_id
      view.session_name = event.session_name
    endif
  endfor
enddef

# The buffer of a dismissed run stays as text; nothing more comes for it.
export def Removed(event: dict<any>)
  for [run_id, view] in items(views)
    if view.session_id == event.session_id && view.ended
      Forget(run_id)
    endif
  endfor
enddef

export def IsAnyAlive(): bool
  return !values(views)->filter((_, view) => !view.ended && bufexists(view.buf))->empty()
enddef

# Attaches the views of runs that live, after the connection to their host was made again. Throws when it is lost anew.
export def Rejoin()
  runs = {}
  for view in values(views)
    if view.ended || !bufexists(view.buf)
      # Its text stays. The next frames are those of a restart, which attaches it.
      view.unattached = true
      continue
    endif
    try
      var size = Size(view.buf)
      var answer = host.Call('attach', {run_id: view.run_id, format: 'spans', size: size})
      Attached(view.run_id, answer.view_id, size)
      view.visible = true
      if answer.exit != v:null
        Exited({run_id: view.run_id, exit: answer.exit})
      endif
    catch /^termi: /
      if !host.Running()
        throw v:exception
      endif
      End(view.run_id, 'the daemon no longer has this run')
      Forget(view.run_id)
    endtry
  endfor
  Visibility()
enddef

export def HostEnded()
  for run_id in keys(views)
    End(run_id, 'the host has ended')
    Forget(run_id)
  endfor
enddef

# A wiped buffer's run goes on; it can be shown again.
export def Wiped(buf: number)
  for [run_id, view] in items(views)
    if view.buf == buf
      host.Notify('detach', {run_id: run_id})
      Forget(run_id)
    endif
  endfor
enddef

def Forget(run_id: string)
  if has_key(views, run_id)
    remove(views, run_id)
  endif
  runs->filter((_, run) => run != run_id)
enddef

# The run that a buffer shows: {session_id, run_id}, empty when none.
export def Of(buf = bufnr()): dict<any>
  return getbufvar(buf, 'termi', {})
enddef

# The buffers of a session's or a run's id.
export def Shows(id: string): list<number>
  return values(views)->filter((_, view) => view.run_id == id || view.session_id == id)->mapnew((_, view) => view.buf)
enddef
