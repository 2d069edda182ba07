--- Random programs: tasks, gather, generators, lists of every kind and option, requests, break, close, cancel, errors, sleeps, nested runs
-- and coroutines, under faults of the sandbox, against a simple model.
--
--   sh spec/one.sh spec/faults/programs.lua [FIRST_SEED [COUNT]]    200 by default; a seed repeats its program
--
-- Each list brings every record once, or raises an error that says why; a list that was left brings none twice. No program hangs (an
-- alarm ends the process), calls in flight never exceed the client's limit (nor, as the server sees it, twice that), none are left at
-- the end, and descriptors and memory stay flat.

local calira = require "calira"
local helper = require "spec.support.helper"
local host = require "spec.support.host"

local FIRST <const> = tonumber(arg[1]) or os.time()
local COUNT <const> = tonumber(arg[2]) or 200
local SECONDS <const> = 60 -- that one program may take

local seed = FIRST
local random = math.random

local function one_in(n) return random(n) == 1 end
local function any(...) return (select(random(select("#", ...)), ...)) end

-- ── The model ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Ids of lab 102 with so many bookings.
local function ids_of(count) return helper.range(12345, 12345 + count - 1) end

local function wrong(text, ...) error(("seed %d: " .. text):format(seed, ...), 0) end

local KINDS <const> = {
  network = true, timeout = true, server = true, client = true, rate_limited = true, decode = true, not_found = true, forbidden = true,
  unauthorized = true, drift = true, closed = true, cancelled = true, too_large = true,
}

--- An error that a program may meet: of the library, but never that it was used wrongly; or one of the program's own.
local OWN <const> = setmetatable({}, { __tostring = function() return "an error of the program's own" end })

local function check_error(err)
  if err == OWN or calira.is_error(err) and KINDS[err.kind] then return end
  wrong("an error that should not be: %s", tostring(err))
end

--- Calls f; true where an error that may be was raised, else false and its first result.
local function guarded(f, ...)
  local ok, result = pcall(f, ...)
  if not ok then check_error(result) end
  return not ok, result
end

-- ── The faults ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local FAULTS <const> = {
  function() return ("fail=%d:%d"):format(any(429, 500, 502, 503, 504), random(3, 9)) end,
  function() return "cut=" .. random(4, 9) end,
  function() return "chunkcut=" .. random(4, 9) end,
  function() return "reset=" .. random(4, 9) end,
  function() return ("firstfail=%d:%d"):format(any(408, 500, 503), random(3)) end,
  function() return "jitter=" .. random(4) end,
  function() return "latency=" .. random(3) end,
  function() return "total=none" end,
  function() return "per=" .. random(2, 9) end,
  function() return "past=" .. any("last", "lastsilent", "empty") end,
  function() return ("failpage=%s:%d"):format(any("404", "418", "403"), random(5)) end,
  function() return ("body=%s;bodypage=%d"):format(any("badjson", "login", "nul", "cutgzip"), random(4)) end,
  function() return ("bigheaders=%d:%d"):format(150000, 150000) end,
}

-- ── A program ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- What a program knows: its client, how many bookings there are, how deep it is.
local Program = {}
Program.__index = Program

