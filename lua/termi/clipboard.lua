--- The clipboard for programs (OSC 52): what they copy goes to a register; whether they may paste, a person says.
local client = require('termi.client')
local config = require('termi.config')
local message = require('termi.message')

local M = {}

---@type table<string, 'allow'|'deny'|'asked'> by run: what a person has said for good, or is just being asked
local answers = {}

---@param event termi.proto.RunEvent
---@return string
local function register(event)
  return event.selection == 'primary' and '*' or '+'
end

---@param event termi.proto.RunEvent
---@return string
local function name_of(event)
  return require('termi.origin').named(event.session_name or event.session_id, event.host)
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
        message.error(('%s does not get the clipboard: %s'):format(name_of(event), err.message))
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

--- A program wants to paste. While a person is asked, its further requests are refused.
---@param event termi.proto.RunEvent
function M.asked(event)
  local policy = config.get().clipboard.paste
  local said = answers[event.run_id]
  if policy ~= 'ask' or said then
    return answer(event, (policy == 'ask' and said or policy) == 'allow')
  end
  answers[event.run_id] = 'asked'
  vim.ui.select(CHOICES, {
    prompt = ('%s wants to read your clipboard:'):format(name_of(event)),
    kind = 'termi.clipboard',
    format_item = function(choice)
      return choice.text
    end,
  }, function(choice)
    answers[event.run_id] = choice and choice.for_good
    answer(event, choice ~= nil and choice.allowed)
  end)
end

return M
