--- The arguments of |:TermiRun|: `++key=value` options first, the rest is the command, untouched.
local format = require('termi.format')
local message = require('termi.message')
local wording = require('termi.wording')

local M = {}

M.OPEN = { 'split', 'vsplit', 'tab', 'float', 'current', 'none' }

---@param key string
---@return fun(value: string): integer
local function duration(key)
  return function(value)
    local ms = format.parse_duration(value)
    if not ms or ms <= 0 then
      message.fail('++%s=%s is not a duration. Write 500ms, 30s, 5m or 1h; a plain number is seconds.', key, value)
    end
    return ms --[[@as integer]]
  end
end

---@param value string
---@return string
local function text(value)
  return value
end

--- One option: the field of |termi.RunOpts| that it sets, how its value is read, and what it is for.
---@class termi.RunOption
---@field key string
---@field field string
---@field read fun(value: string): any
---@field desc string

---@type termi.RunOption[]
M.options = {
  { key = 'host', field = 'host', read = text, desc = 'run on this machine of the option `hosts`' },
  { key = 'session', field = 'session', read = text, desc = 'run in this session instead of a new one' },
  { key = 'name', field = 'name', read = text, desc = 'name of the new session' },
  { key = 'group', field = 'group', read = text, desc = 'group of the new session' },
  { key = 'cwd', field = 'cwd', read = text, desc = 'folder to run in' },
  { key = 'timeout', field = 'timeout_ms', read = duration('timeout'), desc = 'end the run after this time' },
  { key = 'idle', field = 'idle_timeout_ms', read = duration('idle'), desc = 'end the run after this time in silence' },
  { key = 'template', field = 'template', read = text, desc = 'start from this template' },
  {
    key = 'open',
    field = 'open',
    desc = 'where to show it: ' .. table.concat(M.OPEN, ', '),
    read = function(value)
      if not vim.tbl_contains(M.OPEN, value) then
        message.fail('++open=%s is none of %s.', value, table.concat(M.OPEN, ', '))
      end
      return value
    end,
  },
}

---@return string[]
function M.keys()
  return vim.tbl_map(function(option)
    return option.key
  end, M.options)
end

--- Takes one word from the front of `input`. A backslash keeps a space, or itself, in the word.
---@param input string
---@return string word
---@return string rest with no white space in front
function M.take_word(input)
  local word, at = {}, 1
  while at <= #input do
    local char = input:sub(at, at)
    local following = input:sub(at + 1, at + 1)
    if char == '\\' and (following == ' ' or following == '\\') then
      word[#word + 1] = following
      at = at + 2
    elseif char:find('%s') then
      break
    else
      word[#word + 1] = char
      at = at + 1
    end
  end
  return table.concat(word), (input:sub(at):gsub('^%s+', ''))
end

--- The one word that a text is, as |M.take_word()| reads it.
---@param given string
---@return string
function M.only_word(given)
  local word, rest = M.take_word(given)
  if rest ~= '' then
    message.fail('too many words: `%s`. Write a space in a name as `\\ `.', vim.trim(rest))
  end
  return word
end

--- Splits the options off the command. Raises for an unknown key or a bad value.
---@param input string
---@return table<string, any> opts fields of |termi.RunOpts|, `cmd` among them when there is one
function M.parse(input)
  local opts, rest = {}, input:gsub('^%s+', '')
  while vim.startswith(rest, '++') do
    local word
    word, rest = M.take_word(rest)
    local key = word:match('^%+%+([^=]*)') or ''
    local value = word:match('=(.*)$') or ''
    if key == '' then
      break
    end
    local option ---@type termi.RunOption?
    for _, candidate in ipairs(M.options) do
      option = candidate.key == key and candidate or option
    end
    if not option then
      local likely = wording.nearest(key, M.keys())
      local advice = likely and ('Did you mean ++%s?'):format(likely) or ':help :TermiRun lists them.'
      message.fail('++%s is not an option. %s', key, advice)
    elseif value == '' then
      message.fail('++%s needs a value: ++%s=…', key, key)
    else
      opts[option.field] = option.read(value)
    end
  end
  if rest ~= '' then
    opts.cmd = rest
  end
  return opts
end

return M
