--- Errors: how they are raised, and the host's in this plugin's words. The host speaks to any client, so where it
--- points to a method, a person here is pointed to a command. By the error's code and data, never by its text.
local M = {}

local PREFIX = 'termi: '

--- What is said to a person begins with the plugin's name.
---@param text string
---@return string
function M.prefixed(text)
  return vim.startswith(text, PREFIX) and text or PREFIX .. text
end

--- Raises an error that carries no file and line: what went wrong and what to do is in the text.
---@param text string
---@param ... any values for `string.format`
---@return never
function M.fail(text, ...)
  error(M.prefixed(select('#', ...) > 0 and text:format(...) or text), 0)
end

M.NO_SESSIONS = 'there are no sessions. :TermiRun starts one.'

--- That a target names nothing: one sentence for it, whoever finds out.
---@param kind string `session`, `run` or `group`
---@param name string
---@return string
function M.none(kind, name)
  if kind == 'group' then
    return ('no session is in the group `%s`. :TermiSessions lists them.'):format(name)
  end
  return ('there is no %s `%s`. :TermiSessions lists them.'):format(kind, name)
end

--- That there is nothing of a name among a few: what there is, or how to make some.
---@param kind string
---@param name string
---@param known string[]
---@param help string where it is explained how to make some
---@return string
function M.none_of(kind, name, known, help)
  if #known == 0 then
    return ('there is no %s `%s`: none is set up. :help %s'):format(kind, name, help)
  end
  local likely = M.nearest(name, known)
  if likely then
    return ('there is no %s `%s`. Did you mean `%s`?'):format(kind, name, likely)
  end
  return ('there is no %s `%s`. There %s: %s.'):format(
    kind,
    name,
    #known == 1 and 'is' or 'are',
    table.concat(known, ', ')
  )
end

--- How many letters must be put in, left out or changed, or two neighbours swapped, to make one word of another.
---@param a string
---@param b string
---@return integer
local function distance(a, b)
  local rows = { [0] = {} } ---@type table<integer, table<integer, integer>>
  for column = 0, #b do
    rows[0][column] = column
  end
  for row = 1, #a do
    rows[row] = { [0] = row }
    for column = 1, #b do
      local same = a:byte(row) == b:byte(column)
      local least =
        math.min(rows[row - 1][column] + 1, rows[row][column - 1] + 1, rows[row - 1][column - 1] + (same and 0 or 1))
      if row > 1 and column > 1 and a:byte(row) == b:byte(column - 1) and a:byte(row - 1) == b:byte(column) then
        least = math.min(least, rows[row - 2][column - 2] + 1)
      end
      rows[row][column] = least
    end
  end
  return rows[#a][#b]
end

--- Whether one word abbreviates another, as `cmd` does `command`.
---@param short string
---@param word string
---@return boolean
local function abbreviates(short, word)
  if #short < 3 or short:sub(1, 1) ~= word:sub(1, 1) or short:sub(-1) ~= word:sub(-1) then
    return false
  end
  return word:find((short:gsub('.', function(letter)
    return vim.pesc(letter) .. '.*'
  end))) == 1
end

--- The word that a misspelled one was most likely to be.
---@param word string
---@param words string[]
---@return string? nil: none is like it
function M.nearest(word, words)
  local best, least = nil, math.huge ---@type string?, number
  for _, candidate in ipairs(words) do
    local its = distance(word, candidate)
    -- The beginning of a word is as good as one letter wrong.
    if #word > 1 and vim.startswith(candidate, word) or abbreviates(candidate, word) then
      its = math.min(its, 1)
    end
    if its < least and its <= math.max(1, math.floor(#word / 3)) and its < #word then
      best, least = candidate, its
    end
  end
  return best
end

---@param err termi.proto.Error
---@return string
function M.of(err)
  local data = err.data
  if err.code == 'lives_on' then
    return 'its program has ended, but processes that it started live on. :Termi kill ends them.'
  end
  if err.code == 'not_found' and type(data) == 'table' and data.kind and data.name then
    return M.none(data.kind, data.name)
  end
  return err.message
end

return M
