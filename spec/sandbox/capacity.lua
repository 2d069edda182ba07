-- How much the service can do: a token bucket or a window that refuses calls, and workers before whom calls stand in line. All are
-- kept in a scenario's state. Neither needs a timer: the bucket is filled when it is asked, and a call that comes is
-- told at once when a worker will be free for it.
local capacity = {}

local function now()
  ngx.update_time()
  return ngx.now()
end

-- The bucket of the state, filled up to now. `bucket`: { calls a second, calls that it holds }.
local function filled(state, bucket)
  local time = now()
  local b = state.bucket or { tokens = bucket[2], at = time }
  b.tokens = math.min(bucket[2], b.tokens + (time - b.at) * bucket[1])
  b.at = time
  state.bucket = b
  return b
end

-- Takes a token for a call: nil, or, where there is none, the seconds until there will be.
function capacity.refused_for(state, bucket)
  local b = filled(state, bucket)
  if b.tokens >= 1 then
    b.tokens = b.tokens - 1
    return nil
  end
  state.refused = state.refused + 1
  return (1 - b.tokens) / bucket[1]
end

-- Takes a place of a call in the window, { calls, seconds }, the first of which begins with the first call: nil, or, where all
-- are taken, the seconds until the next one begins.
function capacity.closed_for(state, window)
  local time = now()
  local w = state.window or { from = time, taken = 0 }
  state.window = w
  local over = math.floor((time - w.from) / window[2])
  if over > 0 then w.from, w.taken = w.from + over * window[2], 0 end
  if w.taken < window[1] then
    w.taken = w.taken + 1
    return nil
  end
  state.refused = state.refused + 1
  return w.from + window[2] - time
end

-- How each kind of header says what is left: `left` calls, and whole seconds until the bucket is full again. The policy
-- is q calls in w whole seconds, so w is the time that fills the bucket, or a second where that is less.
local WRITERS = {
  ietf = function(headers, bucket, left, reset)
    local window = math.max(1, math.ceil(bucket[2] / bucket[1]))
    headers["RateLimit"] = ('"default";r=%d;t=%d'):format(left, reset)
    headers["RateLimit-Policy"] = ('"default";q=%d;w=%d'):format(math.floor(bucket[1] * window), window)
  end,
  x = function(headers, bucket, left, reset)
    headers["X-RateLimit-Limit"] = bucket[2]
    headers["X-RateLimit-Remaining"] = left
    headers["X-RateLimit-Reset"] = reset
  end,
}

-- Says in the headers what the bucket still holds; nothing where the scenario has no bucket.
function capacity.tell(state, bucket, kind, headers)
  if not bucket then return end
  local tokens = filled(state, bucket).tokens
  WRITERS[kind](headers, bucket, math.floor(tokens), math.ceil((bucket[2] - tokens) / bucket[1]))
end

-- Forgets the calls of the line that have their worker by now; returns how many still stand in it. A sleep may end a
-- millisecond before the clock says so, and the call that its end brings must not be taken for one that waits.
local function standing(line, time)
  while line.first <= line.last and line.starts[line.first] <= time + 0.001 do
    line.starts[line.first] = nil
    line.first = line.first + 1
  end
  return line.last - line.first + 1
end

-- Puts a call in line before the workers. `workers`: { how many, ms of each call }. Returns the seconds until the call
-- is done. The worker that is free first takes it; as with a real one, a call that the client gives up is worked on all
-- the same.
function capacity.seconds_of_work(state, workers)
  local time, work = now(), workers[2] / 1000
  local line = state.line
  if not line.free then
    line.free = {}
    for n = 1, workers[1] do line.free[n] = 0 end
  end
  local soonest = 1
  for n = 2, #line.free do
    if line.free[n] < line.free[soonest] then soonest = n end
  end
  local start = math.max(time, line.free[soonest])
  local finish = start + work
  line.free[soonest] = finish
  line.last = line.last + 1
  line.starts[line.last] = start
  line.max = math.max(line.max, standing(line, time))
  line.stood = line.stood + (start - time)
  line.busy = line.busy + math.max(0, finish - math.max(time, line.busy_until))
  line.busy_until = math.max(line.busy_until, finish)
  return finish - time + 0.0005 -- ngx.sleep cuts to whole milliseconds, and 0.01 may be a hair less
end

-- An empty line. `starts[first .. last]`: when each call that stands in it gets its worker; `stood`: seconds of all
-- calls together; `busy`: seconds in which any call was there, in line or with a worker, until `busy_until`.
function capacity.new_line()
  return { starts = {}, first = 1, last = 0, max = 0, stood = 0, busy = 0, busy_until = 0 }
end

-- The time-weighted average number of calls in line while any call is there, and the largest number.
function capacity.line_of(state)
  local line = state.line
  return line.busy > 0 and line.stood / line.busy or 0, line.max
end

return capacity
