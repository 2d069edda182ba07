--- Options that several commands share: how they are described, and what they mean.

local calira <const> = require "calira"
local status <const> = require "calira.command.support.status"

local M = {}

-- ── Descriptions ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- A count: a whole number of digits.
local function count(text)
  local number = text:find "^%d+$" and math.tointeger(tonumber(text))
  if number then return number end
  return nil, ("%q is no whole number"):format(text)
end
M.count = count

--- `FIELD=VALUE` as a pair.
local function pair(text)
  local field, value = text:match "^([^=]+)=(.*)$"
  if field then return { field = field, value = value } end
  return nil, ("%q is not FIELD=VALUE"):format(text)
end
M.pair = pair

--- `a,b.c` as an array.
local function fields(text)
  local list = {}
  for field in text:gmatch "[^,%s]+" do list[#list + 1] = field end
  if #list > 0 then return list end
  return nil, "fields are named as id,equipment.name"
end

--- --lab and --under: which accounts.
function M.add_account(parser)
  parser:mutex(
    parser:option("--lab", "One lab, by its id, its name or its path."):argname "ACCOUNT",
    parser:option("--under", "Every lab under an account: its id, its name, or its path as 'University / Physics'."):argname "ACCOUNT"
  )
end

--- --month, --from, --to, --tz: which time.
function M.add_span(parser)
  parser:option("--month", "A calendar month, as 2026-11."):argname "MONTH"
  parser:option("--from", "Only what ends after this time: 2026-11-05, '2026-11-05 09:30', with an offset or not, today, yesterday, "
    .. "tomorrow, now, or so long before or after: -30d, +2w (days, from the midnight of today), -12h (from now)."):argname "TIME"
  parser:option("--to", "Only what starts before this time; a date is the midnight at its beginning."):argname "TIME"
  M.add_zone(parser)
end

--- --tz: where times without an offset are, and in which times are shown.
function M.add_zone(parser)
  parser:option("--tz", "Time zone of what is said and shown without an offset, as Europe/London. Otherwise that of the variable TZ, "
    .. "or UTC."):argname "ZONE"
end

--- --where: any field.
function M.add_where(parser)
  parser:option("--where", "Only records whose field has this value, in any case; a path as equipment.name leads into records, and into "
    .. "any element of arrays; nothing after the = finds those without the field. May be repeated: all must hold, of the same field one.")
    :argname "FIELD=VALUE":count "*":convert(pair):target "where"
end

--- --limit.
function M.add_limit(parser)
  parser:option("--limit", "No more than so many."):argname "N":convert(count)
end

--- --format, --fields, --raw: how records are written.
---@param formats string[] the first is the one without the option
function M.add_format(parser, formats)
  parser:option("--format", "How it is written."):choices(formats):argname("<" .. table.concat(formats, "|") .. ">")
  parser:option("--fields", "The fields to write, as id,equipment.name."):argname "A,B.C":convert(fields)
  parser:flag("--raw", "In csv, leave cells as they are that a spreadsheet would run as formulas, and control characters, "
    .. "which are masked on a terminal.")
end

-- ── Times ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local DAYS <const> = { today = 0, yesterday = -1, tomorrow = 1 }
local UNITS <const> = { d = 1, w = 7 }

--- Midnight so many days after that of today.
local function midnight(zone, now, days)
  local date = zone:date("*t", now)
  return zone:epoch(date.year, date.month, date.day + days)
end

--- The parts of a local time, or nil: `2026-11`, `2026-11-05`, `2026-11-05 09:30`, `2026-11-05T09:30:00`.
local function parts_of(text)
  local date, rest = text:match "^(%d%d%d%d%-%d%d)(.*)$"
  if date and rest == "" then date, rest = date .. "-01", "" elseif date then
    local day, tail = rest:match "^(%-%d%d)(.*)$"
    date, rest = day and date .. day, tail
  end
  if not date or not calira.time(date) then return nil end -- no such day
  local hour, minute, second = 0, 0, 0
  if rest ~= "" then
    local h, m, s = rest:match "^[T ](%d%d):(%d%d):?(%d?%d?)$"
    hour, minute, second = tonumber(h), tonumber(m), tonumber(s) or 0
    if not hour or hour > 24 or minute > 59 or second > 59 then return nil end
  end
  local year, month, day = date:match "^(%d+)%-(%d+)%-(%d+)$"
  return tonumber(year), tonumber(month), tonumber(day), hour, minute, second
end

--- The instant that a text on the command line means.
---@param text string see --from
---@param zone table
---@param now number? epoch seconds
---@return number? epoch nil where it is no time
function M.instant(text, zone, now)
  now = now or os.time()
  if text == "now" then return now end
  if DAYS[text] then return midnight(zone, now, DAYS[text]) end
  local amount, unit = text:match "^([+-]%d%d?%d?%d?%d?)([hdw])$"
  if amount then
    if unit == "h" then return now + tonumber(amount) * 3600 end
    return midnight(zone, now, math.tointeger(tonumber(amount)) * UNITS[unit])
  end
  local year, month, day, hour, minute, second = parts_of(text)
  if year then return zone:epoch(year, month, day, hour, minute, second) end
  return (calira.time((text:gsub("^(%d+%-%d+%-%d+) ", "%1T"))))
end

--- The span of --month, or of --from and --to.
---@return number? from, number? to epoch seconds; raises a usage error
function M.span(arguments, zone)
  if arguments.month then
    if arguments.from or arguments.to then status.raise(status.usage, "--month goes with neither --from nor --to") end
    local year, month = arguments.month:match "^(%d%d%d%d)%-(%d%d)$"
    year, month = tonumber(year), tonumber(month)
    if not year or month < 1 or month > 12 then status.raise(status.usage, ("--month: %q is no month; one is 2026-11"):format(arguments.month)) end
    local next_year, next_month = year + month // 12, month % 12 + 1
    return zone:epoch(year, month, 1), zone:epoch(next_year, next_month, 1)
  end
  local bounds = {}
  for _, name in ipairs { "from", "to" } do
    local text = arguments[name]
    if text then
      bounds[name] = M.instant(text, zone)
      if not bounds[name] then
        status.raise(status.usage, ("--%s: %q is no time; one is 2026-11-05, '2026-11-05 09:30', today or -30d"):format(name, text))
      end
    end
  end
  if bounds.from and bounds.to and bounds.from >= bounds.to then status.raise(status.usage, "--from is not before --to") end
  return bounds.from, bounds.to
end

return M
