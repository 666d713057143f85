vim9script
# The commands, and what completes them.

import autoload './agents.vim'
import autoload './args.vim'
import autoload './host.vim'
import autoload './list.vim'
import autoload './message.vim'
import autoload './past.vim'
import autoload './view.vim'

const COMMANDS = ['attach', 'help', 'history', 'kill', 'log', 'next', 'remove', 'rename', 'restart', 'run', 'send', 'sessions', 'show', 'stop', 'transcript']

# Carries out a command; what goes wrong is said without a traceback.
export def Execute(given: string, arguments: string, given_bang: bool)
  try
    var [name, rest, bang] = [given, trim(arguments), given_bang]
    if name == ''
      name = matchstr(rest, '^\S*')
      rest = trim(strpart(rest, len(name)))
      bang = bang || name =~ '!$'
      name = substitute(name, '!$', '', '')
    endif
    if name == 'run'
      RunCommand(rest, bang)
    elseif name == 'sessions' || name == 'list'
      list.Open()
    elseif name == 'kill'
      Kill(rest, bang)
    elseif name == 'show'
      ShowTarget(rest)
    elseif name == 'send'
      var [target, text] = args.TakeWord(rest)
      if text == ''
        throw 'termi: usage: :Termi send {target} {text}'
      endif
      SendTo(Run(target).run_id, text .. (bang ? '' : "\r"))
    elseif name == 'next'
      Next()
    elseif name == 'attach'
      Attach(rest)
    elseif name == 'restart'
      Restart(rest != '' ? args.OnlyWord(rest) : Here(), bang)
    elseif name == 'remove'
      Remove(rest != '' ? args.OnlyWord(rest) : Here(), bang)
    elseif name == 'rename'
      var [target, to] = args.TakeWord(rest)
      host.Call('rename', to == '' ? {target: Here(), name: target} : {target: target, name: args.OnlyWord(to)})
    elseif name == 'log'
      host.Ensure()
      execute 'view' fnameescape(host.Info().log_path)
    elseif name == 'history'
      past.History(rest)
    elseif name == 'transcript'
      var here = view.Of()
      past.Transcript(Run(rest != '' ? args.OnlyWord(rest) : empty(here) ? Here() : here.run_id))
    elseif name == 'stop'
      Stop(bang)
    elseif name == 'help' || name == ''
      Help()
    else
      throw $'termi: `{name}` is not a subcommand. There are {COMMANDS->join(", ")}.'
    endif
  catch /^termi: /
    message.Say('ErrorMsg', v:exception)
  endtry
enddef

# Whoever put the clone on 'runtimepath' by hand may have made no tags.
def Help()
  if empty(globpath(&runtimepath, 'doc/tags', true, true)->filter((_, path) => readfile(path)->match('^termi-vim\>') >= 0))
    execute 'helptags' fnameescape(host.ROOT .. '/clients/vim/doc')
  endif
  help termi-vim
enddef

# The target that this buffer is about.
def Here(): string
  var here = view.Of()
  if empty(here)
    throw 'termi: this buffer shows no session. Name one.'
  endif
  return here.session_id
enddef

# Shows the agent that has waited longest for a person; from an agent, the one that waits after it.
def Next()
  var here = get(view.Of(), 'run_id', '')
  var chosen = agents.Next(here)
  if empty(chosen)
    message.Say('None', 'no agent waits for you')
  elseif chosen.run_id == here
    message.Say('None', 'no other agent waits for you')
  else
    ShowRun(chosen)
    agents.Look()
  endif
enddef

def RunCommand(rest: string, bang: bool)
  var opts = args.Parse(rest)
  var open = opts->has_key('open') ? remove(opts, 'open') : ''
  Run_(opts, open, bang)
enddef

# Starts a run and shows it. `opts` are the parameters of the protocol's `run`; returns its answer.
export def Run_(opts: dict<any>, open = '', bang = false): dict<any>
  if has_key(opts, 'cwd')
    opts.cwd = fnamemodify(expand(opts.cwd), ':p')
  else
    opts.cwd = getcwd()
  endif
  if open != 'none'
    opts.size = ExpectedSize(open, bang)
  endif
  var run: dict<any> = {}
  agents.Starting()
  try
    run = host.Call('run', opts)
  finally
    agents.Started(get(run, 'run_id', ''))
  endtry
  if open != 'none'
    ShowRun(run, open, bang)
  endif
  return run
