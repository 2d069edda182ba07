-- Prints bookings as a table, as they come.
-- Usage: lua5.4 examples/bookings.lua --provider LAB | --under ACCOUNT [--from TIME] [--to TIME] [--status STATUS...] [--limit N]

local argparse = require "argparse"
local calira = require "calira"
local support = dofile((arg[0]:match ".*/" or "") .. "support.lua")

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

local ROW <const> = "%-10s  %-16s  %-16s  %6s  %-10s  %s"

-- The option status of the library would do; this also notes which statuses there are, since one that no booking has is likely a typo.
local wanted, seen = args.status and {}, {}
for _, status in ipairs(args.status or {}) do wanted[status:lower()] = true end
local function keep(b)
  local status = b.status or ""
  seen[status:lower()] = status
  return not wanted or wanted[status:lower()]
end

support.run(function()
  support.print(ROW, "ID", "START", "END", "HOURS", "STATUS", "INSTRUMENT")
  for b, lab in calira.bookings {
    provider = args.provider, under = args.under, from = args.from, to = args.to, where = keep, limit = args.limit,
  } do
    local name = b.equipment and b.equipment.name or "-"
    support.print(ROW, b.id, support.minute(b.start_time), support.minute(b.end_time), ("%.1f"):format(calira.seconds(b) / 3600), b.status,
      lab and name .. ", " .. lab.name or name)
  end
  for status in pairs(wanted or {}) do
    if not seen[status] and next(seen) then support.fail(5, ("no booking there has the status %q"):format(status)) end
  end
end)
