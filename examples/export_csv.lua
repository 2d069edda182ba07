-- Writes bookings as CSV (RFC 4180), with their cost and who pays for it.
-- Usage: lua5.4 examples/export_csv.lua --provider LAB | --under ACCOUNT [--from TIME] [--to TIME] >bookings.csv
--
-- A file that was not written to its end (status 1 or 130) is no whole export. `calira export FILE.csv` goes on where it was interrupted.

local argparse = require "argparse"
local calira = require "calira"
local progress = require "calira.progress"
local support = dofile((arg[0]:match ".*/" or "") .. "support.lua")

local parser = argparse("export_csv.lua", "Writes bookings to stdout as CSV (RFC 4180).")
parser:mutex(
  parser:option("--provider", "The lab that provides them, by its id."):argname "LAB",
  parser:option("--under", "All labs of an account, by its id, its name or its path."):argname "ACCOUNT"
)
parser:option("--from", "Only what ends after this time (a date is its midnight UTC)."):argname "TIME"
parser:option("--to", "Only what starts before this time."):argname "TIME"
local args = parser:parse()
if not (args.provider or args.under) then parser:error "one of --provider and --under is needed" end

local COLUMNS <const> = {
  "id", "status", "booking_type", "start_time", "end_time", "equipment_id", "equipment", "provider_lab", "requester_lab", "cost",
  "currency", "projects", "funding_codes",
}

--- A cell. A spreadsheet would run a text that begins like a formula: a ' before it makes it a text. (A negative number is none.)
local function cell(value)
  local text = tostring(value == nil and "" or value)
  if text:find "^[=+@\t\r%-]" and not tonumber(text) then text = "'" .. text end
  return text:find '[",\r\n]' and '"' .. text:gsub('"', '""') .. '"' or text
end

local function write_row(values)
  local cells = {}
  for i, name in ipairs(COLUMNS) do cells[i] = cell(values[name]) end
  support.write(table.concat(cells, ","), "\r\n")
end

--- A booking as one flat row: of what is nested only the names are kept.
local function row_of(b)
  local row, projects, codes = {}, {}, {}
  for _, name in ipairs(COLUMNS) do
    row[name] = b[name]
    if type(b[name]) == "table" then row[name] = b[name].name end
  end
  for _, project in ipairs(b.projects or {}) do
    projects[#projects + 1] = project.name
    for _, funding in ipairs(project.funding_codes or {}) do codes[#codes + 1] = funding.code end
  end
  row.projects, row.funding_codes = table.concat(projects, "; "), table.concat(codes, "; ")
  return row
end

support.run(function()
  local header = {}
  for _, name in ipairs(COLUMNS) do header[name] = name end
  write_row(header)
  for b in progress(calira.bookings {
    provider = args.provider, under = args.under, from = args.from, to = args.to, details = true,
  }) do
    write_row(row_of(b))
  end
end)
