vim9script
# Buffers of Termi's own text: the list, the history, transcripts.

# Shows the buffer of this name in a window, at the bottom when it is in none, and returns its number.
export def Open(name: string, height = 0): number
  var buf = bufadd(name)
  if bufwinid(buf) > 0
    win_gotoid(bufwinid(buf))
  else
    # Before it is loaded: no file of that name is read. No modelines: what programs print stands in it.
    setbufvar(buf, '&buftype', 'nofile')
    setbufvar(buf, '&modeline', false)
    silent bufload(buf)
    silent execute 'botright sbuffer' buf
    if height > 0
      execute 'resize' height
    endif
  endif
  setlocal buftype=nofile nomodeline bufhidden=hide noswapfile nobuflisted nomodifiable nowrap
  nnoremap <buffer> <nowait> q <Cmd>close<CR>
  return buf
enddef

# Replaces its text.
export def Write(buf: number, lines: list<string>)
  setbufvar(buf, '&modifiable', true)
  var old = getbufinfo(buf)[0].linecount
  setbufline(buf, 1, lines)
  if old > len(lines)
    silent deletebufline(buf, len(lines) + 1, old)
  endif
  setbufvar(buf, '&modifiable', false)
enddef
