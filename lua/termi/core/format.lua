--- Numbers and texts for people: durations, sizes, text cut to a display width.
local M = {}

local UNITS_MS = { ms = 1, s = 1000, m = 60000, h = 3600000 }

--- Milliseconds of a duration that a person wrote: `500ms`, `30s`, `5m`, `1h`, `1h30m`; a plain number is seconds.
---@param text string
---@return integer? ms nil: not a duration
function M.parse_duration(text)
  if text:match('^%d+%.?%d*$') then
    text = text .. 's'
  end
  local total = 0
  local left = text:gsub('(%d+%.?%d*)(%a+)', function(number, unit)
    local factor = UNITS_MS[unit]
    total = total + (tonumber(number) or 0) * (factor or 0)
    return factor and ''
  end)
  return text ~= '' and left == '' and math.floor(total) or nil
end

--- `45ms`, `3.2s`, `4m12s`, `2h05m`, `3d4h`.
---@param ms number
---@return string
function M.duration(ms)
  local s = ms / 1000
  if s < 1 then
    return ('%dms'):format(ms)
  elseif s < 10 then
    return ('%.1fs'):format(math.floor(s * 10) / 10)
  elseif s < 60 then
    return ('%ds'):format(s)
  elseif s < 3600 then
    return ('%dm%02ds'):format(s / 60, s % 60)
  elseif s < 86400 then
    return ('%dh%02dm'):format(s / 3600, s % 3600 / 60)
  end
  return ('%dd%dh'):format(s / 86400, s % 86400 / 3600)
end

--- `5s`, `4m`, `2h`, `3d`: for how long something has been so, in its largest unit.
---@param ms number
---@return string
function M.short_duration(ms)
  local s = math.max(0, ms / 1000)
  if s < 60 then
    return ('%ds'):format(s)
  elseif s < 3600 then
    return ('%dm'):format(s / 60)
  elseif s < 86400 then
    return ('%dh'):format(s / 3600)
  end
  return ('%dd'):format(s / 86400)
end

--- `512B`, `3.4K`, `120M`, `1.2G`.
---@param bytes number
---@return string
function M.bytes(bytes)
  local units = { 'B', 'K', 'M', 'G', 'T' }
  local at = 1
  while bytes >= 1000 and at < #units do
    bytes, at = bytes / 1024, at + 1
  end
  return (at == 1 or bytes >= 9.95) and ('%.0f%s'):format(bytes, units[at]) or ('%.1f%s'):format(bytes, units[at])
end

--- Bytes that characters begin with which act on the order or the lines of a text, or are not seen.
local MAY_ACT = '[\xc2\xd8\xe1\xe2\xef]'

--- Those characters: C1 and the soft hyphen, marks of direction, separators of lines, and what takes no room. Joiners
--- are not among them: words and emoji are spelled with them.
local ACTING = {
  '\xc2[\x80-\x9f\xad]',
  '\xd8\x9c',
  '\xe1\xa0\x8e',
  '\xe2\x80[\x8b\x8e\x8f\xa8-\xae]',
  '\xe2\x81[\xa0-\xaf]',
  '\xef\xbb\xbf',
  '\xef\xbf[\xb9-\xbb]',
}

--- One line without control characters, and without those that turn or break it.
---@param text string
---@return string
function M.one_line(text)
  if text:find(MAY_ACT) then
    for _, pattern in ipairs(ACTING) do
      text = text:gsub(pattern, ' ')
    end
  end
  if not text:find('%c') and not text:find('^ ') and not text:find(' $') then
    return text
  end
  return vim.trim((text:gsub('%c+', ' ')))
end

--- How many columns of the screen a text takes. Most are ASCII, and need no call into Vim.
---@param text string
---@return integer
function M.width(text)
  return text:find('[^ -~]') and vim.fn.strdisplaywidth(text) or #text
end

--- The text in exactly `width` columns of the screen: padded, or cut with `…`.
---@param text string
---@param width integer
---@param right? boolean pad on the left
---@param has? integer its width, where that is known
---@return string
function M.fit(text, width, right, has)
  has = has or M.width(text)
  if has > width then
    local kept, used = {}, 0
    local ellipsis = M.width('…')
    -- No character is narrower than a column, so that much of a very long text is enough to look at.
    for _, char in ipairs(vim.fn.split(vim.fn.strcharpart(text, 0, width + 1, true), '\\zs')) do
      local wide = M.width(char)
      if used + wide > width - ellipsis then
        break
      end
      kept[#kept + 1] = char
      used = used + wide
    end
    local room = width >= ellipsis
    text = room and table.concat(kept) .. '…' or ''
    has = room and used + ellipsis or 0
  end
  local padding = (' '):rep(width - has)
  return right and padding .. text or text .. padding
end

local SIGNALS = {
  [1] = 'SIGHUP',
  [2] = 'SIGINT',
  [3] = 'SIGQUIT',
  [6] = 'SIGABRT',
  [9] = 'SIGKILL',
  [11] = 'SIGSEGV',
  [13] = 'SIGPIPE',
  [14] = 'SIGALRM',
  [15] = 'SIGTERM',
}

---@param number integer
---@return string
function M.signal(number)
  return SIGNALS[number] or ('signal %d'):format(number)
end

--- `1 process`, `2 processes`.
---@param count integer
---@param singular string
---@param plural string
---@return string
function M.count(count, singular, plural)
  return ('%d %s'):format(count, count == 1 and singular or plural)
end

--- A number as people write it: 20,000.
---@param number integer
---@return string
function M.with_commas(number)
  local grouped = tostring(number):reverse():gsub('(%d%d%d)', '%1,'):reverse()
  return (grouped:gsub('^,', ''))
end

return M
