-- Shows how many hours each instrument of an account was booked for in a month: a table, or a page with --html.
-- Usage: lua5.4 examples/utilisation.lua ACCOUNT [--month YYYY-MM] [--html FILE] [--except-status STATUS...]
--
-- Days and hours are those of the time zone of this machine, or of TZ: TZ=Europe/London lua5.4 examples/utilisation.lua …

local argparse = require "argparse"
local calira = require "calira"

local parser = argparse("utilisation.lua", "Shows how many hours each instrument was booked for in a month, in the time zone TZ.")
parser:argument("account", "An organisation, a department or a lab: its id, its name, or its path.")
parser:option("--month", "The month."):argname "YYYY-MM":default(os.date "%Y-%m")
parser:option("--html", "Write a page with a heat map and a bar chart instead of the table."):argname "FILE"
parser:option("--except-status", "Bookings that do not count."):argname "STATUS":args "+":default { "declined" }
local args = parser:parse()

local year, month = args.month:match "^(%d%d%d%d)%-(%d%d)$"
if not year or tonumber(month) < 1 or tonumber(month) > 12 then parser:error "a month is written as 2026-03" end
local from = os.time { year = year, month = month, day = 1, hour = 0 }
local to = os.time { year = year, month = month + 1, day = 1, hour = 0 }

-- ── Counting ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local heat = {}                                         -- [1..7, Monday first][hour 0..23] → seconds
for day = 1, 7 do
  heat[day] = {}
  for hour = 0, 23 do heat[day][hour] = 0 end
end

--- Adds each piece of a booking to the hour of the week in which it lies.
local function add_heat(b)
  local time = math.max(from, calira.time(b.start_time))
  local last = math.min(to, calira.time(b.end_time))
  while time < last do
    local date = os.date("*t", math.floor(time))
    local day = heat[(date.wday + 5) % 7 + 1]
    local next_hour = math.min(last, math.floor(time) + 3600 - 60 * date.min - date.sec)
    day[date.hour] = day[date.hour] + next_hour - time
    time = next_hour
  end
end

local tree = calira.tree()
local account = tree:find(args.account)
local instruments, by_id = {}, {}

