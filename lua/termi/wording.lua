--- The host's errors in this plugin's words. The host speaks to any client, so where it points to a method, a person
--- here is pointed to a command. By the error's code and data, never by its text.
local M = {}

---@param err termi.proto.Error
---@return string
function M.of(err)
  local data = err.data
  if err.code == 'not_found' and type(data) == 'table' and data.kind and data.name then
    if data.kind == 'group' then
      return ('no session is in the group `%s`. :TermiSessions lists them.'):format(data.name)
    end
    return ('there is no %s `%s`. :TermiSessions lists them.'):format(data.kind, data.name)
  end
  return err.message
end

return M
