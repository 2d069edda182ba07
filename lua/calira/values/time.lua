--- Times of the API: text to epoch seconds, and the share of a booking that lies in a span. Nothing here waits.
-- The lists send `2024-01-15T09:00:00.000Z`, an asset's bookings `2022-03-08T09:00:00.000+00:00`, a real capture had `+01:00`, and
-- `expiry_date` is a date (API.md, "The records"): so times compare by instant, never as strings.

local core <const> = require "calira.core"

local M = {}

local match <const>, find <const>, tonumber <const>, type <const> = string.match, string.find, tonumber, type

local DAY <const> = 86400
local DAYS_IN_MONTH <const> = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }
local EXPECTED <const> = 'expected "2024-01-15" or "2024-01-15T09:00:00.000Z", where an offset such as "+01:00" may stand for Z'

local function refuse(value)
  if type(value) ~= "string" then return nil, ("not an API time but a %s; %s"):format(type(value), EXPECTED) end
  return nil, ("not an API time: %q; %s"):format(value:sub(1, 60), EXPECTED)
end

--- Epoch seconds of a date's midnight UTC in the Gregorian calendar, from digit strings; nil where there is no such date.
local function midnight(y, m, d)
  y, m, d = tonumber(y), tonumber(m), tonumber(d)
  local length = DAYS_IN_MONTH[m]
  if m == 2 and y % 4 == 0 and (y % 100 ~= 0 or y % 400 == 0) then length = 29 end
  if not length or d < 1 or d > length then return nil end
  if m <= 2 then y, m = y - 1, m + 12 end                           -- count years from March: the leap day comes last
  local days = 365 * y + y // 4 - y // 100 + y // 400 + (153 * (m - 3) + 2) // 5 + d - 1
  return (days - 719468) * DAY                                      -- days from 0000-03-01 to 1970-01-01
end

--- Seconds east of UTC of `Z`, `±hh:mm` or `±hhmm`; nil for anything else.
local function offset_of(zone)
  if zone == "Z" then return 0 end
  local sign, h, m = match(zone, "^([+-])(%d%d):?(%d%d)$")
  h, m = tonumber(h), tonumber(m)
  if not h or h > 23 or m > 59 then return nil end
  local offset = h * 3600 + m * 60
  return sign == "-" and -offset or offset
end

--- The instant of an API time (`calira.time`).
-- Strict: real calendar dates, hours 0 to 23, minutes and seconds 0 to 59, capital `T` and `Z`, and a time of day needs its offset
-- (without one it names no instant); its seconds may be left out. A leap second (`:60`) is refused: epoch seconds have no room for it.
---@param text any an API time, `±hhmm` included; a date alone is its midnight UTC
---@return number? epoch seconds, an integer, or a float where the fraction is not zero; nil where `text` is not an API time
---@return string? message what is wrong; it never raises
function M.parse(text)
  if type(text) ~= "string" then return refuse(text) end
  local y, mo, d, h, mi, s, fraction, zone = match(text, "^(%d%d%d%d)%-(%d%d)%-(%d%d)T(%d%d):(%d%d):(%d%d)(%.?%d*)([Z+-].*)$")
  if not y then
    y, mo, d, h, mi, zone = match(text, "^(%d%d%d%d)%-(%d%d)%-(%d%d)T(%d%d):(%d%d)([Z+-].*)$")
    s, fraction = "0", ""
  end
  if not y then
    y, mo, d = match(text, "^(%d%d%d%d)%-(%d%d)%-(%d%d)$")
    local epoch = y and midnight(y, mo, d)
    if epoch then return epoch end
    return refuse(text)
  end
  local day, offset = midnight(y, mo, d), offset_of(zone)
  h, mi, s = tonumber(h), tonumber(mi), tonumber(s)
  if not day or not offset or h > 23 or mi > 59 or s > 59 then return refuse(text) end
  if fraction ~= "" and not find(fraction, "^%.%d") then return refuse(text) end
  local epoch = day + h * 3600 + mi * 60 + s - offset
  if find(fraction, "[1-9]") then return epoch + tonumber("0" .. fraction) end
  return epoch
end

--- The instant that a user's option means.
---@param value any epoch seconds (a finite number) or an API time
---@return number? epoch seconds, an integer where they are whole; nil for anything else
---@return string? message what is wrong; it never raises
function M.instant(value)
  if type(value) ~= "number" then return M.parse(value) end
  if value ~= value or value == math.huge or value == -math.huge then
    return nil, ("not epoch seconds: %s"):format(value)
  end
  return math.tointeger(value) or value
end

local function bound(name, value)
  if value == nil then return nil end
  local epoch, message = M.instant(value)
  if not epoch then core.raise("argument", ("seconds: %s: %s"):format(name, message)) end
  return epoch
end

--- Seconds of a booking inside the half-open span [from, to) (`calira.seconds`).
-- A booking without a readable start has no seconds, nor has one without a readable end, one that ends before it starts, or an empty span.
---@param b table a booking: `start_time` and `end_time` are API times
---@param from? number|string epoch seconds or an API time; nil: no bound
---@param to? number|string epoch seconds or an API time; nil: no bound
---@return number seconds 0 or more, an integer where they are whole; raises kind `argument` for another `b`, `from` or `to`
function M.seconds(b, from, to)
  if type(b) ~= "table" then core.raise("argument", ("seconds: expected a booking, got %s"):format(type(b))) end
  from, to = bound("from", from), bound("to", to)
  local first, last = M.parse(b.start_time), M.parse(b.end_time)
  if not first or not last then return 0 end
  if from and from > first then first = from end
  if to and to < last then last = to end
  if last <= first then return 0 end
  return math.tointeger(last - first) or last - first
end

return M