for e, lab in calira.equipment { under = account } do
  local instrument = { name = e.name, lab = lab.name, seconds = 0, bookings = 0 }
  instruments[#instruments + 1], by_id[e.id] = instrument, instrument
end
for b, lab in calira.bookings { under = account, from = from, to = to, except_status = args.except_status } do
  local seconds = calira.seconds(b, from, to)           -- only what lies in the month
  local instrument = by_id[b.equipment_id]
  if not instrument then                                -- booked, but not in the list any more
    instrument = { name = b.equipment.name, lab = lab.name, seconds = 0, bookings = 0 }
    instruments[#instruments + 1], by_id[b.equipment_id] = instrument, instrument
  end
  instrument.seconds, instrument.bookings = instrument.seconds + seconds, instrument.bookings + 1
  if seconds > 0 then add_heat(b) end
end
table.sort(instruments, function(a, b)
  if a.seconds ~= b.seconds then return a.seconds > b.seconds end
  return a.lab .. "\0" .. a.name < b.lab .. "\0" .. b.name
end)

local total, bookings, most = 0, 0, 0
for _, i in ipairs(instruments) do
  total, bookings, most = total + i.seconds, bookings + i.bookings, math.max(most, i.seconds)
end

--- The time zone of all this, as it is at the month's start, and at its end where the clocks change.
local function zone()
  local first, last = os.date("%Z (%z)", from), os.date("%Z (%z)", to - 1)
  return first == last and first or first .. ", then " .. last
end

local function hours(seconds) return ("%.1f"):format(seconds / 3600) end

-- ── A table ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

if not args.html then
  print(("%s, %s (%s), without: %s"):format(tree:path(account), args.month, zone(), table.concat(args.except_status, ", ")))
  print(("%8s  %8s  %6s  %s"):format("HOURS", "BOOKINGS", "SHARE", "INSTRUMENT"))
  for _, i in ipairs(instruments) do
    print(("%8s  %8d  %5.1f%%  %s, %s"):format(hours(i.seconds), i.bookings, 100 * i.seconds / (to - from), i.name, i.lab))
  end
  print(("%8s  %8d          %d instruments"):format(hours(total), bookings, #instruments))
  return
end

-- ── A page ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local page = {}
local function put(text, ...) page[#page + 1] = select("#", ...) > 0 and text:format(...) or text end

local function escape(text)
  return (tostring(text):gsub('[&<>"]', { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }))
end

local DAYS <const> = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" }
local BARS <const> = 25                                 -- instruments in the chart at most; the table has all

local STYLE <const> = [[
:root { color-scheme: light dark; --text: #1c2733; --soft: #5b6876; --line: #dde3e9; --page: #fff; --heat: 20 95 150; }
@media (prefers-color-scheme: dark) { :root { --text: #e6ebf0; --soft: #9aa7b4; --line: #2d3843; --page: #12181e; --heat: 95 175 235; } }
body { margin: 0 auto; padding: 1.25rem 1rem 3rem; max-width: 62rem; background: var(--page); color: var(--text);
  font: 16px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.2; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 1.75rem 0 .5rem; }
p { margin: .25rem 0; color: var(--soft); } p b { color: var(--text); font-size: 1.1rem; }
main { display: grid; gap: 0 3rem; } @media (min-width: 56rem) { main { grid-template-columns: 1fr 1fr; } }
svg { display: block; width: 100%; max-width: 32rem; height: auto; } text { font: 11px system-ui, sans-serif; fill: var(--text); }
.soft { fill: var(--soft); } .cell { fill: rgb(var(--heat)); } .track { fill: var(--line); } .over { fill: var(--page); }
table { border-collapse: collapse; width: 100%; font-size: .875rem; } th, td { padding: .35rem .5rem; text-align: left; }
th:nth-child(n + 2), td:nth-child(n + 2) { text-align: right; } td { border-top: 1px solid var(--line); }
small { display: block; color: var(--soft); } summary { cursor: pointer; margin: 1.75rem 0 .5rem; font-weight: 600; }
]]

local function heat_map()
  local hottest = 0
  for _, day in ipairs(heat) do
    for hour = 0, 23 do hottest = math.max(hottest, day[hour]) end
  end
  put '<svg viewBox="0 0 360 560" role="img" aria-label="Booked hours by hour of the day and weekday">'
  for day, name in ipairs(DAYS) do put('<text x="%d" y="14" text-anchor="middle">%s</text>', 40 + 46 * day - 23, name) end
  for hour = 0, 23 do
    local y = 22 + 22 * hour
    put('<text class="soft" x="34" y="%d" text-anchor="end">%02d:00</text>', y + 14, hour)
    for day, name in ipairs(DAYS) do
      local seconds, x = heat[day][hour], 40 + 46 * (day - 1)
      local share = hottest > 0 and seconds / hottest or 0
      put('<rect class="track" x="%d" y="%d" width="44" height="20" rx="3"/>', x, y)
      if seconds > 0 then
        put('<rect class="cell" x="%d" y="%d" width="44" height="20" rx="3" opacity="%.2f"><title>%s %02d:00: %s h</title></rect>',
          x, y, 0.08 + 0.92 * share, name, hour, hours(seconds))
        put('<text%s x="%d" y="%d" text-anchor="middle">%s</text>', share > 0.65 and ' class="over"' or "", x + 22, y + 14,
          seconds < 36000 and hours(seconds) or math.floor(seconds / 3600 + 0.5))
      end
    end
  end
  put "</svg>"
end

--- The start of a text that is longer than so many characters.
local function cut(text, length)
  local stop = utf8.len(text) and utf8.offset(text, length + 1)
  return stop and stop <= #text and text:sub(1, utf8.offset(text, length) - 1) .. "…" or text
end

local function bar_chart()
  local count = 0
  while count < BARS and count < #instruments and instruments[count + 1].seconds > 0 do count = count + 1 end
  put("<p>Booked hours of the %d busiest of %d instruments.</p>", count, #instruments)
  put('<svg viewBox="0 0 360 %d" role="img" aria-label="Booked hours of each instrument">', math.max(36 * count, 1))
  for n = 1, count do
    local i, y = instruments[n], 36 * (n - 1)
    put('<text x="0" y="%d">%s</text>', y + 12, escape(cut(i.name .. ", " .. i.lab, 46)))
    put('<text class="soft" x="360" y="%d" text-anchor="end">%s h</text>', y + 12, hours(i.seconds))
    put('<rect class="track" x="0" y="%d" width="360" height="8" rx="4"/>', y + 18)
    put('<rect class="cell" x="0" y="%d" width="%.1f" height="8" rx="4"><title>%s, %s: %s h</title></rect>', y + 18,
      math.max(8, 360 * i.seconds / most), escape(i.name), escape(i.lab), hours(i.seconds))
  end
  put "</svg>"
end

local function full_table()
  put "<details><summary>All instruments</summary><table><tr><th>Instrument</th><th>Hours</th><th>Bookings</th></tr>"
  for _, i in ipairs(instruments) do
    put("<tr><td>%s<small>%s</small></td><td>%s</td><td>%d</td></tr>", escape(i.name), escape(i.lab), hours(i.seconds), i.bookings)
  end
  put "</table></details>"
end

local title = escape(("%s, %s"):format(tree:path(account), os.date("%B %Y", from)))
put('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>%s</title>', title)
put '<meta name="viewport" content="width=device-width, initial-scale=1">'
put([[<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">]])
put("<style>\n%s</style></head><body>", STYLE)
put("<h1>%s</h1>", title)
put("<p><b>%s</b> hours booked, <b>%d</b> bookings, <b>%d</b> instruments</p>", hours(total), bookings, #instruments)
put("<p>Without: %s</p>", escape(table.concat(args.except_status, ", ")))
put("<main><section><h2>When</h2><p>Booked hours by hour and weekday, all instruments together. Time zone: %s.</p>", escape(zone()))
heat_map()
put "</section><section><h2>What</h2>"
bar_chart()
put "</section></main>"
full_table()
put "</body></html>\n"

local file <close> = assert(io.open(args.html, "w"))
assert(file:write(table.concat(page, "\n")))
