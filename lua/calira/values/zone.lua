--- Time zones: what local time an instant is, and the other way round. A Lua process cannot change its own TZ, so the files of the zone
-- database are read here (TZif, RFC 9636), and the rules of POSIX TZ texts, which also say what comes after a file's last change.
-- Nothing here waits.

local time <const> = require "calira.values.time"

local M = {}

local DAY <const> = 86400
local ERA <const> = 146097 * DAY -- 400 years
local FOLDERS <const> = { "/usr/share/zoneinfo/", "/usr/lib/zoneinfo/", "/usr/share/lib/zoneinfo/" }

local Zone = { __name = "calira.zone" }
Zone.__index = Zone

--- Epoch seconds of a date's midnight UTC.
local function midnight(year, month, day)
  local eras <const> = year // 400 - 5 -- the calendar repeats after 400 years; an API time has but four digits for one
  return time.parse(("%04d-%02d-01"):format(year - eras * 400, month)) + eras * ERA + (day - 1) * DAY
end

-- ── POSIX rules ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- `[+-]hh[:mm[:ss]]` in seconds; nil where it is none.
local function clock(text)
  local sign, h, m, s = text:match "^([+-]?)(%d%d?%d?):?(%d?%d?):?(%d?%d?)$"
  if not h then return nil end
  local seconds = tonumber(h) * 3600 + (tonumber(m) or 0) * 60 + (tonumber(s) or 0)
  return sign == "-" and -seconds or seconds
end

