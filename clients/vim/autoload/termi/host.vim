vim9script
# The host: one `termi host --rpc json` for this Vim, and the calls to it.

import autoload './agents.vim'
import autoload './view.vim'
import autoload './list.vim'
import autoload './message.vim'

var job: job
var info: dict<any> = {}
var last_error = ''
# It was asked to end: a connection that is lost then is not made again.
var stopping = false

# What `initialize` answered; empty when no host runs.
export def Info(): dict<any>
  return info
enddef

export def Running(): bool
  return !empty(info) && job_status(job) == 'run'
enddef

# The binary: g:termi_binary, else what this clone of Termi has built, else the one on $PATH.
export def Binary(): string
  var configured = get(g:, 'termi_binary', '')
  if configured != ''
    return expand(configured)
  endif
  var built = ROOT .. '/target/release/termi'
  return executable(built) ? built : 'termi'
enddef

export const ROOT = expand('<sfile>:p:h:h:h:h:h')

# Starts the host, if none runs. Throws when it cannot be started.
export def Ensure()
  if Running()
    return
  endif
  var binary = Binary()
  if !executable(binary)
    throw $'termi: program not found: `{binary}`. Build it with `cargo build --release`, or set g:termi_binary.'
  endif
  last_error = ''
  # With g:termi_persist sessions belong to the user's daemon and outlive this Vim.
  var persist = get(g:, 'termi_persist', false) ? ['--persist'] : []
  job = job_start([binary, 'host', '--rpc', 'json'] + persist + get(g:, 'termi_host_args', []), {
    in_mode: 'lsp',
    out_mode: 'lsp',
    err_mode: 'nl',
    out_cb: Receive,
    err_cb: (_, line) => {
      last_error = line
    },
    exit_cb: Ended,
    noblock: 1,
  })
  if job_status(job) != 'run'
    throw $'termi: `{binary}` could not be started.'
  endif
  var answer = Await('initialize', {
    protocol: 1,
    client: {name: 'vim', version: string(v:versionlong)},
    colors: view.Colors(),
  }, 10000)
  if !has_key(answer, 'result')
    job_stop(job)
    throw 'termi: cannot start the host: ' .. Reason(answer)
  endif
  info = answer.result
  # From now on windows are watched.
  g:termi_used = true
enddef

# The host's message. What is not found is listed by a command; the host does not know which one this client has.
def Refusal(error: dict<any>): string
  var refusal = get(error, 'data', {})
  var is_missing = get(refusal, 'code', '') == 'not_found' && type(get(refusal, 'data')) == v:t_dict
  return error.message .. (is_missing ? '. :TermiSessions lists them.' : '')
enddef

def Reason(answer: dict<any>): string
  if has_key(answer, 'error')
    return Refusal(answer.error)
  endif
  return last_error != '' ? last_error : 'it did not answer. Is the binary the same version as this client?'
enddef

# Sends a call and waits for its answer; empty when there is none in time.
#
# Not by ch_evalexpr(): an answer that comes while it hands an event or a frame to a callback goes to that callback
# too, and it waits on in vain.
def Await(method: string, params: dict<any>, timeout: number): dict<any>
  var got: dict<any> = {}
  ch_sendexpr(job, {method: method, params: params}, {callback: (_, answer) => {
    got.answer = answer
  }})
  var start = reltime()
  while !has_key(got, 'answer') && job_status(job) == 'run' && reltime(start)->reltimefloat() * 1000 < timeout
    sleep! 1m
  endwhile
  return get(got, 'answer', {})
enddef

# Calls a method and waits for its answer. Throws what the host says when it refuses.
export def Call(method: string, params: dict<any>, timeout = 30000): dict<any>
  Ensure()
  var answer = Await(method, params, timeout)
  if !has_key(answer, 'result')
    throw 'termi: ' .. Reason(answer)
  endif
  return answer.result
enddef

# Calls a method; `Done` gets its result and the host's refusal, one of them empty.
export def Ask(method: string, params: dict<any>, Done: func(dict<any>, string))
  Ensure()
  ch_sendexpr(job, {method: method, params: params}, {callback: (_, answer) => {
    Done(get(answer, 'result', {}), has_key(answer, 'error') ? Refusal(answer.error) : '')
  }})
