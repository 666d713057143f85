vim9script
# Styles of the protocol as text properties. Each look that comes up gets a property type and a highlight group.

# The types by look. Vim never frees a highlight group and has 20,000 for everyone (E849): a picture in true colours
# has that many looks. So from EXACT looks on colours are rounded, and over MOST the oldest types get other looks.
var types: dict<string> = {}
var looks: list<dict<any>> = []
var made = 0
const EXACT = 1000
const MOST = 2000

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
  if has_key(look, 'link')
    # It is underlined; where it leads to makes no other look.
    look.link = ''
  endif
  if made >= EXACT && !has_key(types, string(look))
    look->map((_, paint) => Rounded(paint))
  endif
  var key = string(look)
  if !has_key(types, key)
    var slot = made < MOST ? made : EXACT + made % (MOST - EXACT)
    var name = $'Termi{slot}'
    if made >= MOST
      execute 'highlight clear' name
    endif
    execute 'highlight' name Look(look)
    if made < MOST
      prop_type_add(name, {highlight: name, combine: true})
      looks->add(look)
    else
      remove(types, string(looks[slot]))
      looks[slot] = look
    endif
    made += 1
    types[key] = name
  endif
  return types[key]
enddef

# `:colorscheme` clears all groups.
export def Renew()
  for [slot, look] in items(looks)
    execute 'highlight' $'Termi{slot}' Look(look)
  endfor
enddef

def Rounded(paint: any): any
  if type(paint) != v:t_dict || !has_key(paint, 'rgb')
    return paint
  endif
  return {rgb: paint.rgb->mapnew((_, level) => level / 16 * 17)}
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
  if get(look, 'hidden', false)
    # Where the default background has no colour of its own, `bg` is no colour that Vim knows.
    words->extend(type(get(look, 'bg', '')) == v:t_dict ? ['ctermfg=' .. Index(look.bg), 'guifg=' .. Hex(look.bg)]
      : Background())
  endif
  return words->join(' ')
enddef

# The background as the colour of hidden text.
def Background(): list<string>
  var found: list<string> = []
  for [mode, prefix] in items({gui: 'gui', cterm: 'cterm'})
    var color = synIDattr(hlID('Normal')->synIDtrans(), 'bg', mode)
    found->add(prefix .. 'fg=' .. (color != '' ? color : &background == 'dark' ? 'Black' : 'White'))
  endfor
  return found
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
