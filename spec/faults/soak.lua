--- Soak: walks a large lab again and again under a random mix of faults and accounts for every record.
--
--   sh spec/one.sh spec/faults/soak.lua [RECORDS [SEED]]     200,000 records by default; the seed is printed, and repeats a run
--
-- Each walk either brings every booking of the lab exactly once, or raises an error that says why; with drift, every booking that
-- was there before and after. Descriptors and memory stay flat.

local calira = require "calira"
local helper = require "spec.support.helper"

local WANTED <const> = tonumber(arg[1]) or 200000
local SEED <const> = tonumber(arg[2]) or os.time()
local FIRST <const> = 12345 -- id of lab 102's first booking; they are dense

math.randomseed(SEED)
print(("soak: %d records, seed %d"):format(WANTED, SEED))

local function one_in(n) return math.random(n) == 1 end
local function any(...) return (select(math.random(select("#", ...)), ...)) end

-- ── Faults ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Faults of single calls, from which a retry recovers.
local PASSING <const> = {
  function() return ("fail=%d:%d"):format(any(429, 500, 502, 503, 504), math.random(5, 12)) end,
  function() return "cut=" .. math.random(5, 12) end,
  function() return "chunkcut=" .. math.random(5, 12) end,
  function() return "reset=" .. math.random(5, 12) end,
  function() return ("firstfail=%d:%d"):format(any(408, 500, 503), math.random(3)) end,
  function() return "jitter=" .. math.random(5) end,
}

--- What a server may do about pages without losing a record.
local PAGING <const> = {
  function() return "per=" .. math.random(20, 60) end,
  function() return "percap_silent=" .. math.random(20, 60) end,
  function() return "total=none" end,
  function() return "curhdr=none" end,
  function(count)
    local less = math.random(50)
    -- a total that is too low by chance at the very end of a full page cannot be told from a right one
    return "total=-" .. ((count - less) % 100 == 0 and less + 1 or less)
  end,
  function() return "past=" .. any("last", "lastsilent") end,
}

--- What ends a walk with an error.
local FATAL <const> = {
  function() return "failpage=" .. any("401", "403", "404", "418") .. ":" .. math.random(9) end,
  function() return ("body=%s;bodypage=%d"):format(any("login", "badjson", "nul", "ctrl", "badutf8", "notarray", "badgzip"), math.random(9)) end,
}

--- Bookings that go or come while the list is read. Alone, so that totals reveal what is missed.
local DRIFT <const> = {
  function(count) return ("delete=%d:%d"):format(math.random(2, 8), math.random(0, count // 2)) end,
  function(count) return ("insert=%d:%d"):format(math.random(2, 8), math.random(0, count // 2)) end,
}

local function pick(kinds, ...) return kinds[math.random(#kinds)](...) end

local function scenario(count)
  local parts = { "bookings=" .. count, "seed=" .. math.random(1 << 20) }
  local drifting, fatal = one_in(4), one_in(10)
  if not one_in(5) then parts[#parts + 1] = pick(PASSING) end
  if not drifting and one_in(2) then parts[#parts + 1] = pick(PAGING, count) end
  if fatal then parts[#parts + 1] = pick(FATAL) end
  if drifting then parts[#parts + 1] = pick(DRIFT, count) end
  return table.concat(parts, ";"), drifting
end

-- ── One walk ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- The ids of the list as it is, read by an undisturbed client.
local function ids_now(id, count)
  local ids = {}
  local client <close> = calira.new{ base_url = helper.url("bookings=" .. count, id), token = helper.token }
  for b in client:bookings{ provider = 102 } do ids[b.id] = true end
  return ids
end

local function check(seen, count, id, drifting, what)
  local now = drifting and ids_now(id, count)
  for booking = FIRST, FIRST + count - 1 do
    if not seen[booking] and (not now or now[booking]) then error(("%s: booking %d is missing"):format(what, booking), 0) end
  end
end

local function walk(count)
  local faults, drifting = scenario(count)
  local secure = helper.tls and one_in(3)
  local id = helper.id()
  local client <close> = calira.new{
    base_url = helper.url(faults, id, secure and helper.tls or nil), token = helper.token, ca_file = helper.ca,
    backoff = { base = 0.001, max = 0.01 }, retries = 6, lookahead = math.random(0, 12),
  }
  local seen, received = {}, 0
  local ok, err = pcall(function()
    for b in client:bookings{ provider = 102, exact = one_in(10), details = false } do
      if seen[b.id] then error(("%s: booking %d came twice"):format(faults, b.id), 0) end
      seen[b.id] = true
      received = received + 1
    end
  end)
  if ok then
    check(seen, count, id, drifting, faults)
    return received, "whole"
  end
  if not calira.is_error(err) or err.kind == "argument" then error(faults .. ": " .. tostring(err), 0) end
  return received, err.kind
end

-- ── All of them ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local function descriptors()
  local pipe <close> = assert(io.popen("ls /proc/$PPID/fd | wc -l"))
  return tonumber(pipe:read "a")
end

local function resident()
  collectgarbage()
  collectgarbage()
  for line in io.lines "/proc/self/status" do
    local kib = line:match "^VmRSS:%s*(%d+)"
    if kib then return tonumber(kib) end
  end
end

local total, walks, outcomes = 0, 0, {}
local early_memory, early_descriptors
while total < WANTED do
  local received, outcome = walk(math.random(2000))
  total, walks = total + received, walks + 1
  outcomes[outcome] = (outcomes[outcome] or 0) + 1
  if not early_memory and total > WANTED // 4 then early_memory, early_descriptors = resident(), descriptors() end
end

local names = {}
for name, count in pairs(outcomes) do names[#names + 1] = ("%s %d"):format(name, count) end
table.sort(names)
print(("%d walks, %d records; %s"):format(walks, total, table.concat(names, ", ")))
local memory, open = resident(), descriptors()
print(("memory %d KiB after a quarter, %d KiB at the end; descriptors %d, %d"):format(early_memory, memory, early_descriptors, open))
local quarantined = os.getenv "ASAN_OPTIONS" -- AddressSanitizer keeps what is freed for a while
assert(quarantined or memory < early_memory + 4096, "memory grows")
assert(open < early_descriptors + 32, "descriptors are left open")
assert(outcomes.whole and outcomes.whole > walks // 3, "hardly a walk came through")
