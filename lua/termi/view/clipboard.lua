--- The clipboard for programs (OSC 52): what they copy goes to a register; whether they may paste, a person says.
---
--- A program may ask at any moment, so that its request opens nothing that takes keys: there is a notice, and the
--- person answers with a command. A program that no window shows gets nothing.
local client = require('termi.rpc.client')
local config = require('termi.config')
local message = require('termi.ui.message')
local routing = require('termi.rpc.routing')
local run_state = require('termi.model.run_state')
local sessions = require('termi.model.sessions')
local size = require('termi.view.size')
local views = require('termi.model.views')

local M = {}

--- How long a request waits for a person: longer than programs wait for the answer, which arrives as if typed.
M.LIFETIME_MS = 30000

---@class termi.ClipboardRequest
---@field event termi.proto.RunEvent

local pending = {} ---@type table<string, termi.ClipboardRequest> by run, one each
local order = {} ---@type string[] of those runs, the last one to ask at the end
---@type table<string, 'allow'|'deny'> by run: what a person has said for good
local answers = {}
local told = {} ---@type table<string, true> runs of which it was said that no window shows them

---@param event termi.proto.RunEvent
---@return string
local function register(event)
  return event.selection == 'primary' and '*' or '+'
end

---@param event termi.proto.RunEvent
---@return string
local function name_of(event)
  return routing.named(event.session_name or event.session_id, event.host)
end

--- A program copies.
---@param event termi.proto.RunEvent
function M.copy(event)
  if not config.get().clipboard.copy or type(event.data) ~= 'string' then
    return
  end
  -- Without a provider for the clipboard, Neovim keeps such a register's text in none.
  local name = vim.fn.has('clipboard') == 1 and register(event) or '"'
  vim.fn.setreg(name, event.data)
end

---@param event termi.proto.RunEvent
---@param is_allowed boolean
local function answer(event, is_allowed)
  local data ---@type string?
  if is_allowed then
    data = vim.fn.getreg(vim.fn.has('clipboard') == 1 and register(event) or '"') --[[@as string]]
  end
  if client.running(event.host) then
    local params = { run_id = event.run_id, request = event.request, data = data }
    client.request('clipboard', params, function(err)
      if err and is_allowed then
        message.error(('%s cannot read the clipboard: %s'):format(name_of(event), err.message))
      end
    end)
  end
end

local CHOICES = {
  { text = 'No', allowed = false },
  { text = 'Yes, this once', allowed = true },
  { text = 'Always for this program', allowed = true, for_good = 'allow' },
  { text = 'Never for this program', allowed = false, for_good = 'deny' },
}

--- A run's request waits no longer.
---@param run_id string
---@return termi.ClipboardRequest?
local function take(run_id)
  local request = pending[run_id]
  pending[run_id] = nil
  order = vim.tbl_filter(function(other)
    return other ~= run_id
  end, order)
  return request
end

---@param event termi.proto.RunEvent
local function deny_unseen(event)
  answer(event, false)
  if not told[event.run_id] then
    told[event.run_id] = true
    message.aside(('%s was denied your clipboard: no window shows it'):format(name_of(event)))
  end
end

--- A program wants to paste. While a person is asked, its further requests are refused.
---@param event termi.proto.RunEvent
function M.asked(event)
  local policy = config.get().clipboard.paste
  local said = answers[event.run_id]
  if policy ~= 'ask' or said then
    return answer(event, (policy == 'ask' and said or policy) == 'allow')
  elseif pending[event.run_id] then
    return answer(event, false)
  end
  local its = views.of_run(event.run_id)
  if not its or not size.is_seen(its.buf) then
    return deny_unseen(event)
  end
  local request = { event = event } ---@type termi.ClipboardRequest
  pending[event.run_id] = request
  order[#order + 1] = event.run_id
  vim.defer_fn(function()
    if pending[event.run_id] == request then
      take(event.run_id)
      answer(event, false)
    end
  end, M.LIFETIME_MS)
  -- The notice may be overlooked; the list and the status line go on to say that it waits.
  if vim.api.nvim_get_current_buf() ~= its.buf then
    run_state.wants_attention(event.run_id, 'wants to read your clipboard')
  end
  message.aside(('%s wants to read your clipboard; :Termi clipboard answers'):format(name_of(event)))
end

--- The run has ended: nobody waits for an answer.
---@param run_id string
function M.ended(run_id)
  take(run_id)
end

---@param run_id string
function M.forget(run_id)
  take(run_id)
  answers[run_id], told[run_id] = nil, nil
end

--- The sessions that wait for an answer, the last one to ask first.
---@return string[]
function M.names()
  local names = {} ---@type string[]
  for _, run_id in ipairs(vim.iter(order):rev():totable()) do
    local name = name_of(pending[run_id].event)
    if not vim.tbl_contains(names, name) then
      names[#names + 1] = name
    end
  end
  return names
end

--- The request that a person means: of a target, of the current buffer's run, or else the last one.
---@param target string '': none
---@return termi.ClipboardRequest?
local function find(target)
  if target ~= '' then
    for _, row in ipairs(sessions.resolve(target)) do
      if pending[row.process.run_id] then
        return pending[row.process.run_id]
      end
    end
    return nil
  end
  local here = views.run_of()
  return here and pending[here.run_id] or pending[order[#order]]
end

--- Asks the person whether a program gets the clipboard that it has asked for. Raises when none waits for it.
---@param target string '': the current buffer's run, or else the last one to ask
function M.choose(target)
  local request = find(target)
  if not request then
    local who = target ~= '' and ('`%s` is not waiting'):format(target) or 'no program waits'
    message.fail('%s for your clipboard. A request expires after %d s.', who, M.LIFETIME_MS / 1000)
  end
  ---@cast request -?
  local event = request.event
  vim.ui.select(CHOICES, {
    prompt = ('%s wants to read your clipboard:'):format(name_of(event)),
    kind = 'termi.clipboard',
    format_item = function(choice)
      return choice.text
    end,
  }, function(choice)
    answers[event.run_id] = choice and choice.for_good
    if pending[event.run_id] ~= request then
      return message.info(('%s is no longer waiting for your clipboard'):format(name_of(event)))
    end
    take(event.run_id)
    answer(event, choice ~= nil and choice.allowed)
  end)
end

return M
