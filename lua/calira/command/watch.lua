--- `calira watch`: tells of bookings that are new, have changed or are gone, again and again.

local calira <const> = require "calira"
local core <const> = require "calira.core"
local environment <const> = require "calira.api.environment"
local json <const> = require "calira.values.json"
local options <const> = require "calira.command.support.options"
local row <const> = require "calira.export.row"
local scope <const> = require "calira.command.support.scope"
local status <const> = require "calira.command.support.status"

local M = {
  summary = "Tell of bookings that are new, have changed or are gone.",
  description = "Reads the bookings again and again and writes a line for each that is new, has changed or is gone since the last look. "
    .. "What was seen is kept in a file, so that nothing is missed between two runs; the first look of all only fills it. An event is "
    .. "told again where its telling was interrupted or --exec failed. A booking is gone when it is missing after a reading of the "
    .. "whole list in which every lab of before was seen.",
}

function M.define(parser)
  options.add_account(parser)
  options.add_zone(parser)
  parser:option("--interval", "Seconds between the ends of two looks.", "60"):argname "SECONDS":convert(tonumber)
  parser:flag("--once", "Look once, and end.")
  parser:option("--state", "Where to keep what was seen. Otherwise a file in $XDG_STATE_HOME/calira, or ~/.local/state/calira.")
    :argname "FILE"
  parser:option("--exec", "For each event, run this shell command, with the event as JSON on its stdin."):argname "COMMAND"
  parser:option("--format", "How events are written."):choices { "table", "ndjson" }:argname "<table|ndjson>"
end

-- ── State ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- The file of the state, where none is named: one for each profile and account.
local function state_path(arguments, source)
  if arguments.state then return arguments.state end
  local folder = environment.variable "XDG_STATE_HOME" or environment.variable "HOME" and environment.variable "HOME" .. "/.local/state"
  if not folder then status.raise(status.usage, "there is no HOME to keep the state in: name a file with --state") end
  return ("%s/calira/watch-%s.json"):format(folder, source:gsub("[^%w]+", "-"))
end

--- What was seen: `bookings`, id as text → what a later event tells of it; `labs`, ids as texts. Nil where there is no file yet.
local function load_state(path, source)
  local file <close> = io.open(path, "rb")
  if not file then return nil end
  local state = core.decode(file:read "a" or "")
  if type(state) ~= "table" or type(state.bookings) ~= "table" then
    status.raise(status.failed, ("%s holds no state of 'calira watch'; remove it to begin anew"):format(path))
  end
  if state.source ~= source then
    status.raise(status.failed, ("%s is of another watch (%s): give this one a file of its own"):format(path, tostring(state.source)))
  end
  return state
end

local function save_state(path, state)
  local ok, message = core.write_private(path, json.encode(state))
  if not ok then status.raise(status.failed, ("%s: %s"):format(path, message)) end
end

--- What is kept of a booking: enough to tell that it changed, and to name it when it is gone.
local function kept_of(b, node)
  return {
    digest = row.digest(node)(json.encode(b)), id = b.id, status = b.status, start_time = b.start_time, end_time = b.end_time,
    equipment_id = b.equipment_id, equipment = type(b.equipment) == "table" and { name = b.equipment.name } or nil,
    lab_id = node and node.id, lab = node and node.name,
  }
end

-- ── Telling ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- A moment as the table shows it.
local function moment(context, value)
  local epoch = calira.time(value)
  return epoch and context.zone:date("%Y-%m-%d %H:%M", epoch) or value or "-"
end

local function write_line(context, event)
  local b = event.booking
  local equipment = type(b.equipment) == "table" and b.equipment.name
  context.out:write(context.mask(("%s  %-7s  %s  %s  %s  %s, %s"):format(context.zone:date("%H:%M:%S", os.time()), event.event,
    tostring(b.id), moment(context, b.start_time), tostring(b.status or "-"), tostring(equipment or "-"),
    tostring(event.lab and event.lab.name or "-"))), "\n")
end

--- Runs the command of --exec with an event; whether it succeeded. By a file: a pipe that the command does not read would end us.
local function run_command(command, text)
  local path <const> = os.tmpname()                                   -- made for us alone, mode 0600
  local file = io.open(path, "w")
  local ok = file and file:write(text, "\n") and file:close() and os.execute(("{ %s\n} <%s"):format(command, path))
  os.remove(path)
  return ok == true
end

--- Tells of an event; false where --exec failed.
local function tell(context, event)
  local text = json.encode(event)
  if context.arguments.format == "ndjson" then context.out:write(text, "\n") else write_line(context, event) end
  context.out:flush()
  local command <const> = context.arguments.exec
  if not command or run_command(command, text) then return true end
  context.note(("--exec failed for booking %s; it is told again at the next look"):format(tostring(event.booking.id)))
  return false
