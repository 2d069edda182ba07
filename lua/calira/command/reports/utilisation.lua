--- The report on utilisation, as `calira report utilisation` asks for it and shows it. See report/utilisation.lua for what is computed.

local page <const> = require "calira.report.utilisation_page"
local status <const> = require "calira.command.support.status"
local utilisation <const> = require "calira.report.utilisation"

local M = {}

local DAYS <const> = { mon = 1, tue = 2, wed = 3, thu = 4, fri = 5, sat = 6, sun = 7 }

--- Minutes of the day of `HH:MM`, or nil.
local function minutes(text)
  local hour, minute = text:match "^(%d%d?):(%d%d)$"
  hour, minute = tonumber(hour), tonumber(minute)
  if hour and minute < 60 and hour * 60 + minute <= 1440 then return math.tointeger(hour * 60 + minute) end
end

--- `08:00-20:00` as minutes of the day; over midnight where the second is the earlier.
local function read_hours(text)
  local first, last = text:match "^(%d+:%d+)%-(%d+:%d+)$"
  first, last = first and minutes(first), last and minutes(last)
  if not first or not last or first == last or first == 1440 then
    status.raise(status.usage, ("--hours: %q are no hours; some are 08:00-20:00"):format(text))
  end
  return { first, last }
end

--- `Mon-Fri`, `Sat,Sun` or both kinds joined by commas, as seven booleans, Monday first.
local function read_days(text)
  local set = { false, false, false, false, false, false, false }
  for part in (text .. ","):gmatch "([^,]*)," do
    local first, last = part:lower():match "^%s*(%a+)%-?(%a*)%s*$"
    first, last = first and DAYS[first:sub(1, 3)], last ~= "" and last and DAYS[last:sub(1, 3)] or first and DAYS[first:sub(1, 3)]
    if not first or not last then status.raise(status.usage, ("--days: %q are no days; some are Mon-Fri, or Mon,Wed"):format(text)) end
    local day = first
    set[day] = true
    while day ~= last do
      day = day % 7 + 1
      set[day] = true
    end
  end
  return set
end

--- What the arguments say, before anything is sent.
function M.check(arguments)
  return {
    hours = arguments.hours and read_hours(arguments.hours) or { 0, 1440 },
    days = read_days(arguments.days or "Mon-Sun"),
    day = arguments.hours and read_hours(arguments.hours) or { 420, 1200 },
  }
end

local function percent(share) return ("%.1f%%"):format(100 * share) end

--- Rounded, so that it is read as it is written.
local function rounded(value, digits) return tonumber(("%." .. digits .. "f"):format(value)) end

--- Rows for tables and programs: of this span, and what is known of the one before.
local function rows_of(now, before)
  local by_id, rows = {}, {}
  for _, i in ipairs(before.instruments) do by_id[tostring(i.id)] = i end
  for n, i in ipairs(now.instruments) do
    local other = by_id[tostring(i.id)]
    rows[n] = {
      id = i.id, name = i.name, lab_id = i.lab_id, lab = i.lab, bookings = i.bookings, hours = rounded(i.seconds / 3600, 2),
      share = rounded(i.share, 4), hours_before = rounded(other and other.seconds / 3600 or 0, 2),
      share_before = rounded(other and other.share or 0, 4),
    }
  end
  return rows
end

local COLUMNS <const> = {
  { title = "HOURS", kind = "number", value = function(r) return ("%.1f"):format(r.hours) end },
  { title = "BOOKINGS", kind = "number", field = "bookings" },
  { title = "SHARE", kind = "number", value = function(r) return percent(r.share) end },
  { title = "BEFORE", kind = "number", value = function(r) return percent(r.share_before) end },
  { title = "INSTRUMENT", field = "name" }, { title = "LAB", field = "lab" },
}

local function lead(now, before, settings)
  local all <const> = settings.hours[1] == 0 and settings.hours[2] == 1440
  local name = all and "" or (" (%02d:%02d-%02d:%02d)"):format(settings.hours[1] // 60, settings.hours[1] % 60,
    settings.hours[2] // 60, settings.hours[2] % 60)
  return {
    ("%s of the bookable hours were booked: %.1f an instrument%s; %s: %s"):format(
      percent(now.share), now.bookable / 3600, name, before.name, percent(before.share)),
    ("%d of %d instruments idle; %s: %d of %d"):format(now.idle, #now.instruments, before.name, before.idle, #before.instruments),
  }
end

--- Computes the report. May wait.
function M.make(job, settings)
  local zone <const> = job.zone
  if not (job.from or job.to) then
    job.from, job.to = job.month_start(zone, os.time(), 0), job.month_start(zone, os.time(), 1)
  end
  if not job.from then status.raise(status.usage, "a report on utilisation needs --from, or --month") end
  job.to = job.to or os.time()
  if job.to <= job.from then status.raise(status.usage, "--from is not before now") end
  job.name = job.span_name(zone, job.from, job.to)
  local from_before, to_before = job.span_before(zone, job.from, job.to)
  local function sum(from, to)
    return utilisation.new { from = from, to = to, zone = zone, hours = settings.hours, days = settings.days }
  end
  local now_sum, before_sum = sum(job.from, job.to), sum(from_before, to_before)
  job:both({ from = from_before, to = job.to }, function(b, node)
    now_sum:booking(b, node)
    before_sum:booking(b, node)
  end, function(e, node)
    now_sum:instrument(e, node)
    before_sum:instrument(e, node)
  end)
  local now, before = now_sum:result(), before_sum:result()
  now.name, before.name = job.name, job.span_name(zone, from_before, to_before)
  local foot = { ("%.1f hours in %d bookings of %d instruments"):format(now.seconds / 3600, now.bookings, #now.instruments) }
  if now.overlap > 0 then
    foot[#foot + 1] = ("%.1f hours in which bookings of an instrument overlap are counted once"):format(now.overlap / 3600)
  end
  if now.outside > 0 then
    foot[#foot + 1] = ("%.1f hours booked outside the bookable hours are not counted"):format(now.outside / 3600)
  end
  return {
    title = "Utilisation", lead = lead(now, before, settings), columns = COLUMNS, rows = rows_of(now, before), foot = foot, odd = now.odd,
    fields = { "id", "name", "lab_id", "lab", "bookings", "hours", "share", "hours_before", "share_before" },
    page = function(about)
      about.day = { settings.day[1] // 60, (settings.day[2] + 59) // 60 }
      for i = 2, #foot do about.made[#about.made + 1] = foot[i] .. "." end
      return page.page(now, before, about)
    end,
  }
end

return M
