-- A list that changes while it is read: bookings of lab 102 that disappear, appear and change places between list
-- calls, as a scenario asks. Its calls are counted from 1, and the changes for a call are made before it is answered.
local world = require "world"

local drift = {}

drift.LAB = 102
local KEYS = { "delete", "insert", "swap", "churn", "shuffle" }

-- Whether the call's list drifts, or has: the same id without the keys sees the list as the drift left it.
function drift.wanted(call)
  for _, key in ipairs(KEYS) do
    if call.keys[key] then return true end
  end
  return call.state.drift ~= nil
end

-- Made on the first list call: order[position + 1] is a booking's index.
local function new(count)
  local d = { calls = 0, inserted = 0, deleted = {}, order = {} }
  for position = 1, count do d.order[position] = position - 1 end
  return d
end

local function delete(d, position)
  local index = d.order[position + 1]
  if not index then return end
  d.deleted[index] = true
  table.remove(d.order, position + 1)
end

local function insert(d, position)
  table.insert(d.order, math.min(position, #d.order) + 1, world.INSERTED + d.inserted)
  d.inserted = d.inserted + 1
end

local function exchange(d, i, j)
  local order = d.order
  if order[i + 1] and order[j + 1] then
    order[i + 1], order[j + 1] = order[j + 1], order[i + 1]
  end
end

-- A number below `limit` that follows from the seed, the call and a salt alone (a step of a linear congruence; the
-- factors keep the product exact in a double).
local function random(seed, call, salt, limit)
  local x = (seed * 7919 + call * 104729 + salt * 1299709) % 2147483647
  x = x * 48271 % 2147483647
  return x * 48271 % 2147483647 % math.max(limit, 1)
end

local function churn(d, keys, call)
  if call % keys.churn ~= 0 or call > (keys.churnuntil or math.huge) then return end
  delete(d, random(keys.seed, call, 1, #d.order))
  insert(d, random(keys.seed, call, 2, #d.order + 1))
end

local function change(d, keys, call, per)
  for _, at in ipairs(keys.delete or {}) do
    if at[1] == call then delete(d, at[2]) end
  end
  for _, at in ipairs(keys.insert or {}) do
    if at[1] == call then insert(d, at[2]) end
  end
  for _, at in ipairs(keys.swap or {}) do
    local i = at[2] or per - 1          -- without a place: over the boundary of the first page
    if at[1] == call then exchange(d, i, at[3] or i + 1) end
  end
  if keys.churn then churn(d, keys, call) end
end

local function gcd(a, b)
  while b ~= 0 do a, b = b, a % b end
  return a
end

-- Another order for each call: position → (position * step + start) mod count, with a step that shares no factor.
local function shuffled(d, keys, call)
  local count = #d.order
  local step = random(keys.seed, call, 3, count) + 1
  while gcd(step, count) ~= 1 do step = step + 1 end
  local start = random(keys.seed, call, 4, count)
  return function(position) return d.order[(position * step + start) % count + 1] end
end

-- The list as call number `calls` + 1 sees it: how many there are, and the index of the booking at a position.
function drift.advance(s, keys, count, per)
  s.drift = s.drift or new(count)
  local d = s.drift
  d.calls = d.calls + 1
  change(d, keys, d.calls, per)
  if keys.shuffle then return #d.order, shuffled(d, keys, d.calls) end
  return #d.order, function(position) return d.order[position + 1] end
end

-- Whether a scenario's drift has taken the booking away, or has brought it.
function drift.has(s, index, count)
  local d = s.drift
  if index < count then return not (d and d.deleted[index]) end
  local n = index - world.INSERTED
  return d ~= nil and n >= 0 and n < d.inserted and not d.deleted[index]
end

return drift
