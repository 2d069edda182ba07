--- How a fleet shares a rate: policy alone, no clock, no I/O. Times are seconds.
--
-- There is one row for all (`M.row`). A client asks it for calls (`Lease:asking`) and is given a window of the service's time for them
-- (`M.step`): so many calls, from then on, at the fleet's rate. Windows follow one another, so that together the clients never start calls
-- faster than the rate, whatever each of them does; who asks again gets a window behind those that others hold, so that all have the same
-- share without anybody knowing who the others are, and what nobody wants is left to those who want it.
--
-- PostgreSQL does what `M.step` says as one statement (postgres.lua); a spec holds the two against each other. A client's part is `Lease`.

local M = {}

M.TAU = 30          -- seconds after which a client that asked no more counts for 1/e
M.FRESH = 60        -- seconds for which a client's option `rate` holds for all, after it last asked
M.FIRST_RATE = 10   -- calls a second before anything is known, doubled every second in which it is used up, until the first 429
M.MOST_RATE = 1e6
M.GROWTH = 0.01     -- later: its growth in a second in which it is used up
M.BELOW = 0.97      -- of what was measured as accepted
M.MOST_LENGTH = 15  -- seconds that a lease is for at the most
M.ASKS = 50         -- leases a second for the whole fleet: where they would be more, each is longer
M.MOST_CALLS = 50   -- calls in a lease that is longer than a second
M.AHEAD = 2         -- lengths: no window begins later than that; who would get one comes back
M.LOOSE = 0.1       -- seconds: a window that ended no longer ago was used up

-- ── The row ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- A row of a fleet of which nothing is known. Fields: `given`, `given_at`: the smallest option `rate`; `learnt`: calls a second, `steady`
-- once a 429 came; `grown_at`; `next_at`: where the last window ends; `paused_until`; `cut_until`: refusals before belong to the last one;
-- `since`, `pause`, `spent`: what is measured between two refusals; `clients`, `clients_at`: how many ask.
---@param now number
---@param learnt number? what a client remembers of a row that is gone
---@return table row
function M.row(now, learnt)
  return {
    given = nil, given_at = now, learnt = learnt or M.FIRST_RATE, steady = learnt ~= nil, grown_at = now, next_at = now, paused_until = now,
    cut_until = now, since = now, pause = 0, spent = 0, clients = 0, clients_at = now,
  }
end

--- How much one client counts: so much that it counts for one in all, however often it asks.
---@param since number? seconds since it last asked; nil: never
---@return number
function M.weight(since) return since and 1 - math.exp(-since / M.TAU) or 1 end

local function smaller(a, b) return b and b < a and b or a end

--- The rate for all, the option `rate` apart: the first is the user's own, until a 429 says that it is too much.
local function rate_of(row)
  if not row.steady and row.given then return row.given end
  return smaller(row.learnt, row.given)
end

--- A refusal: what was accepted since the one before, at both of which the service's bucket was empty, is the rate that it allows. Of the
-- pause before, the bucket may have kept everything or nothing: half of it counts.
local function cut(row, now, pause, length)
  local rate, span = rate_of(row), math.max(now - row.since, 0)
  local accepted = row.spent - math.max(row.next_at - now, 0) * rate
  local measured = M.BELOW * math.max(accepted, 0) / math.max(span + row.pause / 2, 0.1)
  if not row.steady and span < 5 then measured = 0 end -- mostly what the bucket held at first
  row.learnt = math.max(math.min(measured, M.BELOW * rate), rate / 2)
  row.steady = true
  row.cut_until = now + math.max(pause, length)
  row.since, row.pause, row.spent = now + pause, pause, 0
end

--- How long a lease is: a second; in a large fleet longer, so that the database is not asked too often. A second, too, while the rate is
-- being found out, since a client hears of a refusal when it asks.
function M.length(row)
  local share = rate_of(row) / math.max(row.clients, 1)
  local longest = (row.steady or row.given) and math.min(M.MOST_LENGTH, M.MOST_CALLS / share) or 1
  return math.max(math.min(row.clients / M.ASKS, longest), 1)
end

local function count(row, ask, now)
  local elapsed = math.min(math.max(now - row.clients_at, 0), 50 * M.TAU)
  row.clients, row.clients_at = row.clients * math.exp(-elapsed / M.TAU) + ask.weight, now
end

local function give(row, ask, now)
  local fresh = row.given and now - row.given_at <= M.FRESH
  if ask.rate and (not fresh or ask.rate <= row.given) then
    row.given, row.given_at = ask.rate, now
  elseif not fresh then
    row.given = nil
  end
end

local function grow(row, now)
  local seconds = math.min(math.max(now - row.grown_at, 0), 1)
  if row.next_at > now - M.LOOSE and now >= row.paused_until and (row.steady or not row.given) then
    row.learnt = math.min(row.learnt * (row.steady and 1 + M.GROWTH * seconds or 2 ^ seconds), M.MOST_RATE)
  end
  row.grown_at = now
end

