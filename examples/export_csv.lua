-- Writes bookings as CSV (RFC 4180), with their cost and who pays for it.
-- Usage: lua5.4 examples/export_csv.lua --provider LAB | --under ACCOUNT [--from TIME] [--to TIME] [--resume CURSOR] >bookings.csv
--
-- When it is interrupted it prints where to go on: append the rows of `--resume CURSOR` with >>. Some rows may then be there twice,
-- since a CSV file cannot be written by id; export_sqlite.lua writes each booking once.

local argparse = require "argparse"
local calira = require "calira"
local progress = require "calira.progress"

local parser = argparse("export_csv.lua", "Writes bookings to stdout as CSV (RFC 4180). After an interruption it says how to go on; "
  .. "rows may then be there twice.")
parser:mutex(
  parser:option("--provider", "The lab that provides them, by its id."):argname "LAB",
  parser:option("--under", "All labs of an account, by its id, its name or its path."):argname "ACCOUNT"
)
parser:option("--from", "Only what ends after this time (a date is its midnight UTC)."):argname "TIME"
parser:option("--to", "Only what starts before this time."):argname "TIME"
parser:option("--resume", "Go on where an export with the same options was interrupted; writes no header."):argname "CURSOR"
local args = parser:parse()
if not (args.provider or args.under) then parser:error "one of --provider and --under is needed" end

local COLUMNS <const> = {
  "id", "status", "booking_type", "start_time", "end_time", "equipment_id", "equipment", "provider_lab", "requester_lab", "cost",
  "currency", "projects", "funding_codes",
}

local function field(value)
  local text = tostring(value == nil and "" or value)
  return text:find '[",\r\n]' and '"' .. text:gsub('"', '""') .. '"' or text
end

local function write_row(values)
  local fields = {}
  for i, name in ipairs(COLUMNS) do fields[i] = field(values[name]) end
  assert(io.write(table.concat(fields, ","), "\r\n"))
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

local list = calira.bookings {
  provider = args.provider, under = args.under, from = args.from, to = args.to, resume = args.resume, details = true,
}
local ok, err = pcall(function()
  if not args.resume then
    local header = {}
    for _, name in ipairs(COLUMNS) do header[name] = name end
    write_row(header)
  end
  for b in progress(list) do write_row(row_of(b)) end
end)
assert(io.stdout:flush())
if not ok then
  io.stderr:write(tostring(err), "\nto go on, append with: --resume ", list:cursor(), "\n")
  os.exit(false, true)
end
