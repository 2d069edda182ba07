--- Trying again, waiting as the server asks, and the limits of a client: CONTRACT section 2. Judged by counts and by one time against
-- another, never by a time alone.

local calira = require "calira"
local H = require "spec.support.helper"

local function uptime()
  local file <close> = assert(io.open "/proc/uptime")
  return file:read "n"
end

--- Seconds that f takes, and what it returns.
local function timed(f, ...)
  local before = uptime()
  local result = f(...)
  return uptime() - before, result
end

local function fails(client) return H.failure(client.get, client, "/accounts/101") end

describe("a call is tried again", function()
  for _, status in ipairs { 408, 429, 500, 502, 503, 504 } do
    it("after " .. status, function()
      local client, id = H.client(("firstfail=%d:3"):format(status))
      local record, response = client:get "/accounts/101"
      assert.same({ 101, 4, 200 }, { record.id, response.attempts, response.status })
      assert.equal(4, H.stats(id).calls)
      assert.equal(3, client:stats().retries)
      assert.equal(4, client:stats().calls)
    end)
  end

  for _, status in ipairs { 400, 401, 403, 404, 405, 409, 410, 422, 425, 501, 505 } do
    it("never after " .. status, function()
      local client, id = H.client(("firstfail=%d:1"):format(status))
      local err = fails(client)
      assert.same({ status, 1 }, { err.status, err.attempts })
      assert.equal(1, H.stats(id).calls)
    end)
  end

  for name, scenario in pairs { reset = "reset=1", ["cut body"] = "cut=1", ["cut chunks"] = "chunkcut=1", ["silent server"] = "silence=1" } do
    it("after a network failure: " .. name, function()
      local client, id = H.client(scenario, { retries = 2, timeout = name == "silent server" and 0.1 or nil })
      assert.equal(3, fails(client).attempts)
      local calls = H.stats(id).calls -- libcurl asks again by itself where a kept connection turns out to be closed
      assert.is_true(calls == 3 or (name == "reset" and calls == 4))
    end)
  end

  it("as often as it may, and no more", function()
    for _, retries in ipairs { 0, 1, 4, 25 } do
      local client, id = H.client("fail=503:1", { retries = retries, backoff = { base = 0 } })
      assert.equal(retries + 1, fails(client).attempts)
      assert.equal(retries + 1, H.stats(id).calls)
    end
    local client = H.client("fail=503:1", { backoff = { base = 0 } })
    assert.equal(5, fails(client).attempts)
    client = H.client("firstfail=503:30", { retries = 30, backoff = { base = 0 } })
    assert.equal(320, #client:bookings({ provider = 101 }):collect())
  end)

  it("each for itself, in a walk whose every second call fails", function()
    local client = H.client("fail=503:2", { retries = 10, backoff = { base = 0 } })
    local list = client:bookings { provider = 101, per_page = 2 }
    assert.equal(320, #list:collect())
    assert.equal("complete", list:report().verdict)
  end)

  it("and a server that only fails is not asked hundreds of times by one walk", function()
    local client, id = H.client("failpath=503:page%3D2", { backoff = { base = 0 }, lookahead = 64, max_in_flight = 64 })
    local list = client:bookings { provider = 102, per_page = 10 }
    assert.equal("server", H.failure(list.collect, list).kind)
    assert.is_true(H.stats(id).calls < 200)
  end)

  it("after longer and longer pauses, with jitter", function()
    local delays = {}
    local client = H.client("fail=503:1", {
      retries = 6, backoff = { base = 0.01, max = 0.04 }, trace = function(e) if e.event == "retry" then delays[#delays + 1] = e.seconds end end,
    })
    for _ = 1, 10 do fails(client) end
    assert.equal(60, #delays)
    local distinct, most = {}, 0
    for i, delay in ipairs(delays) do
      local bound = math.min(0.01 * 2 ^ ((i - 1) % 6), 0.04)
      assert.is_true(delay >= 0 and delay <= bound)
      distinct[delay], most = true, math.max(most, delay)
    end
    assert.is_true(most > 0.01, "it never grew")
    local count = 0
    for _ in pairs(distinct) do count = count + 1 end
    assert.is_true(count > 30, "there is no jitter")
  end)
end)

describe("Retry-After", function()
  --- The delays before each retry.
  local function delays(scenario, options)
    local told = {}
    local all = { retries = 1, trace = function(e) if e.event == "retry" then told[#told + 1] = e.seconds end end }
    for name, value in pairs(options or {}) do all[name] = value end
    local client, id = H.client(scenario, all)
    local ok, err = pcall(client.get, client, "/accounts/101")
    return told, ok or err, id, client
  end

  it("in seconds is waited for", function()
    local told, result, _, client = delays "firstfail=503:1;retry_after=1"
    assert.is_true(result)
    assert.equal(1, #told)
    assert.is_true(told[1] >= 1 and told[1] < 1.1)
    assert.is_true(client:stats().waited >= 1)
    assert.is_true(delays "firstfail=429:1;retry_after=0"[1] < 0.1)
  end)

  it("as a date counts from the server's own clock", function()
    for _, skew in ipairs { 0, 86400, -86400 } do
      local told, result = delays("firstfail=503:1;retry_after=date%2B1;dateskew=" .. skew)
      assert.is_true(result)
      assert.is_true(told[1] >= 0 and told[1] < 2.2, told[1])
    end
    assert.is_true(delays "firstfail=503:1;retry_after=date-100"[1] < 0.1)
  end)

  it("that is junk is none", function()
    for _, junk in ipairs { "soon", "-5", "1.", "", "5s", "Mon,%2099%20Foo" } do
      local told, result = delays("firstfail=503:1;retry_after=" .. junk)
      assert.is_true(result)
      assert.is_true(told[1] < 0.1, junk)
    end
  end)

  it("beyond max_wait is kept for later calls, which are told at once", function()
    local client, id = H.client("fail=429:1;retry_after=3600", { max_wait = 2 })
    local seconds = timed(function()
      for _ = 1, 3 do
        local err = H.failure(client.get, client, "/accounts/101")
        assert.same({ "rate_limited", 3600 }, { err.kind, err.retry_after })
      end
    end)
    assert.is_true(seconds < 1.5, "one of them waited")
    assert.equal(1, H.calls(id))
  end)

  it("beyond max_wait fails at once and says when to come back", function()
    for text, seconds in pairs { ["61"] = 61, ["date%2B100"] = 100, ["99999999999999999999"] = 3.2e9 } do
      local told, err, id = delays("fail=503:1;retry_after=" .. text)
      assert.same({}, told)
      assert.equal(1, H.stats(id).calls)
      assert.same({ "server", 503, 1 }, { err.kind, err.status, err.attempts })
      assert.is_true(math.abs(err.retry_after - seconds) <= 1)
      assert.matches("come back in %d+ s, at ", err.message)
    end
    local _, err = delays("fail=429:1;retry_after=2", { max_wait = 1 })
    assert.same({ "rate_limited", 2 }, { err.kind, err.retry_after })
    _, err = delays("fail=429:1;retry_after=1", { max_wait = 1, retries = 0 })
    assert.same({ "rate_limited", 1 }, { err.kind, err.retry_after })
  end)

  it("of one call holds all calls of the client", function()
    local client, id = H.client("firstfail=429:1;retry_after=1", { max_in_flight = 1, adaptive = false })
    local order = {}
    local seconds = timed(calira.run, function()
      local jobs = {}
      for i = 1, 5 do
        jobs[i] = function()
          local record = client:account(100 + i)
          order[#order + 1] = record.id
        end
      end
      calira.gather(jobs)
    end)
    assert.equal(6, H.stats(id).calls)
    assert.is_true(seconds >= 0.99, "the others did not wait")
    assert.same({ 101, 102, 103, 104, 105 }, order)
    assert.is_true(client:stats().waited >= 1 and client:stats().waited < 1.2, "counted more than once")
  end)

  it("is counted once, however often a rate that was learnt changes meanwhile", function()
    local client = H.client("bucket=10:2;latency=30", { max_in_flight = 8 })
    local seconds = timed(function()
      local requests = {}
      for i = 1, 25 do requests[i] = client:request "/accounts/101" end
      for i = 1, 25 do requests[i]:wait() end
    end)
    assert.is_true(client:stats().waited > 0 and client:stats().waited <= seconds + 0.1, "counted more than once")
  end)

  it("is counted as it passes, not ahead of it", function()
    local client = H.client("firstfail=503:1;retry_after=5", { deadline = 20 })
    local request = client:request "/accounts/101"
    calira.sleep(0.3)
    assert.is_true(client:stats().waited > 0.1 and client:stats().waited < 0.4, client:stats().waited)
    request:cancel()
  end)

  it("or its own backoff does, where a 429 or a 503 says no time", function()
    for status, pauses in pairs { [429] = true, [503] = true, [500] = false } do
      local client = H.client(("firstfail=%d:1"):format(status), { max_in_flight = 1, backoff = { base = 0.2 } })
      calira.gather { function() client:account(101) end, function() client:account(102) end }
      assert.equal(pauses, client:stats().waited > 0)
    end
  end)
end)

describe("time", function()
  it("for an attempt runs out, whatever the server does", function()
    for _, scenario in ipairs { "silence=1", "drip=100", "latency=5000" } do
      local client, id = H.client(scenario, { timeout = 0.3, retries = 0 })
      local seconds, err = timed(fails, client)
      assert.same({ "timeout", 1 }, { err.kind, err.attempts })
      assert.is_true(seconds < 3, "it took the server's time")
      assert.equal(1, H.stats(id).calls)
    end
  end)

  it("for an attempt begins with it, whatever the script did before", function()
    local client = H.client("silence=1", { timeout = 0.2, retries = 0 })
    H.client():get "/accounts/101" -- the engine looks, and then not for a while
    os.execute "sleep 2"
    local seconds, err = timed(fails, client)
    assert.equal("timeout", err.kind)
    assert.is_true(seconds < 1.5, "the pause was added to its time")
  end)

  it("for a call runs out in an attempt, between two and in the line", function()
    for scenario, kind in pairs { ["silence=1"] = "timeout", ["fail=503:1;retry_after=30"] = "rate_limited", ["reset=1"] = "timeout" } do
      local client = H.client(scenario, { deadline = 0.2, retries = 100, backoff = { base = 1, max = 30 } })
      local seconds, err = timed(fails, client)
      assert.equal(kind, err.kind)
      assert.matches("deadline of 0.2 s", err.message, 1, true)
      assert.is_true(seconds < 3)
    end
    local client, id = H.client("silence=1", { deadline = 0.2, max_in_flight = 1 })
    local first, second = client:request "/accounts/101", client:request "/accounts/102"
    assert.equal("timeout", H.failure(first.wait, first).kind)
    assert.is_false(second:done(), "its time begins when the client lets it go")
    assert.equal("timeout", H.failure(second.wait, second).kind)
    assert.equal(0, client:stats().in_flight)
    assert.is_true(H.stats(id).calls <= 2)
  end)

  it("that a pause of the service goes beyond is over at once for every call in the line", function()
    local client, id = H.client("fail=429:1;retry_after=5", { deadline = 1, max_in_flight = 2 })
    local requests = {}
    for i = 1, 12 do requests[i] = client:request "/accounts/101" end
    local seconds = timed(function()
      for i = 1, 12 do assert.equal("rate_limited", H.failure(requests[i].wait, requests[i]).kind) end
    end)
    assert.is_true(seconds < 2, "some waited for the end of the pause")
    assert.is_true(H.calls(id) <= 2)
  end)

  it("for a call goes on where the JSON of its answer was cut short", function()
    local client, id = H.client("body=badjson;latency=700", { deadline = 1 })
    local seconds, err = timed(fails, client)
    assert.same({ "timeout", 2 }, { err.kind, err.attempts })
    assert.is_true(seconds < 1.4, "each attempt had one of its own")
    assert.equal(2, H.calls(id))
    client = H.client("body=badjson;bodyevery=2", { deadline = 1 })
    local good, cut = client:request "/accounts/101", client:request "/accounts/101"
    assert.equal(101, good:wait().id)
    os.execute "sleep 1.2" -- however late it is read
    assert.equal(101, cut:wait().id)
  end)

  it("for each call of a walk is its own", function()
    local client = H.client("latency=60", { deadline = 1 })
    assert.equal(250, #client:bookings({ provider = 102, per_page = 8, lookahead = 0 }):collect())
  end)

  it("for connecting is bounded", function()
    -- 192.0.2.0/24 is for documentation: nobody answers there, or the network is not reachable at once
    local client = calira.new { base_url = "https://192.0.2.1/v1", token = H.token, connect_timeout = 0.2, retries = 0 }
    local seconds, err = timed(fails, client)
    assert.is_true(err.kind == "timeout" or err.kind == "network")
    assert.is_true(seconds < 5)
  end)

  it("may be as short or long as one likes", function()
    local client = H.client("latency=500", { timeout = 0.0001, retries = 0 })
    assert.equal("timeout", fails(client).kind)
    client = H.client("", { timeout = 3e9, connect_timeout = 3e9, deadline = 3e9 })
    assert.equal(101, client:account(101).id)
  end)
end)

describe("the line", function()
  --- Asks for `count` accounts at once; the order of their answers.
  local function together(client, count)
    local order = {}
    calira.run(function()
      local jobs = {}
      for i = 1, count do
        jobs[i] = function() order[#order + 1] = client:account(100 + i).id end
      end
      calira.gather(jobs)
    end)
    return order
  end

  it("sends no more than max_in_flight at once, whoever asks", function()
    for _, most in ipairs { 1, 3, 8 } do
      local client, id = H.client("latency=30", { max_in_flight = most })
      calira.run(function()
        local list = calira.spawn(function() return #client:bookings({ provider = 102, per_page = 10, lookahead = 20 }):collect() end)
        together(client, 10)
        assert.equal(250, list:wait())
      end)
      assert.equal(most, H.stats(id).max_in_flight)
    end
    local client, id = H.client "latency=50"
    together(client, 20)
    assert.equal(8, H.stats(id).max_in_flight)
  end)

  it("keeps the order in which was asked", function()
    local client, id = H.client("latency=2", { max_in_flight = 1 })
    together(client, 15)
    local log = H.stats(id).log
    for i = 1, 15 do assert.matches("/accounts/" .. 100 + i .. " ", log[i], 1, true) end
  end)

  it("sends what is tried again before what was asked later, in its order", function()
    local client, id = H.client("firstfail=429:3;retry_after=0;latency=20", { max_in_flight = 3 })
    together(client, 9)
    local log = H.stats(id).log
    assert.equal(12, #log)
    local ids = {}
    for i = 1, 6 do ids[i] = tonumber(log[i]:match "/accounts/(%d+)") end
    table.sort(ids) -- three at once come in any order
    assert.same({ 101, 101, 102, 102, 103, 103 }, ids)
  end)

  it("keeps to the rate", function()
    local fast = timed(together, (H.client()), 11)
    local client = H.client("", { rate = 20 })
    local seconds = timed(together, client, 11)
    assert.is_true(seconds >= 0.48, "10 pauses of 50 ms")
    assert.is_true(fast < seconds)
    assert.is_true(client:stats().waited >= 0.3 and client:stats().waited < seconds + 0.1)
  end)

  it("is each client's own", function()
    local one, other = H.client("silence=1", { max_in_flight = 1 }), H.client()
    local stuck = one:request "/accounts/101"
    assert.equal(102, other:account(102).id)
    stuck:cancel()
  end)

  it("goes on when one that was in flight is cancelled", function()
    local client = H.client("silence=2", { max_in_flight = 1 })
    client:account(101)
    local stuck, next_one = client:request "/accounts/102", client:request "/accounts/103"
    stuck:cancel()
    assert.equal(103, next_one:wait().id)
  end)
end)
