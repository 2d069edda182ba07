-- Sums what bookings cost, by project and funding code.
-- Usage: lua5.4 examples/funding.lua ACCOUNT [--from TIME] [--to TIME] [--except-status STATUS...]

local argparse = require "argparse"
local calira = require "calira"
local progress = require "calira.progress"

local parser = argparse("funding.lua", "Sums what bookings cost, by project and funding code, exactly. "
  .. "A booking of several codes counts once, under all of them joined, since the API does not say how its cost is split.")
parser:argument("account", "The provider: an organisation, a department or a lab, by its id, its name or its path.")
parser:option("--from", "Only what ends after this time (a date is its midnight UTC)."):argname "TIME"
parser:option("--to", "Only what starts before this time."):argname "TIME"
parser:option("--except-status", "Bookings that do not count, as 'declined'."):argname "STATUS":args "+"
local args = parser:parse()

--- The texts of an array, sorted and joined; `(none)` where it is empty.
local function joined(texts)
  table.sort(texts)
  return #texts > 0 and table.concat(texts, " + ") or "(none)"
end

--- The names of a booking's projects, and their funding codes.
local function payers(b)
  local projects, codes = {}, {}
  for _, project in ipairs(b.projects or {}) do
    projects[#projects + 1] = project.name
    for _, funding in ipairs(project.funding_codes or {}) do codes[#codes + 1] = funding.code end
  end
  return joined(projects), joined(codes)
end

-- The cost is in the full record only: one call for each booking that the filters leave.
local rows, totals = {}, {}
for b in progress(calira.bookings {
  under = args.account, from = args.from, to = args.to, except_status = args.except_status, details = true,
}) do
  local projects, codes = payers(b)
  local currency = b.currency or "(none)"
  local key = table.concat({ currency, projects, codes }, "\0")
  local row = rows[key] or { currency = currency, projects = projects, codes = codes, cost = "0.00", bookings = 0 }
  rows[key] = row
  row.cost, row.bookings = calira.add(row.cost, b.cost), row.bookings + 1
  totals[currency] = calira.add(totals[currency] or "0.00", b.cost)
end

local function sorted(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

local widest = #"FUNDING CODES"
for _, row in pairs(rows) do widest = math.max(widest, utf8.len(row.codes) or 0) end

local function print_row(currency, cost, bookings, codes, projects)
  local padding = (" "):rep(widest - (utf8.len(codes) or widest))
  print(("%-8s  %14s  %8s  %s%s  %s"):format(currency, cost, bookings, codes, padding, projects))
end

print_row("CURRENCY", "COST", "BOOKINGS", "FUNDING CODES", "PROJECTS")
for _, key in ipairs(sorted(rows)) do
  local row = rows[key]
  print_row(row.currency, row.cost, row.bookings, row.codes, row.projects)
end
for _, currency in ipairs(sorted(totals)) do print(("%-8s  %14s  in all"):format(currency, totals[currency])) end