end

-- ── Looking ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local function lab_of(node)
  return node and { id = node.id, name = node.name } or nil
end

--- Tells of what is new or changed, and notes what is there. Returns the ids that were seen.
local function look_at_all(job, doubts)
  local seen, nameless = {}, 0
  scope.each(job.client, "bookings", job.nodes, nil, function(b, node)
    if not row.usable(b.id) then
      nameless = nameless + 1
      return
    end
    local key <const> = tostring(b.id)
    local now, before = kept_of(b, node), job.state.bookings[key]
    seen[key] = true
    if before and before.digest == now.digest then return end
    local event = { event = before and "changed" or "new", at = os.date "!%Y-%m-%dT%H:%M:%SZ", booking = b, lab = lab_of(node), before = before }
    if job.first or tell(job.context, event) then
      job.state.bookings[key] = now
      job.dirty = true
    end
  end, doubts)
  if nameless > 0 then doubts[#doubts + 1] = ("%d bookings have no id to know them by, and are not watched"):format(nameless) end
  return seen
end

--- The labs that are seen, as a set of ids, and an array of those of before that are not.
local function labs_now(job)
  local seen, lost, ids = {}, {}, {}
  for _, node in ipairs(job.nodes) do
    local inside = node.labs and job.context.tree and job.context.tree:labs(node) or { node }
    for _, lab in ipairs(inside) do
      seen[tostring(lab.id)] = true
      ids[#ids + 1] = tostring(lab.id)
    end
  end
  for _, id in ipairs(job.state.labs) do
    if not seen[tostring(id)] then lost[#lost + 1] = tostring(id) end
  end
  return ids, lost
end

--- Tells of what is gone, unless there is a doubt.
local function look_for_gone(job, seen)
  local keys = {}
  for key in pairs(job.state.bookings) do
    if not seen[key] then keys[#keys + 1] = key end
  end
  table.sort(keys)
  for _, key in ipairs(keys) do
    local before <const> = job.state.bookings[key]
    local event = { event = "gone", at = os.date "!%Y-%m-%dT%H:%M:%SZ", booking = before, lab = { id = before.lab_id, name = before.lab } }
    if tell(job.context, event) then
      job.state.bookings[key] = nil
      job.dirty = true
    end
  end
end

--- Looks once. What was told is kept, whatever happens. Returns a status.
local function look(job)
  local doubts = {}
  job.context.tree, job.context.doubts = nil, doubts                  -- labs come and go
  job.nodes = scope.nodes(job.context)
  local ids, lost = labs_now(job)
  if #lost > 0 then
    job.context.doubt(("lab %s is not visible any more; nothing counts as gone; to accept that, remove %s")
      :format(table.concat(lost, ", "), job.path))
  end
  local ok, seen = pcall(look_at_all, job, doubts)
  if ok and #doubts == 0 then
    ok, seen = pcall(look_for_gone, job, seen)
    job.dirty = job.dirty or #ids ~= #job.state.labs
    job.state.labs = ids
  end
  if ok or not job.first then
    if job.dirty or job.first then save_state(job.path, job.state) end
    job.dirty, job.first = false, false
  end
  if not ok then error(seen, 0) end
  return job.context.tell_doubts() and status.incomplete or status.right
end

--- Whether a failed look is followed by another: where the service or the network is at fault.
local PASSING <const> = { network = true, timeout = true, server = true, rate_limited = true, decode = true }

function M.run(arguments, context)
  if not arguments.interval or arguments.interval < 0 then status.raise(status.usage, "--interval takes seconds") end
  local named <const> = arguments.lab or arguments.under
  local profile <const> = arguments.profile or environment.variable "CALIRA_PROFILE"
  local source = (profile and "profile " .. profile .. ", " or "") .. (named and "under " .. context.account(named).id or "everything")
  local path = state_path(arguments, source)
  local state = load_state(path, source)
  local lock = core.try_lock(path .. ".lock")
  if not lock then status.raise(status.failed, ("%s is in use by another 'calira watch', or cannot be written"):format(path)) end
  local held <close> = lock
  local job = {
    context = context, client = context.client(), path = path, first = state == nil,
    state = state or { source = source, bookings = {}, labs = {} },
  }
  while true do
    local ok, result = pcall(look, job)
    if not ok and (arguments.once or not (calira.is_error(result) and PASSING[result.kind])) then error(result, 0) end
    if not ok then context.note(status.words(result) .. "; looking again later") end
    if arguments.once then return result end
    calira.sleep(arguments.interval)
  end
end

return M
