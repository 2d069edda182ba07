--- `calira report`: what a facility's bookings add up to. How each report is asked for and shown is in command/reports/, how it is
-- computed in report/.

local calira <const> = require "calira"
local core <const> = require "calira.core"
local csv <const> = require "calira.command.format.csv"
local files <const> = require "calira.command.support.files"
local json <const> = require "calira.command.format.json"
local options <const> = require "calira.command.support.options"
local scope <const> = require "calira.command.support.scope"
local status <const> = require "calira.command.support.status"
local tables <const> = require "calira.command.format.table"

local KINDS <const> = { "utilisation", "funding", "idle", "check" }

local M = {
  summary = "Report utilisation, funding, idle instruments, or bookings to look at.",
  description = "utilisation: how much of the bookable hours each instrument was booked for, beside the span before; of this month, if "
    .. "no other is said. funding: what bookings cost, by currency, funding code and project, summed exactly. idle: instruments without "
    .. "a booking. check: bookings that overlap on one instrument, and those without project, end or readable times. "
    .. "funding and check ask for each booking in detail.",
  values = KINDS,
}

function M.define(parser)
  parser:argument("kind", "Which report."):choices(KINDS):argname "REPORT"
  options.add_account(parser)
  options.add_span(parser)
  scope.add_status(parser)
  parser:option("--hours", "utilisation: the hours in which instruments can be booked, as 08:00-20:00; otherwise all."):argname "FROM-TO"
  parser:option("--days", "utilisation: the days, as Mon-Fri or Mon,Wed; otherwise all."):argname "DAYS"
  parser:option("--only", "check: only this: overlap, project, end or time. May be repeated. Without project no details are asked for.")
    :choices { "overlap", "project", "end", "time" }:count "*":argname "<overlap|project|end|time>"
  parser:flag("--exclude-parents", "utilisation, idle: leave out instruments that others are part of.")
  options.add_format(parser, { "table", "csv", "json" })
  parser:option("--html", "Write a page to this file instead."):argname "FILE"
end

