--- Registry of the views that exist, by buffer and by run.
local M = {}

---@class termi.View
---@field buf integer
---@field host string where its run is; '' is this machine
---@field chan integer of nvim_open_term
---@field run_id? string nil until the host has answered
---@field id? integer what the host calls it, and its frames
---@field session_id? string
---@field session_name? string
---@field size termi.proto.Size as the host knows it
---@field seen boolean whether a window shows it, as the host knows it
---@field held? boolean whether everybody who sees it reads in it, as the host knows it
---@field waiting_rows? integer rows that the host has for it while it is held
---@field skipped_rows? integer rows that it lacks above its screen while it is held
---@field ended boolean
---@field away? boolean it is to be attached again when a window shows it
---@field unattached? boolean the connection was made again after its run had ended: a restart attaches it
---@field lost? boolean the host has ended, and perhaps the run with it
---@field written? boolean a frame was written into it

local by_buf = {} ---@type table<integer, termi.View>
local by_run = {} ---@type table<string, termi.View>
--- Each host counts its views for itself.
local by_id = {} ---@type table<string, termi.View>
local last_buf ---@type integer? of the view used last

---@param host string
---@param id integer
---@return string
local function key(host, id)
  return host .. ':' .. id
end

---@param view termi.View
function M.add(view)
  by_buf[view.buf] = view
  if view.run_id then
    by_run[view.run_id] = view
  end
  if view.id then
    by_id[key(view.host, view.id)] = view
  end
end

---@param view termi.View
function M.forget_id(view)
  local its = view.id and key(view.host, view.id)
  if its and by_id[its] == view then
    by_id[its] = nil
  end
end

--- Takes what the host calls a view, by which its frames come: another id once it is attached again. The buffer keeps
--- it for a reload of the plugin.
---@param view termi.View
---@param id? integer
function M.name(view, id)
  M.forget_id(view)
  view.id = id
  M.add(view)
  vim.b[view.buf].termi_view = id
end

---@param view termi.View
function M.remove(view)
  by_buf[view.buf] = nil
  if view.run_id and by_run[view.run_id] == view then
    by_run[view.run_id] = nil
  end
  M.forget_id(view)
  if last_buf == view.buf then
    last_buf = nil
  end
end

---@param view termi.View
function M.used(view)
  last_buf = view.buf
end

---@param buf integer
---@return termi.View?
function M.of_buf(buf)
  return by_buf[buf]
end

--- The run of a buffer.
---@param buf? integer default: the current one
---@return { session_id: string, run_id: string, host?: string }?
function M.run_of(buf)
  return vim.b[buf or 0].termi
end

---@param run_id? string
---@return termi.View?
function M.of_run(run_id)
  local view = run_id and by_run[run_id]
  return view and vim.api.nvim_buf_is_valid(view.buf) and view or nil
end

--- The view that a frame is for, of the host that sends it. A frame that begins a view names its run too.
---@param frame termi.proto.Frame
---@param host string
---@return termi.View?
function M.of_frame(frame, host)
  local view = frame.run_id and M.of_run(frame.run_id) or by_id[key(host, frame.view_id)]
  return view and view.host == host and vim.api.nvim_buf_is_valid(view.buf) and view or nil
end

--- The view used last, else any.
---@return termi.View?
function M.last()
  return by_buf[last_buf or -1] or select(2, next(by_buf))
end

---@return termi.View[]
function M.all()
  return vim.tbl_values(by_buf)
end

return M
