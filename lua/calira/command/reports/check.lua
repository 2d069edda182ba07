--- Bookings to look at, as `calira report check` asks for them and shows them. See report/check.lua for what is looked for.

local calira <const> = require "calira"
local check <const> = require "calira.report.check"
local html <const> = require "calira.report.html"

local M = {}

local COLUMNS <const> = {
  { title = "PROBLEM", field = "problem" }, { title = "ID", kind = "number", field = "id" }, { title = "WITH", kind = "number", field = "with" },
  { title = "START", field = "start_time", kind = "time" }, { title = "END", field = "end_time", kind = "time" },
  { title = "STATUS", field = "status" }, { title = "INSTRUMENT", field = "equipment" }, { title = "LAB", field = "lab" },
}

--- Which kinds were asked for; all where none is said.
function M.check(arguments)
  local kinds = {}
  for _, kind in ipairs(#(arguments.only or {}) > 0 and arguments.only or check.KINDS) do kinds[kind] = true end
  return kinds
end

local function page_columns(zone)
  local function moment(field)
    return function(r)
      local epoch = calira.time(r[field])
      return epoch and zone:date("%Y-%m-%d %H:%M", epoch) or r[field]
    end
  end
  return {
    { title = "Problem", field = "problem", small = function(r) return r.overlap_minutes and r.overlap_minutes .. " minutes" end },
    { title = "Booking", field = "id", small = function(r) return r.with and "with " .. tostring(r.with) end },
    { title = "Start", value = moment "start_time" }, { title = "End", value = moment "end_time" }, { title = "Status", field = "status" },
    { title = "Instrument", value = function(r) return r.equipment or "-" end, small = function(r) return r.lab end },
  }
end

--- Computes the report. May wait.
function M.make(job, kinds)
  local sum = check.new(kinds)
  job.name = job.span_name(job.zone, job.from, job.to)
  job:bookings({ from = job.from, to = job.to, details = kinds.project or nil }, function(b, node) sum:booking(b, node) end)
  local result = sum:result()
  local parts, figures, problems = {}, {}, {}
  for problem in pairs(result.counts) do problems[#problems + 1] = problem end
  table.sort(problems)
  for _, problem in ipairs(problems) do
    parts[#parts + 1] = ("%d %s"):format(result.counts[problem], problem)
    figures[#figures + 1] = { value = result.counts[problem], text = problem }
  end
  local found = ("%d bookings looked at: %s"):format(result.bookings, #parts > 0 and table.concat(parts, ", ") or "nothing to report")
  return {
    title = "Bookings to look at", columns = COLUMNS, rows = result.rows, foot = { found }, odd = {},
    fields = {
      "problem", "id", "with", "overlap_minutes", "status", "start_time", "end_time", "equipment_id", "equipment", "lab_id", "lab",
    },
    page = function(about)
      if #figures == 0 then figures[1] = { value = "0", text = "problems" } end
      about.body = html.figures(figures) .. "<h2>Which</h2>" .. html.table(page_columns(job.zone), result.rows)
      return html.page(about)
    end,
  }
end

return M
