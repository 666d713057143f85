--- The text of a run in an ordinary buffer, with its colours: as of now, or kept up to date. And the host's log.
local ansi_highlights = require('termi.ui.ansi_highlights')
local client = require('termi.rpc.client')
local format = require('termi.core.format')
local message = require('termi.ui.message')
local sessions = require('termi.model.sessions')

local api = vim.api
local M = {}

local namespace = api.nvim_create_namespace('termi.transcript')

--- More than any transcript has.
local ALL_LINES = 10000000

--- How long one part of the work on a large transcript takes: it is not felt.
local SLICE_MS = 8

--- How often a transcript that follows its run looks for more, while a window shows it.
local FOLLOW_MS = 500

--- Calls `step` with 1, 2, … up to `last`, in parts that leave the editor free between them.
---@param last integer
---@param step fun(number: integer)
---@param is_wanted fun(): boolean
local function in_slices(last, step, is_wanted)
  local number = 0
  local function slice()
    if not is_wanted() then
      return
    end
    local ends = vim.uv.hrtime() + SLICE_MS * 1e6
    while number < last and vim.uv.hrtime() < ends do
      number = number + 1
      step(number)
    end
    if number < last then
      vim.defer_fn(slice, 1)
    end
  end
  slice()
end

---@param snapshot termi.proto.SnapshotResult
---@return termi.proto.SpanLine[]
local function lines_of(snapshot)
  local lines = snapshot.lines --[[@as termi.proto.SpanLine[] ]]
  while lines[#lines] and not lines[#lines].text:find('%S') do
    table.remove(lines)
  end
  if snapshot.truncated_bytes > 0 then
    local cut = format.bytes(snapshot.truncated_bytes)
    local text = ('── %s of older output is no longer kept ──'):format(cut)
    table.insert(lines, 1, { text = text, spans = { { start = 0, ['end'] = #text, dim = true } } })
  end
  return lines
end

---@class termi.Transcript
---@field buf integer
---@field lines termi.proto.SpanLine[]
---@field version integer

---@param one termi.proto.SpanLine
---@param other termi.proto.SpanLine
---@return boolean
local function same(one, other)
  return one.text == other.text and vim.deep_equal(one.spans, other.spans)
end

--- Brings the buffer to these lines: what differs is written, and then coloured in parts.
---@param its termi.Transcript
---@param lines termi.proto.SpanLine[]
local function write(its, lines)
  local buf, old = its.buf, its.lines
  local first = 1
  while old[first] and lines[first] and same(old[first], lines[first]) do
    first = first + 1
  end
  if first > #old and first > #lines and #old > 0 then
    return
  end
  local at_end = {} ---@type table<integer, vim.fn.winsaveview.ret|false>
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    local is_at_end = api.nvim_win_get_cursor(win)[1] >= api.nvim_buf_line_count(buf)
    at_end[win] = not is_at_end and api.nvim_win_call(win, vim.fn.winsaveview)
  end
  local texts = {} ---@type string[]
  for number = first, #lines do
    texts[#texts + 1] = (lines[number].text:gsub('\n', ' '))
  end
  api.nvim_buf_clear_namespace(buf, namespace, first - 1, -1)
  vim.bo[buf].modifiable = true
  api.nvim_buf_set_lines(buf, first - 1, -1, false, texts)
  vim.bo[buf].modified = false
  its.lines = lines
  its.version = its.version + 1
  for win, view in pairs(at_end) do
    if view then
      api.nvim_win_call(win, function()
        vim.fn.winrestview(view)
      end)
    else
      api.nvim_win_set_cursor(win, { api.nvim_buf_line_count(buf), 0 })
    end
  end
  local version = its.version
  in_slices(#lines - first + 1, function(number)
    local row = first + number - 2
    for _, span in ipairs(lines[row + 1].spans) do
      -- The person may have changed the text meanwhile.
      pcall(api.nvim_buf_set_extmark, buf, namespace, row, span.start, {
        end_col = span['end'],
        hl_group = ansi_highlights.group(span),
        url = span.link,
        priority = 50,
      })
    end
  end, function()
    return api.nvim_buf_is_valid(buf) and its.version == version
  end)
end

---@param run_id string
---@param on_result fun(snapshot: termi.proto.SnapshotResult)
local function fetch(run_id, on_result)
  local params = { run_id = run_id, format = 'spans', scrollback = ALL_LINES }
  client.request('snapshot', params, function(err, snapshot)
    if not err then
      on_result(snapshot)
    end
  end)
end

--- Looks for more, now and then, until the buffer is gone or the run has ended.
---@param its termi.Transcript
---@param row termi.Row
local function keep_up(its, row)
  local bytes = -1
  local function look()
    if not api.nvim_buf_is_valid(its.buf) then
      return
    end
    if not client.running(row.session.host) or #vim.fn.win_findbuf(its.buf) == 0 then
      return vim.defer_fn(look, FOLLOW_MS)
    end
    client.request('sessions', {}, function(err, all)
      local session = not err and all[row.session_id]
      for _, process in ipairs(session and session.processes or {}) do
        if process.run_id == row.process.run_id then
          if process.bytes ~= bytes then
            bytes = process.bytes
            fetch(process.run_id, function(snapshot)
              if api.nvim_buf_is_valid(its.buf) then
                write(its, lines_of(snapshot))
              end
            end)
          end
          if process.status == 'active' then
            vim.defer_fn(look, FOLLOW_MS)
          end
        end
      end
    end, row.session.host or '')
  end
  look()
end

--- A directory as an item of 'path'. A program says where it is (OSC 7): what stands there for many directories, such
--- as `**`, upward ones or a variable is left out, for |gf| would search them all.
---@param cwd string
---@return string?
local function searchable(cwd)
  if not vim.startswith(cwd, '/') or cwd:find('[%c*?;$`%[%]{}~]') then
    return nil
  end
  return (cwd:gsub('[ ,\\]', '\\%0'))
end

--- Opens the whole text of a run in a scratch buffer: as of now, which it says, or kept up to date.
---@param target string
---@param opts? { follow?: boolean }
function M.open(target, opts)
  local follow = opts and opts.follow or false
  local row = sessions.resolve_one(target)
  local params = { run_id = row.process.run_id, format = 'spans', scrollback = ALL_LINES }
  local snapshot = client.call('snapshot', params) ---@type termi.proto.SnapshotResult
  local taken = tostring(os.date('%H:%M:%S'))
  vim.cmd('botright new')
  local buf = api.nvim_get_current_buf()
  vim.bo[buf].buftype = 'nofile'
  vim.bo[buf].bufhidden = 'wipe'
  vim.bo[buf].swapfile = false
  -- Names of files are the program's: relative to where it is.
  local cwd = searchable(row.process.cwd) or searchable(row.session.cwd)
  if cwd then
    vim.bo[buf].path = cwd .. ',' .. vim.go.path
  end
  local its = { buf = buf, lines = {}, version = 0 } ---@type termi.Transcript
  write(its, lines_of(snapshot))
  vim.bo[buf].filetype = 'termi-transcript'
  local name = ('termi-transcript://%s/%s'):format(
    require('termi.rpc.routing').named(row.session.name, row.session.host),
    follow and 'following' or taken
  )
  pcall(api.nvim_buf_set_name, buf, name)
  vim.bo[buf].modified = false
  local last = api.nvim_buf_line_count(buf)
  api.nvim_win_set_cursor(0, { last, 0 })
  if follow then
    return keep_up(its, row)
  end
  require('termi.ui.highlights').define()
  local text = ('[As of %s]'):format(taken)
  api.nvim_buf_set_extmark(buf, api.nvim_create_namespace('termi.transcript.end'), last - 1, 0, {
    virt_lines = { { { text, 'TermiEnding' } } },
  })
  vim.fn.winrestview({ topline = math.max(1, last - api.nvim_win_get_height(0) + 2) })
end

--- Opens the host's log at its end.
function M.open_log()
  local path = client.log_path()
  if not vim.uv.fs_stat(path) then
    message.fail('there is no log at %s yet. :TermiRun starts the host, which writes it.', path)
  end
  vim.cmd('botright split')
  vim.cmd.view(vim.fn.fnameescape(path))
  vim.bo.autoread = true
  vim.cmd.normal({ args = { 'G' }, bang = true })
end

return M