-- ── Spans ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- The first instant of the month of an instant, and of the months beside it: `by` months on.
local function month_start(zone, epoch, by)
  local date = zone:date("*t", epoch)
  local month = date.year * 12 + date.month - 1 + by
  return zone:epoch(month // 12, month % 12 + 1, 1)
end

--- A span for people: `November 2026` where it is that month.
local function span_name(zone, from, to)
  if from and to and month_start(zone, from, 0) == from and month_start(zone, from, 1) == to then return zone:date("%B %Y", from) end
  local function day(epoch) return zone:date(zone:date("%H:%M:%S", epoch) == "00:00:00" and "%Y-%m-%d" or "%Y-%m-%d %H:%M", epoch) end
  if from and to then return ("%s to %s"):format(day(from), day(to)) end
  return from and "since " .. day(from) or to and "before " .. day(to) or "all time"
end

--- The span as long before, or the month before.
local function span_before(zone, from, to)
  if month_start(zone, from, 0) == from and month_start(zone, from, 1) == to then return month_start(zone, from, -1), from end
  return from - (to - from), from
end

-- ── What a report works with ──────────────────────────────────────────────────────────────────────────────────────────────────────

--- The facts of a run: `nodes`, `place` (their name), `from`, `to`, `statuses`, `doubts`; functions to read.
local Job = {}
Job.__index = Job
Job.month_start, Job.span_name, Job.span_before = month_start, span_name, span_before

local function new_job(arguments, context)
  local from, to = context.span(arguments)
  local nodes, place = scope.nodes(context)
  return setmetatable({
    arguments = arguments, context = context, zone = context.zone, nodes = nodes, place = place, from = from, to = to,
    statuses = scope.statuses(arguments), doubts = context.doubts, read = { bookings = 0, equipment = 0 },
  }, Job)
end

--- Reads the bookings that count. May wait.
---@param given table options of the list
function Job:bookings(given, found)
  given.where = function(b) return self.statuses:keep(b) end
  scope.each(self.context.client(), "bookings", self.nodes, given, function(b, node)
    self.read.bookings = self.read.bookings + 1
    found(b, node)
  end, self.doubts)
end

--- Reads the instruments. May wait.
function Job:equipment(found)
  local given <const> = { exclude_parents = self.arguments.exclude_parents or nil }
  scope.each(self.context.client(), "equipment", self.nodes, given, function(e, node)
    self.read.equipment = self.read.equipment + 1
    found(e, node)
  end, self.doubts)
end

--- Both at once. May wait.
function Job:both(given, booking, instrument)
  calira.gather { function() self:bookings(given, booking) end, function() self:equipment(instrument) end }
end

-- ── Writing ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- What the report was made of, for the foot of a page.
local function made_of(job)
  local zone, now = job.zone, os.time()
  local _, abbreviation = zone:offset(now)
  local read = ("%d bookings"):format(job.read.bookings)
  if job.read.equipment > 0 then read = read .. (" and %d instruments"):format(job.read.equipment) end
  return {
    ("Made on %s %s by calira %s from %s, with %d calls."):format(zone:date("%Y-%m-%d %H:%M", now), abbreviation, core.version, read,
      job.context.client():stats().calls),
    #job.doubts == 0 and "Complete: every page that the service gives was read, and the lists held still."
      or "Possibly incomplete: " .. table.concat(job.doubts, "; ") .. ".",
    ("Days and hours are those of %s."):format(zone.name),
  }
end

local function write_page(job, report)
  local parts = { job.name }
  parts[#parts + 1] = job.statuses:describe()
  local warnings = {}
  for _, line in ipairs(report.odd or {}) do warnings[#warnings + 1] = line end
  if #job.doubts > 0 then table.insert(warnings, 1, "Possibly incomplete: see below.") end
  files.replace(job.arguments.html, report.page {
    title = ("%s: %s"):format(report.title, job.place), subtitle = table.concat(parts, ", "), made = made_of(job), warnings = warnings,
  })
end

local function write_table(job, report)
  local out, mask = job.context.out, job.context.mask
  local head = { job.place, job.name }
  head[#head + 1] = job.statuses:describe()
  out:write(mask(table.concat(head, ", ")), ("  (%s)\n"):format(job.zone.name))
  for _, line in ipairs(report.lead or {}) do out:write(mask(line), "\n") end
  local writer = tables.open(job.context, report.columns)
  for _, row in ipairs(report.rows) do writer:write(row) end
  writer:finish()
  for _, line in ipairs(report.foot or {}) do out:write(mask(line), "\n") end
end

--- The rows alone, for programs: the fields of the report, or those of --fields.
local function write_rows(job, report, format)
  local names = job.arguments.fields or report.fields
  local writer
  if format == "json" then
    writer = json.open(job.context, names, false)
  else
    local columns = {}
    for i, name in ipairs(names) do columns[i] = { field = name } end
    writer = csv.open(job.context, columns, job.arguments.raw)
  end
  for _, row in ipairs(report.rows) do writer:write(row) end
  writer:finish()
end

--- Odd bookings, doubts and typos on stderr; the status that they give.
local function verdict(job, report)
  local note <const> = job.context.note
  if not job.arguments.html then
    for _, line in ipairs(report.odd or {}) do note(line) end
  end
  job.context.tell_doubts()
  local typo = job.statuses:typo()
  if typo then note(typo) end
  return #job.doubts > 0 and status.incomplete or typo and status.unmatched or status.right
end

function M.run(arguments, context)
  if arguments.html and arguments.format then status.raise(status.usage, "--html and --format do not go together") end
  local kind <const> = require("calira.command.reports." .. arguments.kind)
  local settings = kind.check and kind.check(arguments)
  local job = new_job(arguments, context)
  local report = kind.make(job, settings)
  if arguments.html then
    write_page(job, report)
    context.out:write(arguments.html, "\n")
  elseif not arguments.format or arguments.format == "table" then
    write_table(job, report)
  else
    write_rows(job, report, arguments.format)
  end
  return verdict(job, report)
end

return M