enddef

# Shows a run in a window: {run_id, session_id, session_name}.
export def ShowRun(run: dict<any>, open = '', bang = false)
  var buf = view.Buffer(run.run_id, run.session_id, run.session_name)
  Window(buf, open, bang)
  var size = view.Size(buf)
  var answer = host.Call('attach', {run_id: run.run_id, format: 'spans', size: size})
  view.Attached(run.run_id, answer.view_id, size)
  if answer.exit != v:null
    view.Exited({run_id: run.run_id, exit: answer.exit})
  endif
enddef

# The size of the window that will show a run, as near as it can be told before there is one: what the program prints
# before it is attached wraps there.
def ExpectedSize(open: string, bang: bool): dict<number>
  var reused = open == 'current' ? win_getid() : open == '' && !bang ? TermiWindow() : 0
  if reused > 0
    return {rows: max([1, winheight(reused) - 1]), cols: max([1, winwidth(reused)])}
  elseif open == 'float'
    return {rows: max([1, &lines / 2 - 1]), cols: max([1, &columns * 3 / 4])}
  endif
  return {rows: max([1, &lines / 2 - 2]), cols: max([1, open == 'vsplit' ? (winwidth(0) - 1) / 2 : &columns])}
enddef

# The window of this tab page that shows a run, 0 when none does.
def TermiWindow(): number
  var windows = gettabinfo(tabpagenr())[0].windows->filter((_, window) => getbufvar(winbufnr(window), '&filetype') == 'termi')
  return get(windows, 0, 0)
enddef

# The place of a buffer: the tab page's Termi window, or where `open` says.
def Window(buf: number, open: string, bang: bool)
  var place = open
  if place == '' && !bang
    if bufwinid(buf) > 0
      win_gotoid(bufwinid(buf))
      return
    endif
    if win_gotoid(TermiWindow())
      place = 'current'
    endif
  endif
  if place == 'float'
    var [width, height] = [&columns * 3 / 4, &lines / 2]
    popup_create(buf, {minwidth: width, maxwidth: width, minheight: height, maxheight: height, border: [], scrollbar: false,
      close: 'button', drag: true, title: ' ' .. bufname(buf) .. ' '})
    return
  endif
  var command = {vsplit: 'vertical sbuffer', tab: 'tab sbuffer', current: 'buffer'}->get(place, 'botright sbuffer')
  var switchbuf = &switchbuf
  set switchbuf=
  # Silent: no "--No lines in buffer--".
  silent execute command buf
  &switchbuf = switchbuf
  normal! G
enddef

# The run of a target: {run_id, session_id, session_name, status}. A name is that before it is the beginning of an id,
# which anybody's program may have; of a session's runs it is one that lives before one that has ended, then the newest.
export def Run(target: string): dict<any>
  var [named, begun] = [[], []]
  for [id, session] in items(host.Call('sessions', {}))
    for process in session.processes
      var run = {run_id: process.run_id, session_id: id, session_name: session.name, status: process.status,
        started_at: process.started_at}
      var names = [id, process.run_id, session.name, $'{session.name}:{process.run_id}',
        $'{session.name}:{process.run_id[: 7]}', $'{id}:{process.run_id}']
      if names->index(target) >= 0
        named->add(run)
      elseif len(target) >= 4 && (stridx(id, target) == 0 || stridx(process.run_id, target) == 0)
        begun->add(run)
      endif
    endfor
  endfor
  var found: list<dict<any>> = empty(named) ? begun : named
  if empty(found)
    throw $'termi: no session or run matches `{target}`. :TermiSessions lists them.'
  elseif found->mapnew((_, run) => run.session_id)->sort()->uniq()->len() > 1
    throw $'termi: `{target}` is the beginning of more than one id. Write more of it.'
  endif
  found->sort((a, b) => (b.status == 'active' ? 1 : 0) - (a.status == 'active' ? 1 : 0) ?? b.started_at - a.started_at)
  return found[0]
enddef

def ShowTarget(rest: string)
  var opts = args.Parse(rest)
  var target = get(opts, 'cmd', '')
  if target == ''
    throw 'termi: usage: :Termi show [++open=…] {target}'
  endif
  ShowRun(Run(args.OnlyWord(target)), get(opts, 'open', ''))
