--- Templates of runs: those of `setup()`, and those of the project's `.termi.json` when a person trusts that file. The
--- host keeps and starts them; what is said here of its methods is in this module only.
local capabilities = require('termi.rpc.capabilities')
local client = require('termi.rpc.client')
local config = require('termi.config')
local errors = require('termi.core.errors')
local format = require('termi.core.format')
local message = require('termi.ui.message')

local M = {}

local FILE = '.termi.json'

local known = {} ---@type table<string, table> as sent last

--- A table of Lua that has no keys would travel as a list.
---@param templates table<string, table>
---@return table
local function as_map(templates)
  local map = vim.empty_dict()
  for name, template in pairs(templates) do
    map[name] = next(template) and template or vim.empty_dict()
  end
  return map
end

--- The project's file: of the current directory, or of the nearest folder above it that has one.
---@return string? path
function M.file()
  return vim.fs.find(FILE, { upward = true, type = 'file', path = vim.fn.getcwd() })[1]
end

--- The templates of the project's file; a person is asked first whether it is to be trusted (|vim.secure.read()|).
---@return table<string, table>
---@return string? distrusted the file, when it was not read for that
local function of_project()
  local path = M.file()
  if not path then
    return {}
  end
  local text = vim.secure.read(path)
  if type(text) ~= 'string' then
    return {}, vim.fn.fnamemodify(path, ':~:.')
  end
  return client.call('parse_templates', { text = text, path = path }).templates
end

--- What a template comes after.
---@param template table
---@return string[]
local function leaders(template)
  local after = template.after or {}
  local list = vim.islist(after) and after or { after }
  return vim.tbl_map(function(one)
    return type(one) == 'table' and one.template or nil
  end, list)
end

--- Leaves out what comes after a template that is left out: it could never be started.
---@param templates table<string, table>
local function leave_out_followers(templates)
  local faulty = config.faulty_templates
  local again = next(faulty) ~= nil
  while again do
    again = false
    for name, template in pairs(templates) do
      for _, leader in ipairs(leaders(template)) do
        if faulty[leader] and not templates[leader] then
          faulty[name] = ('it comes after `%s`, which is left out'):format(leader)
          templates[name], again = nil, true
        end
      end
    end
  end
end

--- Makes all templates known to the host, in place of those it knew.
---@return table<string, table>
---@return string? distrusted the project's file, when it is left out
function M.sync()
  capabilities.need('templates', 'a template')
  local templates = vim.tbl_extend('force', {}, config.get().templates)
  local its, distrusted = of_project()
  for name, template in pairs(its) do
    templates[name] = template
  end
  leave_out_followers(templates)
  client.call('templates', { set = as_map(templates), replace = true })
  known = templates
  return templates, distrusted
end

---@param file string
---@param again string what to do once it is trusted
local function distrust(file, again)
  message.fail('%s is not trusted: `:trust` it and %s.', file, again)
end

--- Makes all templates known to the host. Raises when there is none of that name.
---@param name string
function M.need(name)
  local templates, distrusted = M.sync()
  if not templates[name] then
    local fault = config.faulty_templates[name]
    if fault then
      message.fail('the template `%s` is left out: %s. See :help termi-templates', name, fault)
    elseif distrusted then
      distrust(distrusted, 'try again')
    end
    local names = vim.tbl_keys(templates)
    table.sort(names)
    message.fail('%s', errors.none_of('template', name, names, 'termi-templates'))
  end
end

--- Names for completion: those of `setup()`, and of the project's file once that was read.
---@return string[]
function M.names()
  local names = vim.tbl_keys(vim.tbl_extend('force', {}, config.get().templates, known))
  table.sort(names)
  return names
end

--- Groups for completion.
---@return string[]
function M.groups()
  local found = {} ---@type table<string, true>
  for _, template in pairs(vim.tbl_extend('force', {}, config.get().templates, known)) do
    if type(template.group) == 'string' then
      found[template.group] = true
    end
  end
  local groups = vim.tbl_keys(found)
  table.sort(groups)
  return groups
end

---@param failed { template: string, error: termi.proto.Error }[]
local function complain(failed)
  local texts = vim.tbl_map(function(failure)
    return ('%s was not started: %s'):format(failure.template, errors.of(failure.error))
  end, failed)
  message.error(table.concat(texts, '\n'))
end

--- Raises when there are none.
---@param again string the command
---@param templates table<string, table>
---@param distrusted? string
---@return string? distrusted
local function some(again, templates, distrusted)
  if next(templates) then
    return distrusted
  elseif distrusted then
    distrust(distrusted, again .. ' again')
  end
  message.fail('there are no templates: none in setup(), no %s. :help termi-templates', FILE)
end

--- Starts the templates of a group, or all, each after what it is to come after. The editor goes on meanwhile.
---@param group? string
function M.up(group)
  capabilities.need('up', ':Termi up')
  local distrusted = some(':Termi up', M.sync())
  message.info('starting …')
  client.request('up', { group = group }, function(err, result)
    vim.schedule(function()
      if err then
        return message.error(errors.of(err))
      end
      local names = vim.tbl_map(function(started)
        return started.template
      end, result.started)
      local parts = {} ---@type string[]
      if #names > 0 then
        parts[#parts + 1] = 'started ' .. table.concat(names, ', ')
      end
      if #result.running > 0 then
        parts[#parts + 1] = table.concat(result.running, ', ')
          .. (#result.running == 1 and ' runs' or ' run')
          .. ' already'
      end
      if distrusted then
        parts[#parts + 1] = distrusted .. ' is not trusted'
      end
      local left_out = vim.tbl_keys(config.faulty_templates)
      if #left_out > 0 then
        table.sort(left_out)
        parts[#parts + 1] = 'left out for mistakes: ' .. table.concat(left_out, ', ')
      end
      if #result.failed > 0 then
        complain(result.failed)
      elseif #parts > 0 then
        message.info(table.concat(parts, '; '))
      end
    end)
  end)
end

--- Ends the runs of the templates of a group, or of all, the last started first.
---@param group? string
function M.down(group)
  capabilities.need('down', ':Termi down')
  if not next(known) then
    some(':Termi down', M.sync())
  end
  client.request('down', { group = group }, function(err, result)
    vim.schedule(function()
      if err then
        return message.error(errors.of(err))
      elseif result.total == 0 then
        return message.info('none of the templates is running.')
      end
      local text = 'Killed %d/%d processes of %s'
      local of = #result.templates > 0 and table.concat(result.templates, ', ')
      message.info(text:format(result.killed, result.total, of or format.count(result.total, 'template', 'templates')))
    end)
  end)
end

return M