enddef

# Sends what needs no answer; input and sizes arrive in order.
export def Notify(method: string, params: dict<any>)
  if Running()
    ch_sendexpr(job, {method: method, params: params})
  endif
enddef

# Ends the host and all of its programs.
export def Stop()
  if Running()
    stopping = true
    ch_close_in(job)
  endif
enddef

def Receive(_: channel, received: any)
  if type(received) != v:t_dict
    return
  endif
  var method = get(received, 'method', '')
  if method == 'frame'
    var known = false
    try
      known = view.Frame(received.params)
    catch
      message.Notice('ErrorMsg', 'termi: a frame could not be shown: ' .. v:exception)
      known = true
    finally
      # The next frame comes after this. `false`: no buffer shows that view any more.
      ch_sendexpr(job, {id: received.id, result: known ? v:true : v:false})
    endtry
  elseif method == 'event'
    try
      Event(received.params)
    catch
      # Such as an error in a User autocommand.
      message.Notice('ErrorMsg', $'termi: {received.params->get("type", "an event")}: {v:exception}')
    endtry
    list.Changed()
  endif
enddef

def Event(event: dict<any>)
  if event.type == 'run_exited'
    agents.Ended(event.run_id)
    view.Exited(event)
    Autocommand('TermiExited', event)
  elseif event.type == 'run_started'
    Autocommand('TermiStarted', event)
  elseif event.type == 'run_restarted'
    view.Restarted(event)
  elseif event.type == 'session_renamed'
    view.Renamed(event)
  elseif event.type == 'session_removed' || event.type == 'run_removed'
    view.Removed(event)
  elseif event.type == 'agent_state'
    agents.Changed(event)
    Autocommand('TermiAgent', event)
  elseif event.type == 'attention'
    Autocommand('TermiAttention', event)
    # What an agent is doing says more than what it rings for.
    if get(event, 'message', v:null) != v:null && !(agents.IsKnown(event.run_id) && get(g:, 'termi_notify_agent', '') != 'never')
      message.Notice('None', $'{event.session_name}: {event.message}')
    endif
  elseif event.type == 'input_dropped'
    message.Notice('WarningMsg', $'{event.session_name} does not read: {event.dropped_bytes} bytes of input were dropped.')
  endif
enddef

# The event is in g:termi_event while its User autocommand runs.
def Autocommand(name: string, event: dict<any>)
  if exists('#User#' .. name)
    g:termi_event = event
    execute 'doautocmd <nomodeline> User' name
  endif
enddef

# When a connection to the daemon is lost, as by `termi daemon --replace`, it is made again after so many milliseconds.
const REJOIN_MS = [100, 500, 1000, 2000, 4000]

# How the bridge to the daemon exits when the daemon was replaced: every session is still there.
const REPLACED = 75

# Whether sessions belong to the user's daemon, and may be there still.
def Persists(): bool
  return get(g:, 'termi_persist', false) || get(g:, 'termi_host_args', [])->index('--persist') >= 0
enddef

def Ended(_: job, status: number)
  var was = info
  info = {}
  agents.HostEnded()
  if empty(was)
    # It never answered: who waits for it says so.
    return
  endif
  if Persists() && !stopping && (status == REPLACED || view.IsAnyAlive())
    Rejoin(was, status, 0)
  else
    Lost(was, status)
  endif
  stopping = false
enddef

# Connects to the daemon again and attaches the views; gives up after some attempts.
def Rejoin(was: dict<any>, status: number, attempt: number)
  timer_start(REJOIN_MS[attempt], (_) => {
    try
      Ensure()
      view.Rejoin()
      list.HostEnded()
      message.Notice('None', 'connected to the daemon again')
    catch /^termi: /
      if attempt + 1 < len(REJOIN_MS)
        Rejoin(was, status, attempt + 1)
      else
        Lost(was, status)
      endif
    endtry
  })
enddef

def Lost(was: dict<any>, status: number)
  view.HostEnded()
  list.HostEnded()
  if status != 0
    var why = last_error == '' ? '' : $': {last_error}'
    message.Notice('ErrorMsg', $'the host ended with {status}{why}. The next :TermiRun starts another; its log: {was.log_path}')
  endif
enddef