enddef

def Kill(rest: string, bang: bool)
  var target = rest != '' ? args.OnlyWord(rest) : Here()
  var params: dict<any> = bang ? {target: target, signal: 'KILL', grace_ms: 0} : {target: target}
  host.Ask('kill', params, (result, refusal) => {
    if refusal != ''
      message.Notice('ErrorMsg', refusal)
    else
      message.Notice('None', $'Killed {result.killed}/{result.total} processes')
    endif
  })
enddef

# Processes that live on after their run's end are ended with it only if that is wanted: by the bang, or when asked.
def Remove(target: string, bang: bool)
  var [kept, name] = bang ? [0, ''] : Living(target)
  if kept > 0 && !MayEnd(name, kept)
    return
  endif
  var result = host.Call('remove', bang || kept > 0 ? {target: target, force: true} : {target: target})
  if get(result, 'processes', 0) > 0
    message.Notice('None', $'Removed {result.removed} and ended {result.processes} that lived on')
  elseif get(result, 'kept', 0) > 0
    message.Notice('None', $'Kept {result.kept} with processes that live on; remove! ends them')
  endif
enddef

# The same of a run that is to start again.
def Restart(target: string, bang: bool)
  var [kept, name] = bang ? [0, ''] : Living(target)
  if kept > 0 && !MayEnd(name, kept)
    return
  endif
  host.Call('restart', bang || kept > 0 ? {target: target, force: true} : {target: target})
enddef

def MayEnd(name: string, kept: number): bool
  var question = kept == 1 ? $'1 process of {name} lives on. End it?' : $'{kept} processes of {name} live on. End them?'
  return confirm(question, "&Yes\n&No", 2) == 1
enddef

# How many processes live on of a session or run that has ended, and the session's name. For `all` and groups there is
# no answer: the host's reply says how many it kept.
def Living(target: string): list<any>
  for [id, session] in items(host.Call('sessions', {}))
    var its = session.processes->copy()->filter((_, process) => target == id || target == session.name
      || target == $'{id}:{process.run_id}' || target == process.run_id)
    if !empty(its)
      var counts = its->mapnew((_, process) => process.status == 'active' ? 0 : get(process, 'left_running', 0))
      return [counts->reduce((a, b) => a + b, 0), session.name]
    endif
  endfor
  return [0, '']
enddef

# :[range]TermiSend: in a session's buffer its text goes to that run; elsewhere the first word is the target, and a
# range is what is sent.
export def Send(given: string, bang: bool, range: number, first: number, last: number)
  try
    var enter = bang ? '' : "\r"
    var here = view.Of()
    if range > 0
      var target = given != '' ? args.TakeWord(given)[0] : ''
      if target == '' && empty(here)
        throw 'termi: usage: :[range]TermiSend {target}'
      endif
      # Looked up once: the lines and the Return key go to the same run.
      var run_id = target != '' ? Run(target).run_id : here.run_id
      view.Paste(run_id, getline(first, last))
      SendTo(run_id, enter)
    elseif !empty(here)
      SendTo(here.run_id, given .. enter)
    else
      var [target, text] = args.TakeWord(given)
      if text == ''
        throw 'termi: usage: :TermiSend {target} {text}, or :TermiSend {text} in a buffer of the session.'
      endif
      SendTo(Run(target).run_id, text .. enter)
    endif
  catch /^termi: /
    message.Say('ErrorMsg', v:exception)
  endtry
enddef

export def SendTo(run_id: string, text: string)
  if text != ''
    view.Type(run_id, text)
  endif
enddef

# How `termi attach` ends when it could not do its work.
const ATTACH_FAILED = 125

