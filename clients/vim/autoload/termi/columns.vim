vim9script
# Tables that fit a width: where there is too little room columns are cut, or dropped, the least important first.

import autoload './message.vim'

# The texts of a column: what `Text` makes of each item, on one line.
export def Cells(items: list<dict<any>>, Text: func): list<string>
  var texts: list<string> = []
  for item in items
    texts->add(message.Clean(Text(item)))
  endfor
  return texts
enddef

# Lays out `count` rows below their titles. A column is {title, cells, most}, with optional keys: `steady`, at least so
# wide, so that it does not move with each value; `least`, down to which it is cut rather than dropped; `drop`, the column
# with the lowest number goes first; `right`; and `gap`, how many blanks are before it.
export def Table(columns: list<dict<any>>, count: number, width: number): list<string>
  for column in columns
    var widest = max(column.cells->mapnew((_, cell) => strdisplaywidth(cell))
      + [get(column, 'steady', 0), strdisplaywidth(column.title)])
    column.wanted = min([column.most, widest])
    column.width = min([column.wanted, get(column, 'least', column.wanted)])
  endfor
  var kept = copy(columns)
  for column in columns->copy()->filter((_, its) => has_key(its, 'drop'))->sort((a, b) => a.drop - b.drop)
    if Total(kept) > width
      kept->filter((_, its) => its isnot column)
    endif
  endfor
  # What is left goes to the columns that were cut, to each as much as to the others.
  var spare = width - Total(kept)
  while spare > 0
    var hungry = kept->copy()->filter((_, its) => its.width < its.wanted)
    if empty(hungry)
      break
    endif
    for column in hungry[: spare - 1]
      column.width += 1
    endfor
    spare = width - Total(kept)
  endwhile
  return [Row(kept, kept->mapnew((_, its) => its.title), width)]
    + range(count)->map((_, index) => Row(kept, kept->mapnew((_, its) => its.cells[index]), width))
enddef

def Total(columns: list<dict<any>>): number
  var total = -Gap(columns[0])
  for column in columns
    total += column.width + Gap(column)
  endfor
  return total
enddef

def Gap(column: dict<any>): number
  return get(column, 'gap', 1)
enddef

def Row(columns: list<dict<any>>, cells: list<string>, width: number): string
  var line = ''
  for [index, column] in items(columns)
    var text = message.Cut(cells[index], column.width)
    line ..= (index == 0 ? '' : repeat(' ', Gap(column)))
      .. (get(column, 'right', false) ? printf('%*S', column.width, text) : printf('%-*S', column.width, text))
  endfor
  # Even what is never dropped may be too wide for a very small window.
  return message.Cut(substitute(line, ' \+$', '', ''), width)
enddef

# The width that a buffer's text has in the narrowest window that shows it.
export def Width(buf: number): number
  var widths = win_findbuf(buf)->mapnew((_, winid) => getwininfo(winid)[0])
    ->mapnew((_, window) => window.width - window.textoff)
  return empty(widths) ? &columns : max([1, min(widths)])
enddef
