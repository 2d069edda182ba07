--- The report on funding, as `calira report funding` asks for it and shows it. See report/funding.lua for what is computed.

local funding <const> = require "calira.report.funding"
local html <const> = require "calira.report.html"

local M = {}

local COLUMNS <const> = {
  { title = "CURRENCY", field = "currency" }, { title = "COST", kind = "number", value = function(r) return r.cost end },
  { title = "BOOKINGS", kind = "number", field = "bookings" }, { title = "FUNDING CODES", field = "funding_codes" },
  { title = "PROJECTS", field = "projects" },
}

local PAGE <const> = {
  { title = "Currency", field = "currency" }, { title = "Funding codes", field = "funding_codes" }, { title = "Projects", field = "projects" },
  { title = "Bookings", kind = "number", field = "bookings" }, { title = "Cost", kind = "number", field = "cost" },
}

--- Computes the report. May wait.
function M.make(job)
  local sum = funding.new()
  job.name = job.span_name(job.zone, job.from, job.to)
  job:bookings({ from = job.from, to = job.to, details = true }, function(b) sum:booking(b) end)
  local result = sum:result()
  local foot, figures = {}, {}
  for i, total in ipairs(result.totals) do
    foot[i] = ("%s %s in all"):format(total.currency, total.cost)
    figures[i] = { value = total.cost, text = total.currency .. " in all" }
  end
  return {
    title = "Funding", columns = COLUMNS, rows = result.rows, foot = foot, odd = result.odd,
    fields = { "currency", "cost", "bookings", "funding_codes", "projects" },
    page = function(about)
      about.body = html.figures(figures) .. "<h2>By funding code and project</h2>" .. html.table(PAGE, result.rows)
      table.insert(about.made, 2, "A booking of several codes counts once, under all of them: the service does not say how its cost is split.")
      return html.page(about)
    end,
  }
end

return M
