--- `calira export`: keeps bookings in a file, and goes on where it was left.

local calira <const> = require "calira"
local core <const> = require "calira.core"
local export <const> = require "calira.export"
local files <const> = require "calira.values.files"
local fleet <const> = require "calira.command.support.fleet"
local scope <const> = require "calira.command.support.scope"
local options <const> = require "calira.command.support.options"
local status <const> = require "calira.command.support.status"

local M = {
  summary = "Keep bookings in an SQLite database, a CSV file or PostgreSQL.",
  description = "Writes all bookings to FILE.db (SQLite, table bookings, one row an id) or FILE.csv, page by page. It may be killed at any "
    .. "moment: the same command goes on where it was. Run again later, it writes what is new or changed; in a database, bookings that are "
    .. "gone get a time in gone_at, after a reading from the first page to the last in which every lab of before was seen. FILE.csv "
    .. "is replaced when the new one is whole; until then that is FILE.csv.part, and FILE.csv.cursor says how far it is. "
    .. "Into postgresql://… any number of workers export together, on any machines: each runs the same command, takes labs from a queue in "
    .. "the database, and may be killed at any moment. Views: bookings, instruments, funding, utilisation.",
}

local PATIENCE <const> = 600            -- seconds to wait for another export to the same file
local LOOK <const> = 0.25               -- seconds between two looks whether it is done

function M.define(parser)
  parser:argument("target", "FILE.db, FILE.csv or postgresql://…."):argname "TARGET"
  options.add_account(parser)
  parser:flag("--details", "Costs, projects and funding codes too: one more call for each booking that is new or has changed.")
  parser:option("--refetch", "With --details: ask for the details of all bookings again."):choices { "all" }:argname "<all>"
  parser:flag("--raw", "In csv, leave cells as they are that a spreadsheet would run as formulas, and control characters.")
  fleet.define(parser)
end

--- What is exported, for the file to remember: another export does not go into the same file.
local function source_of(arguments, nodes, target)
  local parts = {}
  local profile = arguments.profile or os.getenv "CALIRA_PROFILE"
  if profile and profile ~= "" then parts[#parts + 1] = "profile " .. profile end
  local named <const> = arguments.lab or arguments.under
  parts[#parts + 1] = named and ("under " .. tostring(nodes[1].id)) or "everything"
  if target:find "%.csv$" then
    if arguments.details then parts[#parts + 1] = "details" end
    if arguments.raw then parts[#parts + 1] = "raw" end
  end
  return (table.concat(parts, ", "):gsub("%c", "?"))
end

--- Where the file is: behind a link, so that two names of it have one lock. In a folder that is there.
local function place_of(target)
  local place, kind = files.resolve(target)
  if not place then status.raise(status.failed, ("%s: %s"):format(target, kind)) end
  if kind == "directory" then status.raise(status.failed, target .. ": it is a folder") end
  local folder <const> = place:match "^(.*/)[^/]*$" or "."
  if core.file_type(folder) ~= "directory" then status.raise(status.failed, ("%s: there is no folder %s"):format(target, folder)) end
  return place
end

--- The lock of the file, held until it is closed. Waits while another export has it.
local function lock_of(context, target)
  local late, told = core.now() + PATIENCE, false
  while true do
    local lock, message = core.try_lock(target .. ".lock")
    if lock then return lock end
    if lock == nil then status.raise(status.failed, ("%s.lock: %s"):format(target, message)) end
    if core.now() > late then status.raise(status.failed, ("another export to %s has not ended"):format(target)) end
    if not told then context.note(("another export to %s is running; waiting until it ends"):format(target)) end
    told = true
    calira.sleep(LOOK)
  end
end

--- A line on the terminal that says how far it is; nil where there is none.
local function progress_of(context)
  local kind = os.getenv "TERM"
  if not context.is_terminal(2) or kind == nil or kind == "" or kind == "dumb" then return nil end
  return function(list, counts)
    local received, total = list:progress()
    context.err:write(("\r\27[K%d%s bookings, %d details"):format(received, total and " of " .. total or "", counts.details))
    context.err:flush()
  end
end

local function counted(count, one, many)
  return ("%d %s"):format(count, count == 1 and one or many or one .. "s")
end

local function summary(context, target, result, details)
  local counts <const> = result.counts
  local line = ("%s: %s: %d new, %d changed, %d as before"):format(
    target, counted(result.rows, "booking"), counts.new, counts.changed, counts.same)
  if counts.without_id > 0 then line = line .. ", " .. counts.without_id .. " without an id" end
  if result.gone > 0 then line = line .. ", " .. result.gone .. " marked as gone" end
  if counts.vanished > 0 then line = line .. ", " .. counts.vanished .. " gone while it ran" end
  context.out:write(context.mask(line), "\n", ("cost: %s (%s%s)\n"):format(counted(context.client():stats().calls, "call"),
    counted(result.pages or 0, "page"), details and ", " .. counted(counts.details, "booking") .. " in detail" or ""))
end

--- Why something may be missing, on stderr; the status that this gives.
local function doubts_of(context, result)
  local code = status.right
  if result.drift then
    context.note("possibly incomplete: " .. status.words(result.drift))
    code = status.incomplete
  end
  for _, doubt in ipairs(result.doubts) do
    context.note("nothing was marked as gone: " .. doubt.text)
    if doubt.serious then code = status.incomplete end
  end
  if #result.doubts == 0 and result.unseen > 0 then
    context.note(("possibly incomplete: the service counts %d more than it shows"):format(result.unseen))
    code = status.incomplete
  end
  local nameless <const> = result.counts.without_id
  if nameless > 0 then
    if #result.doubts == 0 then context.note(("%d came without an id: another run cannot know them again"):format(nameless)) end
    code = status.incomplete
  end
  return code
end

function M.run(arguments, context)
  local target <const> = arguments.target
  if arguments.refetch and not arguments.details then status.raise(status.usage, "--refetch goes with --details") end
  if fleet.is_target(target) then
    local nodes = scope.nodes(context)
    return fleet.run(arguments, context, source_of(arguments, nodes, target), nodes, progress_of(context))
  end
  if arguments.shard or arguments.run then status.raise(status.usage, "--shard and --run go with postgresql://…") end
  local kind, message = export.kind(target)
  if not kind then status.raise(status.usage, message) end
  local place <const> = place_of(target)
  local nodes = scope.nodes(context)
  local lock <close> = lock_of(context, place)
  local client <const> = context.client()
  local writer = export.open(target, {
    source = source_of(arguments, nodes, target), details = arguments.details, raw = arguments.raw,
  })
  local ok, result = pcall(export.run, {
    client = client, writer = writer, nodes = nodes, details = arguments.details, refetch = arguments.refetch ~= nil,
    list = scope.list, whole = not (arguments.lab or arguments.under), on_page = progress_of(context),
  })
  writer:close()
  if context.is_terminal(2) and progress_of(context) then context.err:write "\r\27[K" end
  if not ok then
    context.note(("what came is kept in %s; the same command goes on there"):format(target))
    error(result, 0)
  end
  summary(context, target, result, arguments.details)
  return doubts_of(context, result)
end

return M
