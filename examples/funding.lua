-- Sums what bookings cost, by project and funding code. (`calira report funding` knows more.)
-- Usage: lua5.4 examples/funding.lua ACCOUNT [--from TIME] [--to TIME]

local argparse = require "argparse"
local calira = require "calira"
local progress = require "calira.progress"
local support = dofile((arg[0]:match ".*/" or "") .. "support.lua")

local parser = argparse("funding.lua", "Sums what bookings cost, by project and funding code, exactly. "
  .. "A booking of several codes counts once, under all of them joined, since the API does not say how its cost is split.")
parser:argument("account", "The provider: an organisation, a department or a lab, by its id, its name or its path.")
parser:option("--from", "Only what ends after this time (a date is its midnight UTC)."):argname "TIME"
parser:option("--to", "Only what starts before this time."):argname "TIME"
local args = parser:parse()

local ROW <const> = "%-8s  %14s  %8s  %s; %s"

--- The texts of an array, sorted and joined; `(none)` where it is empty.
local function joined(texts)
  table.sort(texts)
  return #texts > 0 and table.concat(texts, " + ") or "(none)"
end

--- The funding codes and the names of a booking's projects.
local function payers(b)
  local projects, codes = {}, {}
  for _, project in ipairs(b.projects or {}) do
    projects[#projects + 1] = project.name
    for _, funding in ipairs(project.funding_codes or {}) do codes[#codes + 1] = funding.code end
  end
  return joined(codes), joined(projects)
end

support.run(function()
  local rows, totals, keys = {}, {}, {}
  -- The cost is in the full record only: one call for each booking that the filters leave.
  for b in progress(calira.bookings { under = args.account, from = args.from, to = args.to, details = true }) do
    local codes, projects = payers(b)
    local currency = b.currency or "(none)"
    local key = table.concat({ currency, codes, projects }, "\0")
    if not rows[key] then
      rows[key] = { currency = currency, codes = codes, projects = projects, cost = "0.00", bookings = 0 }
      keys[#keys + 1] = key
    end
    local row = rows[key]
    row.cost, row.bookings = calira.add(row.cost, b.cost), row.bookings + 1
    totals[currency] = calira.add(totals[currency] or "0.00", b.cost)
  end

  table.sort(keys)
  support.print(ROW, "CURRENCY", "COST", "BOOKINGS", "FUNDING CODES", "PROJECTS")
  for _, key in ipairs(keys) do
    local row = rows[key]
    support.print(ROW, row.currency, row.cost, row.bookings, row.codes, row.projects)
  end
  for currency, sum in pairs(totals) do support.print("%-8s  %14s  in all", currency, sum) end
end)