# For programs that use the whole screen: `termi attach` in Vim's own terminal.
# It finds this Vim's own host by its socket.
def Attach(rest: string)
  var target = rest != '' ? args.TakeWord(rest)[0] : Here()
  var run = Run(target)
  if !has('terminal')
    throw 'termi: this Vim has no terminal (+terminal). Run `termi attach` in another.'
  endif
  var binary = host.Binary()
  call system(shellescape(binary) .. ' attach --help')
  if v:shell_error != 0
    throw $'termi: `{binary}` has no `attach` command: it is an older version. Update it.'
  endif
  var socket = get(host.Info(), 'socket', v:null)
  var buf = 0
  buf = term_start([binary, 'attach', $'{run.session_id}:{run.run_id}'], {
    term_name: 'termi attach ' .. run.session_name,
    term_finish: 'close',
    env: socket == v:null ? {} : {TERMI_SOCKET: socket},
    exit_cb: (_, status) => {
      # Its own failure; the window that says why is about to go.
      if status == ATTACH_FAILED
        message.Notice('ErrorMsg', range(1, 5)->mapnew((_, row) => term_getline(buf, row))->join('')->trim())
      endif
    },
  })
  if buf > 0
    # Vim takes CTRL-\ for the first half of CTRL-\ CTRL-N, and without a timeout: a mapping sends it on, so that it
    # detaches as it does in any other terminal.
    tnoremap <buffer> <nowait> <C-\> <Cmd>call term_sendkeys(bufnr(), "\x1c")<CR>
  endif
enddef

def Stop(bang: bool)
  if !host.Running()
    throw 'termi: no host is running.'
  endif
  var active = 0
  for session in values(host.Call('sessions', {}))
    active += session.active_processes
  endfor
  if active > 0 && !bang
    throw $'termi: {active} program{active > 1 ? "s" : ""} still running. `:Termi stop!` ends the host and them.'
  endif
  host.Stop()
enddef

# Completion. It never starts the host, and asks a running one only for a moment.
def Sessions(): dict<any>
  if host.Running()
    try
      return host.Call('sessions', {}, 200)
    catch
    endtry
  endif
  return {}
enddef

def Starting(candidates: list<string>, lead: string): list<string>
  return candidates->filter((_, candidate) => stridx(candidate, lead) == 0)
enddef

def Escaped(words: list<string>): list<string>
  return words->mapnew((_, word) => escape(word, ' \'))
enddef

export def CompleteTarget(lead: string, _: string, _: number): list<string>
  var sessions = Sessions()->values()
  var names: list<string> = []
  for session in sessions
    names->add(session.name)
    if len(session.processes) > 1
      names->extend(session.processes->mapnew((_, process) => $'{session.name}:{process.run_id[: 7]}'))
    endif
  endfor
  var groups = sessions->mapnew((_, session) => session.group)->filter((_, group) => group != v:null && group != '')
  names->extend(groups->mapnew((_, group) => 'group:' .. group))
  return Escaped(names->sort()->uniq() + ['all'])->Starting(lead)
enddef

export def CompleteRun(lead: string, line: string, cursor: number): list<string>
  var before = line[: cursor - 1]->strpart(0, cursor - len(lead))
  var option = matchlist(lead, '\v^\+\+(\w+)\=(.*)$')
  if !empty(option)
    var [key, value] = option[1 : 2]
    var values: list<string> = []
    if key == 'open'
      values = copy(args.OPEN)
    elseif key == 'timeout' || key == 'idle'
      values = ['30s', '5m', '1h']
    elseif key == 'session'
      values = Sessions()->values()->mapnew((_, session) => session.name)->sort()
    elseif key == 'group'
      values = Sessions()->values()->mapnew((_, session) => session.group)
        ->filter((_, group) => group != v:null && group != '')->sort()->uniq()
    elseif key == 'cwd'
      values = getcompletion(value, 'dir')
    endif
    return Escaped(values)->Starting(value)->mapnew((_, found) => $'++{key}={found}')
  elseif lead =~ '^+'
    return args.Keys()->mapnew((_, key) => $'++{key}=')->Starting(lead)
  endif
  # The command's own first word is a program; what follows are files.
  var command = substitute(before, '\v^.{-}%(TermiRun!?|Termi!?\s+run!?)\s*', '', '')
  command = substitute(command, '\v^%(\+\+\w+\=%(\\.|\S)*\s+)*', '', '')
  return getcompletion(lead, command == '' && lead !~ '/' ? 'shellcmd' : 'file')
enddef

export def CompleteTermi(lead: string, line: string, cursor: number): list<string>
  var words = line[: cursor - 1]->matchstr('Termi!\?\s\+\zs.*')
  if words !~ '\s'
    return copy(COMMANDS)->Starting(lead)
  endif
  return words =~ '^run' ? CompleteRun(lead, line, cursor) : CompleteTarget(lead, line, cursor)
enddef
