-- Shows how many hours each instrument of an account was booked for in a month. (`calira report utilisation` draws a page, too.)
-- Usage: lua5.4 examples/utilisation.lua ACCOUNT [--month YYYY-MM]
--
-- The month is one of the time zone of this machine, or of TZ: TZ=Europe/London lua5.4 examples/utilisation.lua …

local argparse = require "argparse"
local calira = require "calira"
local support = dofile((arg[0]:match ".*/" or "") .. "support.lua")

local parser = argparse("utilisation.lua", "Shows how many hours each instrument was booked for in a month, in the time zone TZ.")
parser:argument("account", "An organisation, a department or a lab: its id, its name, or its path.")
parser:option("--month", "The month."):argname "YYYY-MM":default(os.date "%Y-%m")
local args = parser:parse()

local year, month = args.month:match "^(%d%d%d%d)%-(%d%d)$"
if not year or tonumber(month) < 1 or tonumber(month) > 12 then parser:error "a month is written as 2026-03" end
local from = os.time { year = year, month = month, day = 1, hour = 0 }
local to = os.time { year = year, month = month + 1, day = 1, hour = 0 }

support.run(function()
  local tree = calira.tree()
  local account = tree:find(args.account)
  local rows, by_id = {}, {}
  local function row(id, name, lab)
    local new = { name = ("%s, %s"):format(name or "-", lab.name), seconds = 0, bookings = 0 }
    rows[#rows + 1], by_id[id] = new, new
    return new
  end

  for e, lab in calira.equipment { under = account } do row(e.id, e.name, lab) end
  for b, lab in calira.bookings { under = account, from = from, to = to, except_status = "declined" } do
    local id = b.equipment_id or "unknown"
    local own = by_id[id] or row(id, b.equipment and b.equipment.name, lab) -- booked, but not in the list any more
    own.seconds = own.seconds + calira.seconds(b, from, to)                 -- only what lies in the month
    own.bookings = own.bookings + 1
  end

  table.sort(rows, function(a, b)
    if a.seconds ~= b.seconds then return a.seconds > b.seconds end
    return a.name < b.name
  end)
  local seconds, bookings = 0, 0
  support.print("%s, %s (%s)", tree:path(account), args.month, os.date("%Z", from))
  support.print("%8s  %8s  %6s  %s", "HOURS", "BOOKINGS", "SHARE", "INSTRUMENT")
  for _, r in ipairs(rows) do
    seconds, bookings = seconds + r.seconds, bookings + r.bookings
    support.print("%8.1f  %8d  %5.1f%%  %s", r.seconds / 3600, r.bookings, 100 * r.seconds / (to - from), r.name)
  end
  support.print("%8.1f  %8d          %d instruments", seconds / 3600, bookings, #rows)
end)
