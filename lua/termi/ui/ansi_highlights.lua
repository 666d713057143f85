--- Highlight groups for ANSI styles, as a program's text has them. Neovim never frees a group, and has room for some
--- 20,000 of all plugins together (E849): their number is bounded, whatever a program prints.
local M = {}

--- The most groups there are, and how many of them are given new looks at once when more are wanted: those that were
--- not asked for the longest.
local MOST = 2000
local FREED = 500

--- From so many groups on, colours of 24 bits are rounded: a picture has more of them than anyone tells apart.
local EXACT = 500
local STEP = 17

--- xterm's first sixteen colours, where a colour scheme sets no |g:terminal_color_x|.
-- stylua: ignore
local XTERM = {
  0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd, 0x00cdcd, 0xe5e5e5,
  0x7f7f7f, 0xff0000, 0x00ff00, 0xffff00, 0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff,
}

local UNDERLINES = {
  single = 'underline',
  double = 'underdouble',
  curl = 'undercurl',
  dotted = 'underdotted',
  dashed = 'underdashed',
}

--- The colour of a palette's entry.
---@param index integer
---@return integer|string
local function indexed(index)
  if index < 16 then
    return vim.g['terminal_color_' .. index] or XTERM[index + 1]
  elseif index < 232 then
    local cube = index - 16
    local function level(step)
      return step == 0 and 0 or 55 + 40 * step
    end
    local red, green, blue = level(math.floor(cube / 36)), level(math.floor(cube / 6) % 6), level(cube % 6)
    return ('#%02x%02x%02x'):format(red, green, blue)
  end
  local grey = 8 + 10 * (index - 232)
  return ('#%02x%02x%02x'):format(grey, grey, grey)
end

---@param paint? termi.proto.Paint
---@return integer|string? color
---@return integer? cterm
local function color(paint)
  if type(paint) ~= 'table' then
    return nil
  elseif paint.indexed then
    return indexed(paint.indexed), paint.indexed
  end
  local rgb = paint.rgb or {}
  return ('#%02x%02x%02x'):format(rgb[1] or 0, rgb[2] or 0, rgb[3] or 0)
end

---@class termi.AnsiStyle
---@field name string of its group
---@field span termi.proto.Span
---@field used integer when it was asked for last, in calls

local known = {} ---@type table<string, termi.AnsiStyle> by look
local count, made, calls = 0, 0, 0
local free = {} ---@type string[] names of groups without a look

---@param paint? termi.proto.Paint
---@return string
local function key(paint)
  if type(paint) ~= 'table' then
    return ''
  end
  return paint.indexed and 'p' .. paint.indexed or table.concat(paint.rgb or {}, '.')
end

local FLAGS = { 'bold', 'dim', 'italic', 'inverse', 'hidden', 'strikeout' }

---@param name string
---@param span termi.proto.Span
local function define(name, span)
  local fg, ctermfg = color(span.fg)
  local bg, ctermbg = color(span.bg)
  if span.dim and not fg then
    fg = vim.api.nvim_get_hl(0, { name = 'Comment', link = false }).fg
  end
  if span.hidden then
    fg = bg or vim.api.nvim_get_hl(0, { name = 'Normal', link = false }).bg
  end
  local attributes = { bold = span.bold, italic = span.italic, reverse = span.inverse, strikethrough = span.strikeout }
  local underline = UNDERLINES[span.underline]
  if underline then
    attributes[underline] = true
  end
  vim.api.nvim_set_hl(
    0,
    name,
    vim.tbl_extend('error', attributes, {
      fg = fg,
      bg = bg,
      sp = (color(span.underline_color)),
      ctermfg = ctermfg,
      ctermbg = ctermbg,
      cterm = next(attributes) and attributes or nil,
    })
  )
end

--- A colour as it is shown while there are many.
---@param paint? termi.proto.Paint
---@return termi.proto.Paint?
local function rounded(paint)
  if type(paint) ~= 'table' or not paint.rgb then
    return paint
  end
  return {
    rgb = vim.tbl_map(function(level)
      return math.floor(level / STEP + 0.5) * STEP
    end, paint.rgb),
  }
end

---@param span termi.proto.Span
---@return string
local function look_of(span)
  local parts = { key(span.fg), key(span.bg), key(span.underline_color), span.underline or '' }
  for _, flag in ipairs(FLAGS) do
    parts[#parts + 1] = span[flag] and '1' or '0'
  end
  return table.concat(parts, '_')
end

--- Takes the groups back that were not asked for the longest.
local function free_some()
  local looks = vim.tbl_keys(known)
  table.sort(looks, function(one, other)
    return known[one].used < known[other].used
  end)
  for index = 1, FREED do
    free[#free + 1] = known[looks[index]].name
    known[looks[index]] = nil
  end
  count = count - FREED
end

---@return string
local function next_name()
  if #free == 0 and made == MOST then
    free_some()
  end
  count = count + 1
  if #free > 0 then
    return table.remove(free) --[[@as string]]
  end
  made = made + 1
  return ('TermiText%d'):format(made)
end

--- The group that looks so.
---@param span termi.proto.Span
---@return string
function M.group(span)
  calls = calls + 1
  local look = look_of(span)
  if not known[look] and count >= EXACT then
    span = vim.tbl_extend('force', span, {
      fg = rounded(span.fg),
      bg = rounded(span.bg),
      underline_color = rounded(span.underline_color),
    })
    look = look_of(span)
  end
  if not known[look] then
    known[look] = { name = next_name(), span = span, used = calls }
    define(known[look].name, span)
  end
  known[look].used = calls
  return known[look].name
end

-- A colour scheme clears the groups, and may bring another palette.
vim.api.nvim_create_autocmd('ColorScheme', {
  group = vim.api.nvim_create_augroup('termi.style', {}),
  desc = "Termi: looks of programs' text",
  callback = function()
    for _, look in pairs(known) do
      define(look.name, look.span)
    end
  end,
})

return M
