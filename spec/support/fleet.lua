--- A fleet, simulated in events: clients with leases of one row, and a service with a token bucket. For spec/limits, and for the figures of
-- docs/scale.md:
--
--   lua5.4 spec/support/fleet.lua        (from the checkout, with LUA_PATH='lua/?.lua;;')

local lease = require "calira.limits.lease"

local M = {}

-- ── Events ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local Events = {}
Events.__index = Events

--- A heap of events, earliest first.
function M.events() return setmetatable({ now = 0 }, Events) end

function Events:at(when, f)
  local place = #self + 1
  local each = { when, f }
  while place > 1 and self[place // 2][1] > when do
    self[place] = self[place // 2]
    place = place // 2
  end
  self[place] = each
end

local function take(heap)
  local top, last, count = heap[1], heap[#heap], #heap - 1
  heap[#heap] = nil
  if count == 0 then return top end
  local place = 1
  while 2 * place <= count do
    local child = 2 * place
    if child < count and heap[child + 1][1] < heap[child][1] then child = child + 1 end
    if heap[child][1] >= last[1] then break end
    heap[place] = heap[child]
    place = child
  end
  heap[place] = last
  return top
end

--- Runs until nothing is left, or `over()` is true.
function Events:run(over)
  while #self > 0 and not (over and over()) do
    local each = take(self)
    self.now = each[1]
    each[2]()
  end
end

-- ── The service ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- A token bucket: nil where it lets a call in, else Retry-After.
local function bucket(rate, burst)
  local tokens, filled = burst, 0
  return function(now)
    tokens, filled = math.min(burst, tokens + (now - filled) * rate), now
    if tokens >= 1 then
      tokens = tokens - 1
      return nil
    end
    return math.ceil((1 - tokens) / rate)
  end
end

-- ── Clients ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local Client = {}
Client.__index = Client

--- One statement, which the database answers, unless it is down.
function Client:ask(want)
  local fleet, now = self.fleet, self.fleet.events.now
  fleet.statements = fleet.statements + 1
  if fleet.down and now >= fleet.down and now < fleet.down + 5 then return self.lease:failed(now, 0) end
  local ask = self.lease:asking(now, want)
  self.lease:granted(lease.step(fleet.row, ask, now), now, ask.want)
end

function Client:answered()
  local fleet, now = self.fleet, self.fleet.events.now
  self.in_flight = self.in_flight - 1
  local retry_after = fleet.service(now)
  if retry_after then
    fleet.refused = fleet.refused + 1
    self.lease:heard(now, true)
    if self.lease:heard(now, false, retry_after) then self:ask(0) end
  else
    self.todo = self.todo - 1
    fleet.seconds = now
    if self.todo == 0 then fleet.first = fleet.first or now end
  end
  self:go_on()
end

--- Starts what may start, as the client's queue does.
function Client:go_on()
  local fleet, events = self.fleet, self.fleet.events
  while self.todo > self.in_flight and self.in_flight < fleet.max_in_flight do
    local seconds = self.lease:take(events.now)
    if seconds == 0 then
      self.in_flight, fleet.calls = self.in_flight + 1, fleet.calls + 1
      events:at(events.now + fleet.latency * (0.8 + 0.4 * math.random()), function() self:answered() end)
    elseif seconds then
      local when = events.now + seconds
      if not self.timer or self.timer > when or self.timer <= events.now then
        self.timer = when
        events:at(when, function() self:go_on() end)
      end
      return
    else
      self:ask()
    end
  end
end

--- Clients that each have so many calls to make.
---@param o table `clients`, `calls` (each one's, or an array), `service` and `burst` (of the bucket), `rate` (the option), `latency`, `down`
---  (when the database is away for five seconds), `seed`
---@return table seen `calls`, `refused`, `statements`, `seconds` until the last was answered, `first`: until one client was done; `ideal`
function M.limit(o)
  math.randomseed(o.seed or 1)
  local events = M.events()
  local fleet = {
    events = events, row = lease.row(0), service = bucket(o.service, o.burst), latency = o.latency or 0.02, max_in_flight = 8, down = o.down,
    calls = 0, refused = 0, statements = 0, seconds = 0,
  }
  local all = 0
  for i = 1, o.clients do
    local todo = type(o.calls) == "table" and o.calls[i] or o.calls
    all = all + todo
    local client = setmetatable({ fleet = fleet, lease = lease.new(o.rate), todo = todo, in_flight = 0 }, Client)
    events:at(math.random() * 0.2, function() client:go_on() end)
  end
  events:run()
  fleet.ideal = (all - o.burst) / o.service
  return fleet
end

-- ── An export ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
-- The queue as queue.lua has it: a lab that is free or whose lease ran out, the largest first; a page, its cursor and the lease are one
-- statement, which fails where the lab is another's. Each page of 100 bookings is 101 calls, which take as long as the shared limit says.

--- An index into labs that may be taken: those that wait, the largest first, then those whose leases ran out, in the order of leases.
local function take_from(queue, now)
  local lab = queue.waiting[#queue.waiting]
  if lab then
    queue.waiting[#queue.waiting] = nil
    return lab
  end
  local left, taken = {}, nil
  for _, each in ipairs(queue.running) do
    if each.state == "running" then
      if not taken and each.until_ < now then taken = each else left[#left + 1] = each end
    end
  end
  queue.running = left
  return taken
end

--- Workers that export, some of which die or stand still at random.
---@param o table `workers`, `labs`, `rate` (calls a second for all), `failures` (deaths in all), `lease`, `seed`
---@return table seen `statements`, `calls`, `lost`, `twice` (labs written by two at once), `taken_over`, `fenced`, `seconds`
function M.export(o)
  math.randomseed(o.seed or 1)
  local events, row = M.events(), lease.row(0)
  local seen = { statements = 0, calls = 0, lost = 0, twice = 0, taken_over = 0, fenced = 0, done = 0, pages = 0 }
  local queue = { waiting = {}, running = {} }
  for i = 1, o.labs do queue.waiting[i] = { id = i, pages = math.random(1, 9), cursor = 0, state = "waiting", written = {}, until_ = 0 } end
  table.sort(queue.waiting, function(a, b) return a.pages < b.pages end)
  local all = { table.unpack(queue.waiting) }
  local work

  --- Time for so many calls: out of the lease at hand, then of another. What is left of it serves the next page.
  local function calls_of(worker, left, done)
    if left == 0 then return done() end
    local now, start, rate = events.now, 0, 40
    if worker.stock == 0 then
      seen.statements = seen.statements + 1
      local ask = worker.lease:asking(now)
      local answer = lease.step(row, ask, now)
      worker.lease:granted(answer, now, ask.want)
      worker.stock, worker.lease.left, worker.lease.used = answer.count, 0, answer.count
      start, rate = answer.start, math.min(answer.rate, rate)
      if answer.count == 0 then start = math.max(answer.start / 2, answer.length) end
    end
    local count = math.min(worker.stock, left)
    worker.stock, seen.calls = worker.stock - count, seen.calls + count
    events:at(now + start + count / rate, function() calls_of(worker, left - count, done) end)
  end

  local function page(worker, lab)
    local function written()
      if worker.dead then return end
      if worker.still and events.now < worker.still then return events:at(worker.still, written) end
      seen.statements = seen.statements + 2
      if lab.owner ~= worker or lab.state ~= "running" then
        seen.fenced = seen.fenced + 1
        return work(worker)
      end
      lab.cursor = lab.cursor + 1
      if lab.written[lab.cursor] then seen.twice = seen.twice + 1 end
      lab.written[lab.cursor], lab.until_ = true, events.now + o.lease
      if lab.cursor < lab.pages then return page(worker, lab) end
      lab.state, seen.done, seen.seconds = "done", seen.done + 1, events.now
      seen.statements = seen.statements + 2
      work(worker)
    end
    calls_of(worker, 101, written)
  end

  local function beat(worker, lab)
    events:at(lab.until_ - o.lease / 2, function()
      if worker.dead or lab.owner ~= worker or lab.state ~= "running" then return end
      if worker.still and events.now < worker.still then return events:at(worker.still, function() beat(worker, lab) end) end
      if events.now >= lab.until_ - o.lease / 2 then
        seen.statements = seen.statements + 1
        lab.until_ = events.now + o.lease
      end
      beat(worker, lab)
    end)
  end

  function work(worker)
    if seen.done == o.labs or worker.dead then return end
    seen.statements = seen.statements + 1
    local lab = take_from(queue, events.now)
    if not lab then
      worker.pause = math.min(2 * (worker.pause or 0.1), 5)
      return events:at(events.now + worker.pause, function() work(worker) end)
    end
    if lab.owner then seen.taken_over = seen.taken_over + 1 end
    worker.pause, lab.owner, lab.state, lab.until_ = nil, worker, "running", events.now + o.lease
    queue.running[#queue.running + 1] = lab
    beat(worker, lab)
    page(worker, lab)
  end

  local function start(delay)
    local worker = { lease = lease.new(o.rate), stock = 0 }
    events:at(events.now + delay, function() work(worker) end)
    return worker
  end
  local workers = {}
  for i = 1, o.workers do workers[i] = start(math.random() * 5) end
  for _ = 1, o.failures do
    events:at(math.random() * o.labs * 500 / o.rate, function()
      local i = math.random(#workers)
      if math.random() < 0.5 then -- killed, and started again
        workers[i].dead = true
        workers[i] = start(math.random() * 10)
      else -- stands still for a while: no heartbeat
        workers[i].still = events.now + 2 * o.lease
      end
    end)
  end
  events:run(function() return seen.done == o.labs end)
  for _, lab in ipairs(all) do
    if lab.cursor ~= lab.pages then seen.lost = seen.lost + 1 end
    seen.pages = seen.pages + lab.pages
  end
  return seen
end

return M