--- What the row makes of an ask.
---@param row table changed in place
---@param ask table `want`: calls, 0: only tells something; `rate`: the client's own option; `weight`; `unused`: calls of leases that were
---  not made; `refused`: how many 429 came; `pause`: seconds to keep away
---@param now number
---@return table answer `count` (calls, 0: come back later), `start` (seconds until the first), `rate` (calls a second from then),
---  `share` (calls a second that one client gets), `length` (of the lease, seconds), `pause` (seconds), `learnt`
function M.step(row, ask, now)
  count(row, ask, now)
  give(row, ask, now)
  local length = M.length(row)
  row.spent = row.spent - ask.unused - ask.refused
  row.since = row.since + math.max(now - math.max(row.next_at, row.since) - M.LOOSE, 0) -- nobody wanted any
  if ask.refused > 0 and now >= row.cut_until then cut(row, now, ask.pause, length) else grow(row, now) end
  row.paused_until = math.max(row.paused_until, now + ask.pause)
  local rate = rate_of(row)
  local share = rate / math.max(row.clients, 1)
  local calls = math.min(ask.want, math.max(1, math.floor(share * length)))
  local first = math.max(row.paused_until, now)
  local start = math.max(row.next_at, first)
  if start - first > M.AHEAD * length then calls = 0 end
  if calls > 0 then row.next_at = start + calls / rate end
  row.spent = row.spent + calls
  return {
    count = calls, start = start - now, rate = rate, share = share, length = length, pause = math.max(row.paused_until - now, 0),
    learnt = row.steady and row.learnt or nil,
  }
end

-- ── A client's lease ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

M.ALONE = 0.8       -- of its last share, while the row cannot be asked
M.TOLD = 0.25       -- seconds in which refusals are told once
M.FIRST_RETRY = 0.5 -- seconds until the row is asked again, doubled each time
M.MOST_RETRY = 4

local Lease = {}
Lease.__index = Lease

--- A client that has no lease yet.
---@param rate number? the option `rate`
function M.new(rate)
  return setmetatable({
    rate = rate, left = 0, slot = 0, gap = 0, ends = 0, paused_until = -math.huge, back_at = -math.huge, want = 1, used = 0, unused = 0, refused = 0,
    alone = false, retry_at = 0, retry = M.FIRST_RETRY,
  }, Lease)
end

--- One more call starts; those that are behind their time catch up at twice the rate.
function Lease:spend(now)
  self.slot = math.max(self.slot + self.gap, now + self.gap / 2)
end

--- Whether a call may start.
---@param now number
---@return number|nil seconds 0: it may, and is counted; else when to ask again; nil: ask the row first
function Lease:take(now)
  if now < self.paused_until then return self.paused_until - now end
  if self.alone then
    if now >= self.retry_at then return nil end
    if now < self.slot then return math.min(self.slot, self.retry_at) - now end
    self:spend(now)
    return 0
  end
  if self.left > 0 and now > self.ends then self:drop() end
  if self.left == 0 then
    if now < self.back_at then return self.back_at - now end
    return nil
  end
  if self.slot - now > 0.001 then return self.slot - now end
  self.left, self.used = self.left - 1, self.used + 1
  self:spend(now)
  return 0
end

--- Gives up what is left of the lease.
function Lease:drop()
  self.unused, self.left = self.unused + self.left, 0
end

--- What to ask the row. `want`: calls; by default as many as the last lease showed to be of use, up to one's share.
---@param now number
---@param want integer?
---@return table ask see M.step
function Lease:asking(now, want)
  if not want then
    local used_up = self.left == 0 and self.unused == 0
    self.want = used_up and math.min(2 * self.want, 1 << 20) or math.max(self.used, 1)
    self.used = 0
  end
  return {
    want = want or self.want, rate = self.rate, weight = M.weight(self.asked_at and now - self.asked_at), unused = self.unused,
    refused = self.refused, pause = math.max(self.paused_until - now, 0),
  }
end

--- The row answered to an ask for so many calls.
function Lease:granted(answer, now, wanted)
  self.asked_at, self.unused, self.refused = now, 0, 0
  self.alone, self.retry = false, M.FIRST_RETRY
  self.share, self.learnt = answer.share, answer.learnt
  self.paused_until = math.max(self.paused_until, now + answer.pause)
  if answer.count == 0 then
    if wanted > 0 then self.back_at = now + math.max(answer.start / 2, answer.length) end
    return
  end
  self.left, self.gap, self.slot = answer.count, 1 / answer.rate, now + answer.start
  self.ends = self.slot + answer.count * self.gap + answer.length
end

--- The row could not be asked, which took so many seconds: goes on alone, below the last share. Without one, nothing may start.
---@return boolean whether it can go on
function Lease:failed(now, took)
  if not self.alone and self.share then
    self.gap = 1 / (M.ALONE * self.share)
    self.slot = now + self.gap
  end
  self.alone, self.left, self.unused = self.share ~= nil, 0, 0
  self.retry_at = now + math.max(self.retry, 10 * took)
  self.retry = math.min(2 * self.retry, M.MOST_RETRY)
  return self.alone
end

--- An attempt was refused by 429, or told to come back in so many seconds; nil: not said (yet).
---@return boolean whether the row should be told at once
function Lease:heard(now, refused, pause)
  if refused then self.refused = self.refused + 1 end
  if not pause then return false end
  self.paused_until = math.max(self.paused_until, now + pause)
  if self.alone then
    self.gap = self.gap * (self.refused > 0 and 1.4 or 1)
    self.refused = 0
    return false
  end
  self:drop()
  if self.told_at and now - self.told_at < M.TOLD then return false end
  self.told_at = now
  return true
end

return M
