vim9script
# Styles of the protocol as text properties. Each look that comes up gets a property type and a highlight group.

var types: dict<string> = {}

const THEME = ['#000000', '#cd0000', '#00cd00', '#cdcd00', '#0000ee', '#cd00cd', '#00cdcd', '#e5e5e5',
  '#7f7f7f', '#ff0000', '#00ff00', '#ffff00', '#5c5cff', '#ff00ff', '#00ffff', '#ffffff']
const CUBE = [0, 95, 135, 175, 215, 255]

# Gives a line of a buffer the looks of its spans.
export def Paint(buf: number, lnum: number, line: dict<any>)
  for span in line.spans
    if span.end > span.start
      prop_add(lnum, span.start + 1, {length: span.end - span.start, bufnr: buf, type: Type(span)})
    endif
  endfor
enddef

# Marks a line as Termi's own words.
export def Note(buf: number, lnum: number)
  if empty(prop_type_get('termi_note'))
    # Without syntax highlighting there is no Comment to link to, but the name of one.
    highlight default link TermiNote Comment
    prop_type_add('termi_note', {highlight: 'TermiNote'})
  endif
  var width = getbufline(buf, lnum)[0]->strlen()
  prop_add(lnum, 1, {length: width, bufnr: buf, type: 'termi_note'})
enddef

def Type(span: dict<any>): string
  var look = span->copy()->filter((key, _) => key != 'start' && key != 'end')
  var key = string(look)
  if !has_key(types, key)
    var name = $'Termi{len(types)}'
    execute 'highlight' name Look(look)
    prop_type_add(name, {highlight: name, combine: true})
    types[key] = name
  endif
  return types[key]
enddef

def Look(look: dict<any>): string
  var attributes: list<string> = []
  for [flag, attribute] in items({bold: 'bold', italic: 'italic', inverse: 'reverse', strikeout: 'strikethrough'})
    if get(look, flag, false)
      attributes->add(attribute)
    endif
  endfor
  if has_key(look, 'underline')
    attributes->add({single: 'underline', double: 'underdouble', curl: 'undercurl', dotted: 'underdotted',
      dashed: 'underdashed'}->get(look.underline, 'underline'))
  elseif has_key(look, 'link')
    attributes->add('underline')
  endif
  var shown = attributes->join(',')
  var words = shown == '' ? ['term=NONE'] : ['term=' .. shown, 'cterm=' .. shown, 'gui=' .. shown]
  for [key, name] in [['fg', 'fg'], ['bg', 'bg'], ['underline_color', 'ul']]
    var paint = get(look, key, 'default')
    if type(paint) == v:t_dict
      words->add('cterm' .. name .. '=' .. Index(paint))
      words->add('gui' .. (name == 'ul' ? 'sp' : name) .. '=' .. Hex(paint))
    endif
  endfor
  if get(look, 'dim', false) && !has_key(look, 'fg')
    words->extend(['ctermfg=8', 'guifg=#808080'])
  endif
  return words->join(' ')
enddef

# The colour for a Vim with true colours.
def Hex(paint: dict<any>): string
  if has_key(paint, 'rgb')
    return call('printf', ['#%02x%02x%02x'] + paint.rgb)
  endif
  var index: number = paint.indexed
  if index < 16
    return get(g:, 'terminal_ansi_colors', THEME)[index]
  elseif index < 232
    var cube = index - 16
    return printf('#%02x%02x%02x', CUBE[cube / 36], CUBE[cube / 6 % 6], CUBE[cube % 6])
  endif
  var grey = 8 + (index - 232) * 10
  return printf('#%02x%02x%02x', grey, grey, grey)
enddef

# The nearest of the 256 colours.
def Index(paint: dict<any>): number
  if has_key(paint, 'indexed')
    return paint.indexed
  endif
  var [r, g, b] = paint.rgb->mapnew((_, level) => level < 48 ? 0 : level < 115 ? 1 : (level - 35) / 40)
  return 16 + 36 * r + 6 * g + b
enddef
