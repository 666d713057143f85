--- Highlight groups for text as a program coloured it.
local api = vim.api
local M = {}

--- The first colours of the 256, where a colour scheme does not set `g:terminal_color_…`.
local BASIC = {
  [0] = '#000000',
  '#cd0000',
  '#00cd00',
  '#cdcd00',
  '#0000ee',
  '#cd00cd',
  '#00cdcd',
  '#e5e5e5',
  '#7f7f7f',
  '#ff0000',
  '#00ff00',
  '#ffff00',
  '#5c5cff',
  '#ff00ff',
  '#00ffff',
  '#ffffff',
}

---@param index integer of the palette's 256 colours
---@return string
local function indexed(index)
  if index < 16 then
    return vim.g['terminal_color_' .. index] or BASIC[index]
  elseif index >= 232 then
    local grey = 8 + (index - 232) * 10
    return ('#%02x%02x%02x'):format(grey, grey, grey)
  end
  local function level(step)
    return step == 0 and 0 or 55 + step * 40
  end
  local at = index - 16
  return ('#%02x%02x%02x'):format(level(math.floor(at / 36)), level(math.floor(at / 6) % 6), level(at % 6))
end

---@param paint any `default`, `{ indexed = n }` or `{ rgb = { r, g, b } }`
---@return string?
local function color(paint)
  if type(paint) ~= 'table' then
    return nil
  elseif paint.indexed then
    return indexed(paint.indexed)
  end
  return paint.rgb and ('#%02x%02x%02x'):format(paint.rgb[1], paint.rgb[2], paint.rgb[3])
end

local made = {} ---@type table<string, true>

-- A colour scheme clears all groups.
api.nvim_create_autocmd('ColorScheme', {
  group = api.nvim_create_augroup('termi.styles', {}),
  desc = 'Termi: colours of previews are made anew',
  callback = function()
    made = {}
  end,
})

--- The group of a style, made when it is met for the first time.
---@param style termi.proto.Span
---@return string
function M.group(style)
  local fg, bg = color(style.fg), color(style.bg)
  local flags = {
    bold = style.bold,
    italic = style.italic,
    reverse = style.inverse,
    strikethrough = style.strikeout,
    underline = style.underline ~= nil and style.underline ~= 'none' or nil,
  }
  local name = { 'TermiStyle', fg and fg:sub(2) or 'x', bg and bg:sub(2) or 'x' }
  for flag in vim.spairs(flags) do
    name[#name + 1] = flag:sub(1, 2)
  end
  local group = table.concat(name, '_')
  if not made[group] then
    made[group] = true
    api.nvim_set_hl(0, group, vim.tbl_extend('error', flags, { fg = fg, bg = bg }))
  end
  return group
end

return M
