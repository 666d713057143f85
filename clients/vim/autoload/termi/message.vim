vim9script
# Messages. What comes unasked must not ask for a key: a message longer than the command line brings up Vim's
# hit-enter prompt, which takes the next key from whoever types.

# The longest notice, in characters: a program may send one of thousands.
const NOTICE_MAX = 400
const NOTICE_MS = 6000

var popup = 0

# Answers a command.
export def Say(group: string, text: string)
  execute 'echohl' group
  echomsg substitute(text, '^termi: ', '', '')
  echohl None
enddef

# Reports what a callback learned, at any moment: on the command line where it fits and nobody types there, else in a
# popup window of its own, which the next one replaces.
export def Notice(group: string, given: string)
  var text = Clean(substitute(given, '^termi: ', '', ''))
  if strdisplaywidth(text) < v:echospace && mode() !~ '^[cr!t]'
    Say(group, text)
  elseif has('popupwin')
    try
      popup_close(popup)
      popup = popup_create([text], {line: 1, col: &columns, pos: 'topright', maxwidth: max([20, &columns / 2]),
        maxheight: max([1, &lines / 3]), padding: [0, 1, 0, 1], tabpage: -1, zindex: 300, time: NOTICE_MS,
        highlight: group == 'None' ? 'Pmenu' : group})
    catch
      # Where no window may be opened, the message is lost rather than the key.
    endtry
  endif
enddef

# Text on one line of at most `width` columns.
export def Cut(given: string, width: number): string
  var text = Clean(given)
  # The precision of %S counts columns, so wide characters count twice.
  return strdisplaywidth(text) <= width ? text : printf('%.*S', width - 1, text) .. '…'
enddef

# Characters that act instead of being shown: on a terminal, on the order or the lines of a text; or that are not seen.
const ACTING = '[[:cntrl:]\u0080-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]\+'

# Text on one line, without those, of bounded length.
export def Clean(text: string): string
  var line = substitute(text, ACTING, ' ', 'g')
  return strchars(line) > NOTICE_MAX ? strcharpart(line, 0, NOTICE_MAX) .. '…' : line
enddef
