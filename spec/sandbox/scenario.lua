-- What a client asked for in the first segment of its base URL: /~key=value;key=value/v1 . A misspelt key is refused,
-- since a test whose fault never happens passes for the wrong reason.
local scenario = {}

-- Percent-decoding of a path: unlike a form, + stays a plus.
function scenario.decode(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

local function text(value) return value end

local function number(value) return tonumber(value) end

local function flag(value)
  if value == "0" or value == "1" then return value == "1" end
end

-- "500:3" → { 500, "3" } with the second part as it came; `second` reads it.
local function pair(second)
  return function(value)
    local a, b = value:match("^(%d+):(.+)$")
    b = b and second(b)
    return b and { tonumber(a), b } or nil
  end
end

-- "20:10" → { 20, 10 }, both more than 0; the first may have a fraction.
local function capacity(value)
  local a, b = value:match("^(%d+%.?%d*):(%d+)$")
  a, b = tonumber(a), tonumber(b)
  return a and a > 0 and b > 0 and { a, b } or nil
end

local function workers(value)
  local both = capacity(value)
  return both and both[1] % 1 == 0 and both or nil
end

local function list(item)
  return function(value)
    local out = {}
    for part in value:gmatch("[^,]+") do
      out[#out + 1] = item(part)
      if out[#out] == nil then return nil end
    end
    return out
  end
end

-- "101,102" → { [101] = true, [102] = true }
local function set(value)
  local out = {}
  for part in value:gmatch("[^,]+") do
    if not tonumber(part) then return nil end
    out[tonumber(part)] = true
  end
  return out
end

local function one_of(...)
  local known = {}
  for _, name in ipairs{ ... } do known[name] = true end
  return function(value) return known[value] and value or nil end
end

local function none_or_number(value)
  return value == "none" and value or tonumber(value)
end

-- none, a number, or a difference (+K, -K) as { K }
local function total(value)
  if value:find("^[+-]%d+$") then return { tonumber((value:gsub("^%+", ""))) } end
  return none_or_number(value)
end

-- "BYTES" or "BYTES:LINE" → { bytes, length of a line }
local function filler(value)
  local bytes, line = value:match("^(%d+):?(%d*)$")
  return bytes and { tonumber(bytes), tonumber(line) or 4096 } or nil
end

-- "CALL", "CALL:I" or "CALL:I:J" → { call, i, j }
local function exchange(value)
  local call, i, j = value:match("^(%d+):?(%d*):?(%d*)$")
  return call and { tonumber(call), tonumber(i), tonumber(j) } or nil
end

-- "kind" or "kind:argument" → { kind, argument }
local function body(value)
  local kind, argument = value:match("^(%l+%d?%l*):?(.*)$")
  return kind and require("bodies").known(kind, argument) and { kind, argument } or nil
end

local readers = {
  id = text, seed = number,
  latency = number, jitter = number,
  bucket = capacity, window = pair(number), bucket429 = one_of("seconds", "none"), ratelimit = one_of("ietf", "x"), workers = workers,
  bookings = number, accounts = number, large = pair(number), labs = set, hide = set, cycle = flag,
  per = number, percap_silent = number, total = total, perhdr = none_or_number, curhdr = none_or_number,
  past = one_of("last", "lastsilent", "empty", "404"), ignorepage = flag, emptypage = set, invisible = number,
  fail = pair(number), firstfail = pair(number), failpage = pair(number), failpath = pair(text),
  retry_after = text, emptyerr = flag, dateskew = number,
  cut = number, chunkcut = number, drip = number, silence = number, reset = number,
  body = body, bodyevery = number, bodypage = number,
  redirect = text, bigheaders = filler,
  delete = list(pair(number)), insert = list(pair(number)), swap = list(exchange),
  churn = number, churnuntil = number, shuffle = flag,
  gone = set, noid = number, strid = flag, bigid = number, newfields = flag,
  rotate = one_of("now", "use"), expires = number, tokenfail = pair(number), tokenlatency = number,
  lag = number, says = number, norefresh = flag, tokenerror = text, badtoken = flag,
}

local function parse(prefix)
  local keys = { id = "default", seed = 1, prefix = prefix }
  for part in prefix:gmatch("[^;]+") do
    local name, value = part:match("^([^=]*)=(.*)$")
    name = name and scenario.decode(name)
    local reader = readers[name]
    if not reader then return nil, "unknown scenario key: " .. (name or part) end
    keys[name] = reader(scenario.decode(value))
    if keys[name] == nil then return nil, "bad value of scenario key: " .. part end
  end
  return keys
end

local parsed, parsed_count = {}, 0

-- The keys of a prefix ("a=1;b=2"), or nil and what is wrong with it. One table for one prefix, so others may keep
-- what they derive from it.
function scenario.parse(prefix)
  local keys = parsed[prefix]
  if keys then return keys end
  local why
  keys, why = parse(prefix)
  if not keys then return nil, why end
  if parsed_count > 5000 then parsed, parsed_count = {}, 0 end
  parsed[prefix], parsed_count = keys, parsed_count + 1
  return keys
end

return scenario
