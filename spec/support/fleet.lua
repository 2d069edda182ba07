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

return M
