--- The report on idle instruments, as `calira report idle` asks for it and shows it. See report/idle.lua for what is computed.

local html <const> = require "calira.report.html"
local idle <const> = require "calira.report.idle"

local M = {}

local COLUMNS <const> = {
  { title = "ID", kind = "number", field = "id" }, { title = "INSTRUMENT", field = "name" }, { title = "LAB", field = "lab" },
}

local PAGE <const> = {
  { title = "Instrument", value = function(i) return i.name or "-" end, small = function(i) return i.lab end },
  { title = "Id", kind = "number", field = "id" },
}

--- Computes the report. May wait.
function M.make(job)
  local sum = idle.new()
  job.name = job.span_name(job.zone, job.from, job.to)
  job:both({ from = job.from, to = job.to }, function(b) sum:booking(b) end, function(e, node) sum:instrument(e, node) end)
  local result = sum:result()
  local found = ("%d of %d instruments have no booking"):format(#result.rows, result.instruments)
  return {
    title = "Idle instruments", columns = COLUMNS, rows = result.rows, foot = { found }, odd = result.odd,
    fields = { "id", "name", "lab_id", "lab" },
    page = function(about)
      local figure = { value = ("%d of %d"):format(#result.rows, result.instruments), text = "instruments have no booking" }
      about.body = html.figures { figure } .. "<h2>Which</h2>" .. html.table(PAGE, result.rows)
      return html.page(about)
    end,
  }
end

return M
