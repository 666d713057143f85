vim9script
# Coding agents among the runs: what each is doing, who waits for a person, and who was looked at.

import autoload './host.vim'
import autoload './message.vim'
import autoload './view.vim'

const POLICIES = ['hidden', 'always', 'never']

# Who wants a person most is lowest; of the rest nobody does.
const RANKS = {blocked: 1, error: 2, done: 3, working: 4}
const RANK_OF_REST = 5

# By run id, as events and answers have told: {agent, session_id, session_name, run_id}. None of what has ended.
var known: dict<dict<any>> = {}
# Runs that this Vim started: their states are its user's concern, seen or not.
var own: dict<bool> = {}
# How many are being started.
var starting = 0
# Since when a state has been reported, by run id: an event repeats it when a title or a progress changes.
var since: dict<number> = {}
# Terminals that report no focus leave it so.
var has_focus = true

# Takes in what the host says there is.
export def Take(sessions: dict<any>)
  known = {}
  for [id, session] in items(sessions)
    for process in session.processes
      if process.status == 'active' && type(get(process, 'agent')) == v:t_dict
        known[process.run_id] = {agent: process.agent, session_id: id, session_name: session.name, run_id: process.run_id}
      endif
    endfor
  endfor
  Look()
enddef

# A run is being started: an event may tell of it before the answer that says its id.
export def Starting()
  starting += 1
enddef

export def Started(run_id: string)
  starting -= 1
  if run_id != ''
    own[run_id] = true
  endif
enddef

export def HostEnded()
  known = {}
  own = {}
  since = {}
enddef

export def Ended(run_id: string)
  for runs in [known, since]
    if has_key(runs, run_id)
      remove(runs, run_id)
    endif
  endfor
enddef

# Whether a run is an agent of which is known what it is doing: that says more than its bells.
export def IsKnown(run_id: string): bool
  return has_key(known, run_id) && known[run_id].agent.state != 'unknown'
enddef

# Takes an `agent_state` event in.
export def Changed(event: dict<any>)
  var agent = get(event, 'agent', v:null)
  if type(agent) != v:t_dict
    Ended(event.run_id)
    return
  endif
  known[event.run_id] = {agent: agent, session_id: event.session_id, session_name: event.session_name, run_id: event.run_id}
  # One that asks something else has begun to wait anew.
  var is_news = get(event, 'was', v:null) != agent.state || get(since, event.run_id, agent.since) != agent.since
  since[event.run_id] = agent.since
  if is_news
    Tell(event.run_id)
  endif
  Look()
enddef

# The agent that a run is; empty when it is none, or has ended.
def Of(process: dict<any>): dict<any>
  var agent = get(process, 'agent', v:null)
  return process.status == 'active' && type(agent) == v:t_dict ? agent : {}
enddef

# Whether it waits for a person: one that is blocked until it is answered, the others until they are looked at.
def Waits(agent: dict<any>): bool
  return agent.state == 'blocked' || (agent.state == 'error' || agent.state == 'done') && !agent.seen
enddef

# Where a run stands among others: those that wait for a person first, and of these who began to wait first.
export def Order(process: dict<any>): list<number>
  var agent = Of(process)
  return empty(agent) || !Waits(agent) ? [RANK_OF_REST, 0] : [RANKS[agent.state], agent.since]
enddef

# What a run is doing, where it is an agent or says how far it is: `◆ asks`, `✓ your turn`, `● working 40%  2m`; else
# nothing.
export def Status(process: dict<any>): string
  var agent = Of(process)
  if empty(agent) || agent.state == 'unknown'
    var progress = get(process, 'progress', v:null)
    var percent = process.status == 'active' && type(progress) == v:t_dict ? get(progress, 'percent', v:null) : v:null
    return percent == v:null ? '' : printf('%s %2d%%', process.status, percent)
  elseif agent.state == 'blocked'
    return get(agent, 'kind', '') == 'auth' ? '◆ asks to log in' : '◆ asks'
  elseif agent.state == 'error'
    return '✗ error'
  elseif agent.state == 'done'
    return '✓ your turn'
  elseif agent.state == 'working'
    # Of one width, so that what follows stays in its column.
    var percent = get(agent, 'progress', v:null)
    return '● working' .. (percent == v:null ? '' : printf(' %2d%%', percent))
      .. printf(' %3s', Since(localtime() - agent.since / 1000))
  elseif agent.state == 'ready'
    return '✓ ready'
  elseif agent.state == 'starting'
    return '◌ starting'
  endif
  return ''
enddef

