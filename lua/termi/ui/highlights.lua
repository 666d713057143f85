--- Highlight groups, linked to standard ones so that each colour scheme and background fits.
local M = {}

local LINKS = {
  TermiHeader = 'Title',
  TermiName = 'Directory',
  TermiGroup = 'Type',
  TermiHost = 'Constant',
  TermiDim = 'Comment',
  TermiKey = 'Special',
  TermiMarked = 'WarningMsg',
  TermiUnread = 'DiagnosticInfo',
  TermiActive = 'DiagnosticOk',
  TermiAttention = 'DiagnosticWarn',
  TermiSuccess = 'DiagnosticInfo',
  TermiFailure = 'DiagnosticError',
  TermiKilled = 'DiagnosticWarn',
  TermiWaiting = 'PmenuSel',
  TermiEnding = 'Comment',
  TermiEndingFailure = 'DiagnosticError',
}

--- Names the groups that a person has not set.
function M.define()
  for name, link in pairs(LINKS) do
    vim.api.nvim_set_hl(0, name, { link = link, default = true })
  end
end

return M
