-- Prints bookings as a table, as they come.
-- Usage: lua5.4 examples/bookings.lua --provider LAB | --under ACCOUNT [--from TIME] [--to TIME] [--status STATUS...] [--limit N]

local argparse = require "argparse"
local calira = require "calira"

local parser = argparse("bookings.lua", "Prints bookings as a table, as they come. Times are in UTC.")
parser:mutex(
  parser:option("--provider", "The lab that provides them, by its id."):argname "LAB",
  parser:option("--under", "All labs of an account: an id, a name, or a path such as 'University / Physics'."):argname "ACCOUNT"
)
parser:option("--from", "Only what ends after this time (a date is its midnight UTC)."):argname "TIME"
parser:option("--to", "Only what starts before this time."):argname "TIME"
parser:option("--status", "Only these, as 'Confirmed Pending'."):argname "STATUS":args "+"
parser:option("--limit", "No more than so many."):argname "N":convert(tonumber)
local args = parser:parse()
if not (args.provider or args.under) then parser:error "one of --provider and --under is needed" end

--- An API time in minutes, in UTC: offsets differ from record to record.
local function minute(text)
  local time = calira.time(text)
  return time and os.date("!%Y-%m-%d %H:%M", math.floor(time)) or "-"
end

local function row(...)
  print((("%-10s  %-16s  %-16s  %6s  %-10s  %s"):format(...)))
end

row("ID", "START", "END", "HOURS", "STATUS", "INSTRUMENT")
for b, lab in calira.bookings {
  provider = args.provider, under = args.under, from = args.from, to = args.to, status = args.status, limit = args.limit,
} do
  local hours = ("%.1f"):format(calira.seconds(b) / 3600)
  row(b.id, minute(b.start_time), minute(b.end_time), hours, b.status, b.equipment.name .. (lab and ", " .. lab.name or ""))
end