# `5s`, `4m`, `2h`, `3d`: in the largest unit.
def Since(given: number): string
  var seconds = max([0, given])
  return seconds < 60 ? $'{seconds}s' : seconds < 3600 ? $'{seconds / 60}m'
    : seconds < 86400 ? $'{seconds / 3600}h' : $'{seconds / 86400}d'
enddef

# What an agent asks or is about, where the last line of its screen is a hint at its keys; else that line.
export def Line(process: dict<any>): string
  var agent = Of(process)
  return empty(agent) ? process.last_line : get(agent, 'message', '') ?? get(agent, 'title', '') ?? process.last_line
enddef

# Agents that began to wait, by run id, with the state: told together, and not before it is known who started them.
var news: dict<string> = {}
const TELL_MS = 50

# Says soon that an agent has begun to wait, unless a person sees it.
def Tell(run_id: string)
  if empty(news)
    timer_start(TELL_MS, (_) => TellAll())
  endif
  news[run_id] = known[run_id].agent.state
enddef

def TellAll()
  if starting > 0
    timer_start(TELL_MS, (_) => TellAll())
    return
  endif
  var [order, policy] = [items(news), get(g:, 'termi_notify_agent', 'hidden')]
  news = {}
  if POLICIES->index(policy) < 0
    message.Notice('ErrorMsg', $'g:termi_notify_agent is {string(policy)}; it must be one of {POLICIES->join(", ")}')
    return
  endif
  var waiting = order->filter((_, item) => IsToBeTold(item[0], item[1], policy))->map((_, item) => known[item[0]])->sort(Compare)
  if empty(waiting)
    return
  endif
  var group = waiting->indexof((_, run) => run.agent.state == 'error') >= 0 ? 'WarningMsg' : 'None'
  if len(waiting) == 1
    var text = get(waiting[0].agent, 'message', '') ?? ''
    message.Notice(group, Told(waiting[0]) .. (text == '' || waiting[0].agent.state == 'done' ? '' : $': {text}'))
  else
    message.Notice(group, $'{len(waiting)} agents: {waiting->mapnew((_, run) => Told(run))->join(", ")}')
  endif
enddef

def IsToBeTold(run_id: string, state: string, policy: string): bool
  var run = get(known, run_id, {})
  if policy == 'never' || empty(run) || run.agent.state != state || !Waits(run.agent)
    return false
  endif
  var is_mine = has_key(own, run_id) || !empty(view.Shows(run_id))
  return is_mine && (policy == 'always' || !run.agent.seen && !IsInView(run_id))
enddef

def Told(run: dict<any>): string
  return run.session_name .. {blocked: ' asks', error: ' stopped at an error', done: ' is done: your turn'}[run.agent.state]
enddef

# Whether a person can see a run: in a window of this tab page, while Vim has the focus.
def IsInView(run_id: string): bool
  return has_focus && view.Shows(run_id)->indexof((_, buf) => bufwinid(buf) > 0) >= 0
enddef

# Notes that a person looks at the agent in the current window, and tells the host so, once a state.
export def Look()
  var run = get(known, get(view.Of(), 'run_id', ''), {})
  if !has_focus || empty(run) || run.agent.seen || ['blocked', 'error', 'done']->index(run.agent.state) < 0
    return
  endif
  run.agent.seen = true
  if host.Running() && get(get(host.Info(), 'capabilities', {}), 'methods', [])->index('seen') >= 0
    # Who may only read is refused, and has looked at it all the same.
    host.Ask('seen', {run_id: run.run_id}, (_, _) => {
    })
  endif
enddef

export def Focus(given: bool)
  has_focus = given
  Look()
enddef

# In the order in which they began to wait.
def Compare(a: dict<any>, b: dict<any>): number
  if a.agent.since != b.agent.since
    return a.agent.since < b.agent.since ? -1 : 1
  endif
  return a.run_id < b.run_id ? -1 : a.run_id > b.run_id ? 1 : 0
enddef

# Who waits and comes after a run, round and round; from one that has not waited, who has waited longest. Empty when none
# does.
export def Next(run_id: string): dict<any>
  Take(host.Call('sessions', {}))
  var waiting = values(known)->filter((_, run) => Waits(run.agent))->sort(Compare)
  var here = get(known, run_id, {})
  # One that was looked at meanwhile keeps its place.
  var has_waited = !empty(here) && ['blocked', 'error', 'done']->index(here.agent.state) >= 0
  var after = !has_waited ? [] : waiting->copy()->filter((_, run) => Compare(run, here) > 0)
  return get(after + waiting, 0, {})
enddef
