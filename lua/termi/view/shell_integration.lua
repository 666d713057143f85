--- Shell integration in a run's buffer: `[[` and `]]` go from prompt to prompt, `gx` opens the link under the cursor.
local capabilities = require('termi.rpc.capabilities')
local client = require('termi.rpc.client')
local message = require('termi.ui.message')
local views = require('termi.model.views')

local api = vim.api
local M = {}

--- Goes to the `count`-th prompt above the cursor or below it, or as far as there are any.
---@param view termi.View
---@param direction -1|1
---@param count integer
local function go(view, direction, count)
  client.request('prompts', { run_id = view.run_id }, function(err, result)
    local win = api.nvim_get_current_win()
    if err then
      return message.error(err.message)
    elseif api.nvim_win_get_buf(win) ~= view.buf then
      return
    end
    -- Rows are counted upwards from the last one of the buffer.
    local last = api.nvim_buf_line_count(view.buf)
    local lines = {} ---@type integer[]
    local here = api.nvim_win_get_cursor(win)[1]
    local rows = result.rows ---@type integer[]
    for _, row in ipairs(rows) do
      local lnum = last - row
      if lnum >= 1 and (lnum - here) * direction > 0 then
        lines[#lines + 1] = lnum
      end
    end
    table.sort(lines, function(one, other)
      return (one - other) * direction < 0
    end)
    local target = lines[math.min(count, #lines)]
    if target then
      vim.cmd("normal! m'")
      api.nvim_win_set_cursor(win, { target, 0 })
    end
  end)
end

---@param direction -1|1
---@param default string the keys, for a host that knows no prompts
local function prompt(direction, default)
  local view = views.of_buf(api.nvim_get_current_buf())
  local count = vim.v.count1
  if view and view.run_id and capabilities.has('prompts', view.host) then
    go(view, direction, count)
  else
    vim.cmd.normal({ args = { count .. default }, bang = true })
  end
end

--- What `gx` does in any other buffer.
local function default_gx()
  for _, map in ipairs(api.nvim_get_keymap('n')) do
    if map.lhs == 'gx' then
      if map.callback then
        return map.callback()
      end
      return api.nvim_feedkeys(vim.keycode(map.rhs or ''), map.noremap == 1 and 'n' or 'm', false)
    end
  end
  vim.ui.open(vim.fn.expand('<cfile>') --[[@as string]])
end

local function open_link()
  local buf = api.nvim_get_current_buf()
  local view = views.of_buf(buf)
  if not view or not view.run_id or not capabilities.has('link', view.host) then
    return default_gx()
  end
  local lnum, byte = unpack(api.nvim_win_get_cursor(0))
  local before = api.nvim_get_current_line():sub(1, byte)
  local params = {
    run_id = view.run_id,
    row = api.nvim_buf_line_count(buf) - lnum,
    col = vim.fn.strdisplaywidth(before),
  }
  client.request('link', params, function(err, result)
    if err then
      message.error(err.message)
    elseif result.uri then
      -- What a link's text says need not be where it leads.
      message.info('opens ' .. result.uri)
      local _, why = vim.ui.open(result.uri)
      if why then
        message.error(why)
      end
    elseif api.nvim_get_current_buf() == buf then
      default_gx()
    end
  end)
end

--- Maps the keys in a run's buffer.
---@param buf integer
function M.map(buf)
  local function map(keys, desc, rhs)
    vim.keymap.set('n', keys, rhs, { buffer = buf, desc = desc })
  end
  map('[[', 'To the prompt above', function()
    prompt(-1, '[[')
  end)
  map(']]', 'To the prompt below', function()
    prompt(1, ']]')
  end)
  map('gx', 'Open the link under the cursor', open_link)
end

return M
