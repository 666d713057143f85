vim9script
# The arguments of :TermiRun: `++key=value` options first, the rest is the command, untouched.

export const OPEN = ['split', 'vsplit', 'tab', 'float', 'current', 'none']

# What each option sets: a parameter of `run`, or how the run is shown.
const FIELDS = {
  session: 'session', name: 'name', group: 'group', cwd: 'cwd', timeout: 'timeout_ms', idle: 'idle_timeout_ms',
  template: 'template', open: 'open',
}
const UNITS = {ms: 1, s: 1000, m: 60000, h: 3600000}

export def Keys(): list<string>
  return keys(FIELDS)->sort()
enddef

# Takes one word from the front. A backslash keeps a space, or itself, in the word.
export def TakeWord(input: string): list<string>
  var word = matchstr(input, '\v^%(\\[ \\]|\S)*')
  return [substitute(word, '\v\\([ \\])', '\1', 'g'), trim(strpart(input, len(word)))]
enddef

# The only word that there may be.
export def OnlyWord(input: string): string
  var [word, surplus] = TakeWord(input)
  if surplus != ''
    throw $'termi: too many words: `{surplus}`. Write a space in a name as `\ `.'
  endif
  return word
enddef

# Milliseconds of `500ms`, `30s`, `5m`, `1h30m`; a plain number is seconds. -1: not a duration.
export def Duration(text: string): number
  var left = text =~ '\v^\d+(\.\d+)?$' ? text .. 's' : text
  var total = 0.0
  while left != ''
    var parts = matchlist(left, '\v^(\d+%(\.\d+)?)(ms|s|m|h)')
    if empty(parts)
      return -1
    endif
    total += str2float(parts[1]) * UNITS[parts[2]]
    left = strpart(left, len(parts[0]))
  endwhile
  return text == '' ? -1 : float2nr(total)
enddef

# Splits the options off the command. Throws for an unknown key or a bad value.
export def Parse(given: string): dict<any>
  var opts: dict<any> = {}
  var rest = trim(given)
  while rest =~ '^++'
    var [word, after] = TakeWord(rest)
    var key = matchstr(word, '^++\zs[^=]*')
    var value = matchstr(word, '=\zs.*')
    if key == ''
      # `++` alone ends the options.
      rest = after
      break
    elseif !has_key(FIELDS, key)
      throw $'termi: ++{key} is not an option. There are ++{Keys()->join(", ++")}.'
    elseif value == ''
      throw $'termi: ++{key} needs a value: ++{key}=…'
    elseif key == 'open' && OPEN->index(value) < 0
      throw $'termi: ++open={value} must be one of {OPEN->join(", ")}.'
    elseif key == 'timeout' || key == 'idle'
      var duration = Duration(value)
      if duration <= 0
        throw $'termi: ++{key}={value} is not a duration. Write 500ms, 30s, 5m or 1h; a plain number is seconds.'
      endif
      opts[FIELDS[key]] = duration
    else
      opts[FIELDS[key]] = value
    endif
    rest = after
  endwhile
  if rest != ''
    opts.cmd = rest
  endif
  return opts
enddef