--- One end of summer time: a function of a year → seconds from its start, in local time; nil where the text is no rule.
local function change(text)
  local day, at = text:match "^([^/]+)/?(.*)$"
  local seconds = day and (at == "" and 7200 or clock(at))
  if not seconds then return nil end
  local month, week, weekday = day:match "^M(%d+)%.(%d)%.(%d)$"
  if month then
    month, week, weekday = tonumber(month), tonumber(week), tonumber(weekday)
    if month < 1 or month > 12 or week < 1 or week > 5 or weekday > 6 then return nil end
    return function(year)
      local first = midnight(year, month, 1)
      local shift = (weekday - (first // DAY + 4)) % 7 -- 1970-01-01 was a Thursday
      local length = (month == 12 and midnight(year + 1, 1, 1) or midnight(year, month + 1, 1)) - first
      local days = shift + (week - 1) * 7
      if days * DAY >= length then days = days - 7 end
      return first + days * DAY + seconds
    end
  end
  local kind, number = day:match "^(J?)(%d+)$"
  number = tonumber(number)
  if not number or number > 365 then return nil end
  return function(year)
    local leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
    local days = kind == "" and number or number - ((leap and number > 59) and 0 or 1)
    return midnight(year, 1, 1) + days * DAY + seconds
  end
end

--- What C libraries take where a text does not say when summer time is: the days of the United States.
local DAYS <const> = ",M3.2.0,M11.1.0"
local NAME <const> = "^(%a%a%a+)(.*)$"

--- Takes a name, as `CET` or `<+03>`, off the front of a text.
local function take_name(text)
  local name, rest = text:match "^<([%w+-]+)>(.*)$"
  if name then return name, rest end
  return text:match(NAME)
end

--- A rule as `GMT0BST,M3.5.0/1,M10.5.0`, or `CET-1CEST` with the days of DAYS: a function of an instant → seconds east of UTC,
-- abbreviation; nil where the text is none.
local function posix(text)
  local standard, rest = take_name(text)
  local west, more = (rest or ""):match "^([+-]?[%d:]+)(.*)$"
  west = west and clock(west)
  if not west then return nil end
  if more == "" then return function() return -west, standard end end
  local summer, tail = take_name(more)
  if tail and not tail:find(",", 1, true) then tail = tail .. DAYS end
  local own, from, to = (tail or ""):match "^([+-]?[%d:]*),([^,]+),([^,]+)$"
  local start, finish = from and change(from), to and change(to)
  local summer_west = own and (own == "" and west - 3600 or clock(own))
  if not (start and finish and summer_west) then return nil end
  return function(epoch)
    local year = tonumber(os.date("!%Y", epoch - west))
    local first, last = start(year) + west, finish(year) + summer_west
    local is_summer
    if first < last then is_summer = epoch >= first and epoch < last else is_summer = epoch < last or epoch >= first end
    if is_summer then return -summer_west, summer end
    return -west, standard
  end
end

-- ── Files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local HEADER <const> = ">c4 c1 c15 I4 I4 I4 I4 I4 I4"

--- Where the block after a header ends, if its times have `width` bytes.
local function block_end(data, place, width)
  local _, _, _, is_ut, is_standard, leaps, changes, types, letters, start = HEADER:unpack(data, place)
  return start + changes * (width + 1) + types * 6 + letters + leaps * (width + 4) + is_standard + is_ut
end

--- What a file of the zone database says: arrays of the instants of changes and of the type after each, the types, the rule after all.
local function read(data)
  if data:sub(1, 4) ~= "TZif" or data:sub(5, 5) < "2" then return nil end
  local place = block_end(data, 1, 4) -- the block of 32-bit times is there for old programs
  local _, _, _, _, _, _, count, types, letters, start = HEADER:unpack(data, place)
  local zone = { at = {}, after = {}, types = {} }
  for i = 1, count do zone.at[i] = (">i8"):unpack(data, start + (i - 1) * 8) end
  start = start + count * 8
  for i = 1, count do zone.after[i] = data:byte(start + i - 1) + 1 end
  start = start + count
  local names = data:sub(start + types * 6, start + types * 6 + letters - 1)
  for i = 1, types do
    local offset, _, index = (">i4 B B"):unpack(data, start + (i - 1) * 6)
    zone.types[i] = { offset, ("z"):unpack(names, index + 1) }
  end
  zone.rule = posix(data:sub(block_end(data, place, 8)):match "^\n([^\n]*)\n" or "")
  return zone
end

local function load_file(path)
  local file <close> = io.open(path, "rb")
  local ok, data = pcall(function() return file and file:read "a" end) -- a folder can be opened
  local good, zone = pcall(read, ok and data or "")
  return good and zone or nil
end

-- ── The face ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- A zone by its name in the zone database (`Europe/London`), or by a POSIX rule (`CET-1CEST,M3.5.0,M10.5.0/3`), as in TZ.
---@param name string
---@return table? zone
---@return string? message where there is none
function M.find(name)
  local plain = name:gsub("^:", "")
  local zone
  if plain == "UTC" or plain == "Z" then
    zone = { rule = function() return 0, "UTC" end }
  elseif plain:find "^/" then
    zone = load_file(plain)
  elseif not plain:find("..", 1, true) then
    for _, folder in ipairs(FOLDERS) do zone = zone or load_file(folder .. plain) end
  end
  local rule = not zone and posix(plain)
  if rule then zone = { rule = rule } end
  if not zone then
    return nil, ("there is no time zone %q; one is named as Europe/London, and %s has the list"):format(name:sub(1, 60), FOLDERS[1])
  end
  zone.name, zone.at = plain, zone.at or {}
  return setmetatable(zone, Zone)
end

--- What an instant's local time is ahead of UTC.
---@param epoch number
---@return integer seconds, string abbreviation as `BST`
function Zone:offset(epoch)
  local at = self.at
  local count = #at
  if self.rule and (count == 0 or epoch >= at[count]) then return self.rule(math.floor(epoch)) end
  if count == 0 or epoch < at[1] then return self.types[1][1], self.types[1][2] end
  local low, high = 1, count
  while low < high do
    local middle = (low + high + 1) // 2
    if at[middle] <= epoch then low = middle else high = middle - 1 end
  end
  local kind = self.types[self.after[low]]
  return kind[1], kind[2]
end

--- The instant of a local time: of one that is there twice the first; one that summer time leaves out counts as that much later.
---@param year integer, month integer 1 to 12, day integer (32 is a day of the next month), hour?, minute?, second?
---@return integer epoch
function Zone:epoch(year, month, day, hour, minute, second)
  local wall = midnight(year, month, day) + (hour or 0) * 3600 + (minute or 0) * 60 + (second or 0)
  local before, after = self:offset(wall - DAY), self:offset(wall + DAY)
  local first
  for _, offset in ipairs { before, after } do
    local epoch = wall - offset
    if self:offset(epoch) == offset and (not first or epoch < first) then first = epoch end
  end
  return first or wall - before
end

--- An instant as os.date writes it, in this zone: `zone:date("%Y-%m-%d %H:%M", epoch)`, or "*t".
function Zone:date(format, epoch)
  local offset = self:offset(epoch)
  return os.date("!" .. format, math.floor(epoch) + offset)
end

return M
