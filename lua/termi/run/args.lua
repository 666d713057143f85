--- The arguments of |:TermiRun|: `++key=value` options first, the rest is the command, untouched.
local message = require('termi.ui.message')
local options = require('termi.core.run_options')

local M = {}

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
  if vim.startswith(word, '++') then
    message.fail('`%s` is an option, and this command takes none.', word)
  end
  if rest ~= '' then
    message.fail('too many words: `%s`. Write a space in a name as `\\ `.', vim.trim(rest))
  end
  return word
end

--- Splits the options off the command. Raises for an unknown key or a bad value.
---@param input string
---@param takes? { only: string, command: string } the one option that a command other than |:TermiRun| takes
---@return table<string, any> opts fields of |termi.RunOpts|, `cmd` among them when there is one
function M.parse(input, takes)
  local opts, rest = {}, input:gsub('^%s+', '')
  while vim.startswith(rest, '++') do
    local word
    word, rest = M.take_word(rest)
    local key = word:match('^%+%+([^=]*)') or ''
    local value = word:match('=(.*)$') or ''
    if key == '' then
      break
    end
    if takes and key ~= takes.only then
      message.fail('`%s` takes ++%s=… and no other option, not `%s`.', takes.command, takes.only, '++' .. key)
    end
    options.take(opts, key, value)
  end
  if rest ~= '' then
    opts.cmd = rest
  end
  return opts
end

return M
