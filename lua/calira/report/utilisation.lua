--- How much of the time in which instruments can be booked they were booked: for each instrument, in all, and by weekday and hour.
-- A pure computation: instruments and bookings go in one by one, figures come out. Nothing here waits.
--
-- What counts is the time inside the bookable hours, once where two bookings of an instrument overlap: of `seconds` as of `share`, which is
-- never more than 1.

local odd <const> = require "calira.report.odd"
local time <const> = require "calira.values.time"

local M = {}

local SLICE <const> = 900               -- seconds: every zone is a multiple of this ahead of UTC
local DAY <const> = 86400

local Utilisation = {}
Utilisation.__index = Utilisation

--- Weekday, Monday first, and the rest of a local time.
local function local_time(zone, epoch)
  local date = zone:date("*t", epoch)
  return (date.wday + 5) % 7 + 1, date
end

--- The spans in which instruments can be booked, in order: `{ first, last }` in epoch seconds.
local function windows(o)
  local spans = {}
  local _, date = local_time(o.zone, o.from)
  local opens, closes = o.hours[1], o.hours[2]
  if closes <= opens then closes = closes + 24 * 60 end                -- over midnight
  for day = -1, (o.to - o.from) // DAY + 2 do
    local noon = o.zone:epoch(date.year, date.month, date.day + day, 12)
    local weekday, own = local_time(o.zone, noon)
    if o.days[weekday] then
      local first = math.max(o.from, o.zone:epoch(own.year, own.month, own.day, 0, opens))
      local last = math.min(o.to, o.zone:epoch(own.year, own.month, own.day, 0, closes))
      if first < last then spans[#spans + 1] = { first, last } end
    end
  end
  return spans
end

--- Begins a computation.
---@param options table `from`, `to`: epoch seconds; `zone`: see values/zone.lua; `hours`: minutes of the day, first and last (all:
---  `{ 0, 1440 }`); `days`: array of seven booleans, Monday first
function M.new(options)
  return setmetatable({
    from = math.floor(options.from), to = math.floor(options.to), zone = options.zone, instruments = {}, by_id = {}, odd = odd.new(),
    windows = windows { from = options.from, to = options.to, zone = options.zone, hours = options.hours, days = options.days },
  }, Utilisation)
end

local function add(self, key, id, name, node)
  local instrument = {
    id = id, name = name, lab_id = node and node.id, lab = node and node.name, bookings = 0, spans = {},
  }
  self.instruments[#self.instruments + 1], self.by_id[key] = instrument, instrument
  return instrument
end

--- Counts an instrument, booked or not. `node`: the lab it is of.
function Utilisation:instrument(e, node)
  if not self.by_id[tostring(e.id)] then add(self, tostring(e.id), e.id, e.name, node).listed = true end
end

--- Counts a booking, as far as it lies in the span; those that do not touch it are left out.
function Utilisation:booking(b, node)
  local first, last = time.parse(b.start_time), time.parse(b.end_time)
  if not first then return self.odd:add("without a readable start, not counted", b) end
  if first >= self.to or (first < self.from and not (last and last > self.from)) then return end
  if b.end_time == nil then
    self.odd:add("without an end, counted with no hours", b)
  elseif not last or last < first then
    self.odd:add("with an end that is unreadable or before the start, counted with no hours", b)
  end
  local id = b.equipment_id
  if id == nil then self.odd:add("without an instrument", b) end
  local equipment <const> = type(b.equipment) == "table" and b.equipment.name
  local instrument = self.by_id[tostring(id)] or add(self, tostring(id), id, equipment or nil, node)
  instrument.bookings = instrument.bookings + 1
  if time.seconds(b, self.from, self.to) > 0 then
    instrument.spans[#instrument.spans + 1] = { math.max(first, self.from), math.min(last, self.to) }
  end
end

-- ── Figures ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Spans in order, those that touch joined.
local function union(spans)
  table.sort(spans, function(a, b) return a[1] < b[1] end)
  local joined = {}
  for _, span in ipairs(spans) do
    local before = joined[#joined]
    if before and span[1] <= before[2] then
      before[2] = math.max(before[2], span[2])
    else
      joined[#joined + 1] = { span[1], span[2] }
    end
  end
  return joined
end

local function length(spans)
  local sum = 0
  for _, span in ipairs(spans) do sum = sum + span[2] - span[1] end
  return sum
end

--- Seconds that lie in spans of both; each is in order and without overlap.
local function common(a, b)
  local sum, i, j = 0, 1, 1
  while a[i] and b[j] do
    sum = sum + math.max(0, math.min(a[i][2], b[j][2]) - math.max(a[i][1], b[j][1]))
    if a[i][2] < b[j][2] then i = i + 1 else j = j + 1 end
  end
  return sum
end

--- The weekday and hour of each slice of the span, from 1: `(weekday - 1) * 24 + hour + 1`; and the seconds of each of these 168.
local function week_of(self)
  local start, places, seconds = self.from - self.from % SLICE, {}, {}
  for i = 1, 168 do seconds[i] = 0 end
  for at = start, self.to - 1, SLICE do
    local weekday, date = local_time(self.zone, at)
    local place = (weekday - 1) * 24 + date.hour + 1
    places[#places + 1] = place
    seconds[place] = seconds[place] + math.min(self.to, at + SLICE) - math.max(self.from, at)
  end
  return start, places, seconds
end

--- Adds the seconds of each span to the weekday and hour in which they lie.
local function add_heat(heat, spans, start, places)
  for _, span in ipairs(spans) do
    local at = span[1]
    while at < span[2] do
      local slice = (at - start) // SLICE
      local stop = math.min(span[2], start + (slice + 1) * SLICE)
      local place = places[math.tointeger(slice) + 1]
      heat[place] = heat[place] + stop - at
      at = stop
    end
  end
end

--- Share of the instruments in use on average, by weekday (1 to 7) and hour (0 to 23); nil for an hour that the span does not have.
local function heat_of(self)
  local start, places, seconds = week_of(self)
  local heat, shares = {}, {}
  for i = 1, 168 do heat[i] = 0 end
  for _, instrument in ipairs(self.instruments) do add_heat(heat, instrument.spans, start, places) end
  for day = 1, 7 do
    shares[day] = {}
    for hour = 0, 23 do
      local place = (day - 1) * 24 + hour + 1
      local all = seconds[place] * #self.instruments
      if seconds[place] > 0 then shares[day][hour] = all > 0 and heat[place] / all or 0 end
    end
  end
  return shares
end

local function busier(a, b)
  if a.seconds ~= b.seconds then return a.seconds > b.seconds end
  local left, right = tostring(a.lab) .. "\0" .. tostring(a.name), tostring(b.lab) .. "\0" .. tostring(b.name)
  if left ~= right then return left < right end
  return tostring(a.id) < tostring(b.id)
end

--- The figures.
---@return table result `instruments`: the busiest first, each with `id`, `name`, `lab_id`, `lab`, `bookings`, `seconds`, `share`, `listed`;
---  `seconds`, `bookings`, `idle` (instruments without a booking), `share`, `bookable` (seconds of one instrument), `overlap` (seconds that
---  bookings of one instrument have in common), `outside` (seconds booked outside the bookable hours), `heat`, `odd` (lines)
function Utilisation:result()
  local bookable = length(self.windows)
  local sum = { seconds = 0, bookings = 0, idle = 0, bookable = bookable, overlap = 0, outside = 0, from = self.from, to = self.to }
  for _, instrument in ipairs(self.instruments) do
    local all <const> = length(instrument.spans)
    instrument.spans = union(instrument.spans)
    instrument.seconds = common(instrument.spans, self.windows)
    instrument.share = bookable > 0 and instrument.seconds / bookable or 0
    sum.seconds, sum.bookings = sum.seconds + instrument.seconds, sum.bookings + instrument.bookings
    sum.overlap = sum.overlap + all - length(instrument.spans)
    sum.outside = sum.outside + length(instrument.spans) - instrument.seconds
    if instrument.bookings == 0 then sum.idle = sum.idle + 1 end
  end
  local all = bookable * #self.instruments
  sum.share = all > 0 and sum.seconds / all or 0
  sum.heat = heat_of(self)
  table.sort(self.instruments, busier)
  sum.instruments, sum.odd = self.instruments, self.odd:lines()
  return sum
end

return M