--- The options of a random list, and which ids it has to bring, in order unless `unordered`.
function Program:list()
  local options, ids = { provider = 102, per_page = any(1, 2, 3, 7, 100) }, ids_of(self.bookings)
  local test
  if one_in(3) then
    local divisor = random(2, 3)
    test = function(id) return id % divisor == 0 end
    options.where = function(b)
      if one_in(20) then calira.sleep(0) end
      return test(b.id)
    end
  end
  if one_in(5) then options.on_page = function() if one_in(3) then calira.sleep(0) end end end
  if one_in(4) then options.lookahead = random(0, 5) end
  if one_in(8) then
    options.exact = true
  elseif one_in(4) then
    options.details = true
    if one_in(2) then options.forms = true end
    if one_in(2) then options.equipment = true end
    if one_in(3) then options.unordered = true end
  end
  local wanted = {}
  for _, id in ipairs(ids) do if not test or test(id) then wanted[#wanted + 1] = id end end
  if one_in(4) and not options.unordered then
    options.limit = random(0, #ids)
    for i = #wanted, options.limit + 1, -1 do wanted[i] = nil end
  end
  return self.client:bookings(options), wanted, options
end

--- Compares what was read with what should have been: `whole`: to the end.
local function compare(read, wanted, whole, options)
  local left = {}
  for _, id in ipairs(wanted) do left[id] = true end
  for i, id in ipairs(read) do
    if not left[id] then wrong("record %s came twice, or should not have come", tostring(id)) end
    left[id] = nil
    if not options.unordered and not options.shared and wanted[i] ~= id then wrong("record %d came in place %d", id, i) end
  end
  if whole and next(left) then wrong("record %d is missing of %d", next(left), #wanted) end
end

local actions = {}

--- Does a few random things.
function Program:act(most)
  for _ = 1, random(most) do
    if self.budget <= 0 then return end
    self.budget = self.budget - 1
    actions[random(#actions)](self)
  end
end

--- Reads a list to its end, or leaves it by break, close or an error of the program's own.
local function read_list(self)
  local list, wanted, options = self:list()
  local read, stop = {}, one_in(4) and random(8) or nil
  local leave = any("break", "close", "error")
  local whole = true
  local failed = guarded(function()
    for b in list do
      read[#read + 1] = b.id
      if one_in(30) then calira.sleep(0) end
      if #read == stop then
        whole = false
        if leave == "break" then break end
        if leave == "error" then error(OWN, 0) end
        list:close()
      end
    end
  end)
  compare(read, wanted, whole and not failed, options)
  if whole and not failed and list:report().verdict == "partial" and not options.limit then wrong "a list read to its end is partial" end
  if one_in(3) and leave == "break" and not failed and not whole then -- a list that was kept goes on
    whole = not guarded(function() for b in list do read[#read + 1] = b.id end end)
    compare(read, wanted, whole, options)
  end
  list:close()
end

actions[1], actions[2] = read_list, read_list

--- Several tasks read one list.
actions[3] = function(self)
  local list, wanted, options = self:list()
  options.shared = true
  local read, readers = {}, {}
  for i = 1, random(2, 4) do
    readers[i] = function()
      for b in list do
        read[#read + 1] = b.id
        if one_in(5) then calira.sleep(0) end
      end
    end
  end
  local failed = guarded(calira.gather, readers)
  compare(read, wanted, not failed, options)
  list:close()
end

--- In pages.
actions[4] = function(self)
  local list, wanted, options = self:list()
  local read = {}
  local failed = guarded(function()
    for _, records in list:pages() do
      for _, b in ipairs(records) do read[#read + 1] = b.id end
    end
  end)
  compare(read, wanted, not failed, options)
end

--- Collected, or the first alone.
actions[5] = function(self)
  local list, wanted, options = self:list()
  if one_in(2) then
    local ok, records = pcall(list.collect, list)
    if not ok then return check_error(records) end
    return compare(helper.ids(records), wanted, true, options)
  end
  local ok, b = pcall(list.first, list)
  if not ok then return check_error(b) end
  if not options.unordered and (b and b.id) ~= wanted[1] then wrong("first() gave %s, not %s", tostring(b and b.id), tostring(wanted[1])) end
end

--- Left, and taken up by a cursor.
actions[6] = function(self)
  local list = self.client:bookings { provider = 102, per_page = 3 }
  local read, stop = {}, random(5)
  local failed = guarded(function()
    for b in list do
      read[#read + 1] = b.id
      if #read == stop then break end
    end
  end)
  if failed then return list:close() end
  local cursor = list:cursor()
  list:close()
  if #read < stop or not cursor then return end
  failed = guarded(function()
    for b in self.client:bookings { provider = 102, per_page = 3, resume = cursor } do read[#read + 1] = b.id end
  end)
  compare(read, ids_of(self.bookings), not failed, {})
end

--- Through generators.
actions[7] = function(self)
  local list, wanted, options = self:list()
  local read, whole, stop = {}, true, one_in(3) and random(5) or nil
  local function inner() for b in list do coroutine.yield(b.id) end end
  local function outer()
    for id in calira.generator(inner) do
      if one_in(10) then calira.sleep(0) end
      coroutine.yield(id)
    end
  end
  local failed = guarded(function()
    for id in calira.generator(one_in(2) and inner or outer) do
      read[#read + 1] = id
      if #read == stop then
        whole = false
        break
      end
    end
  end)
  compare(read, wanted, whole and not failed, options)
  list:close()
end

--- Requests: waited for, cancelled, forgotten.
actions[8] = function(self)
  local requests = {}
  for i = 1, random(6) do requests[i] = self.client:request("/bookings/" .. 12344 + i % self.bookings + 1) end
  for _, request in ipairs(requests) do
    local what = random(4)
    if what == 1 then request:cancel() end
    if what < 4 then guarded(request.wait, request) end
  end
end

actions[9] = function() calira.sleep(any(0, 0, 0.001)) end

--- A nested run, or tasks of its own.
actions[10] = function(self)
  if self.depth > 3 then return end
  self.depth = self.depth + 1
  guarded(calira.run, function()
    local tasks = {}
    for i = 1, random(3) do tasks[i] = calira.spawn(function() self:act(2) end) end
    self:act(2)
    for _, task in ipairs(tasks) do
      if one_in(4) then task:cancel() end
      if one_in(2) then guarded(task.wait, task) end
    end
    if one_in(6) then error(OWN, 0) end
  end)
  self.depth = self.depth - 1
end

actions[11] = function(self)
  if self.depth > 3 then return end
  self.depth = self.depth + 1
  local functions = {}
  for i = 1, random(3) do
    functions[i] = function()
      self:act(2)
      if one_in(8) then error(OWN, 0) end
      return i
    end
  end
  local failed, results = guarded(calira.gather, functions)
  if not failed and results and results[1] ~= nil and results[1] ~= 1 then wrong "gather mixed its results up" end
  self.depth = self.depth - 1
end

--- In a coroutine of the program's own, or where Lua cannot yield.
actions[12] = function(self)
  if self.depth > 3 then return end
  self.depth = self.depth + 1
  if one_in(2) then
    guarded(coroutine.wrap(function() self:act(2) end))
  else
    guarded(table.sort, { 1, 2 }, function(a, b)
      self:act(1)
      return a < b
    end)
  end
  self.depth = self.depth - 1
end

--- Across labs.
actions[13] = function(self)
  if not self.large then return end
  local options = { under = 9000, per_page = 2, unordered = one_in(2) or nil, details = one_in(3) or nil }
  local read, times = {}, {}
  local failed = guarded(function()
    for b in self.client:bookings(options) do
      read[#read + 1] = b.id
      if times[b.id] then wrong("record %d came twice", b.id) end
      times[b.id] = true
    end
  end)
  if not failed and #read ~= 6 then wrong("%d of 6 records under an account", #read) end
end

--- A client that is closed with everything in flight.
actions[14] = function(self)
  local client <close> = helper.client(self.faults, self.options)
  local request, list = client:request "/bookings/12345", client:bookings { provider = 102, per_page = 2 }
  local task = calira.spawn(function() guarded(function() for _ in list do calira.sleep(0) end end) end)
  guarded(list.next, list)
  client:close()
  guarded(request.wait, request)
  guarded(list.next, list)
  guarded(task.wait, task)
end

-- ── Running them ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local most_in_flight

local function program()
  math.randomseed(seed)
  most_in_flight = 0
  local client
  local function watch() most_in_flight = math.max(most_in_flight, client and client:stats().in_flight or 0) end
  local bookings, faults = random(1, 12), {}
  for i = 1, random(0, 2) do faults[i] = FAULTS[random(#FAULTS)]() end
  local large = one_in(3)
  faults[#faults + 1] = "bookings=" .. bookings
  if large then faults[#faults + 1] = "large=2:3;labs=102,9001,9002" end
  local text = table.concat(faults, ";")
  local options = {
    -- what refuses at any rate slows an adaptive client down for minutes
    max_in_flight = random(6), retries = any(0, 2, 5), adaptive = one_in(2) and not text:find "fail", lookahead = one_in(2) and random(0, 8) or nil,
    trace = one_in(3) and watch or nil, limiter = one_in(6) and function() calira.sleep(0) end or nil,
    token = one_in(4) and function()
      calira.sleep(0)
      return helper.token
    end or nil,
  }
  local id
  client, id = helper.client(text, options)
  local self = setmetatable({
    client = client, bookings = bookings, faults = text, options = options, large = large, depth = 0, budget = 25,
  }, Program)
  if one_in(2) then
    guarded(calira.run, function() self:act(5) end)
  else
    self:act(5)
  end
  if one_in(8) then collectgarbage() end
  return client, id, options.max_in_flight
end

local function descriptors()
  local count, pipe <close> = 0, assert(io.popen("ls /proc/$PPID/fd"))
  for _ in pipe:lines() do count = count + 1 end
  return count
end

local function memory()
  collectgarbage()
  collectgarbage()
  return collectgarbage "count"
end

local early_memory, early_descriptors
for i = 1, COUNT do
  seed = FIRST + i - 1
  host.alarm(SECONDS, ("seed %d: it hangs\n"):format(seed))
  local client, id, limit = program()
  if most_in_flight > limit then wrong("%d calls in flight, %d are allowed", most_in_flight, limit) end
  while calira.step(0.01) do collectgarbage "step" end -- tasks that were left behind
  if client:stats().in_flight > 0 then wrong("%d calls are left in flight", client:stats().in_flight) end
  client:close()
  if i % 10 == 1 then
    local seen = helper.stats(id).max_in_flight -- a call that is over, or was given up, counts there a moment longer
    if seen > 2 * limit then wrong("%d calls in flight, %d are allowed", seen, limit) end
  end
  if i == COUNT // 4 + 1 then early_memory, early_descriptors = memory(), descriptors() end
end

local late_memory, late_descriptors = memory(), descriptors()
print(("programs: %d from seed %d; Lua memory %.0f KiB after a quarter, %.0f at the end; descriptors %d, %d")
  :format(COUNT, FIRST, early_memory, late_memory, early_descriptors, late_descriptors))
assert(late_memory < early_memory + 1024, "memory grows")
assert(late_descriptors < early_descriptors + 80, "descriptors are left open")
