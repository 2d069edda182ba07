--- A limit that several clients and processes share through PostgreSQL. CONTRACT section 2.

local calira = require "calira"
local H = require "spec.support.helper"
local lease = require "calira.limits.lease"
local postgres = require "spec.support.postgres"
local warnings = require "spec.support.warnings"

local database = postgres.start()
local count = 0

local function name()
  count = count + 1
  return "it's \\ " .. count
end

local function limits(given) return calira.limits.postgres { dsn = database.dsn, name = given or name() } end

--- Runs a script in several processes at once: what they print, as numbers.
local function together(text, processes)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
  file:flush()
  local pipe <close> = assert(io.popen(("lua5.4 %s 2>&1 & "):format(path):rep(processes) .. "wait"))
  local out = pipe:read "a"
  os.remove(path)
  local numbers = {}
  for each in out:gmatch "(%S+)%s" do numbers[#numbers + 1] = assert(tonumber(each), out) end
  return numbers
end

describe("limits.postgres", function()
  lazy_teardown(function() database:stop() end)

  it("does in one statement what lease.step says", function()
    math.randomseed(20261127)
    local limit = limits "differential"
    local now = 1e6
    limit:step({ want = 0, weight = 0, unused = 0, refused = 0, pause = 0 })
    database:sql(("UPDATE calira_limits SET given_at = %d, grown_at = %d, next_at = %d, paused_until = %d, cut_until = %d, since = %d, "
      .. "clients = 0, clients_at = %d, learnt = 10 WHERE name = 'differential'"):format(now, now, now, now, now, now, now))
    local row, cuts, none, steady = lease.row(now), 0, 0, 0
    for i = 1, 800 do
      local r = math.random()
      now = now + (r < 0.9 and math.random() * 0.2 or r < 0.99 and math.random() * 20 or math.random() * 3000)
      local refused = math.random() < (i % 200) / 2000 and math.random(3) or 0
      local ask = {
        want = math.random() < 0.1 and 0 or math.random(60), rate = math.random() < 0.3 and math.random(5, 40) or nil,
        weight = math.random(), unused = math.random() < 0.2 and math.random(5) or 0, refused = refused,
        pause = refused > 0 and math.random(0, 3) or 0,
      }
      local before = row.cut_until
      local expected, got = lease.step(row, ask, now), limit:step(ask, now)
      for field, value in pairs(expected) do
        assert.is_true(math.abs(value - got[field]) <= 1e-9 * math.max(1, math.abs(value)) + 1e-6, ("%s in step %d: %s, not %s")
          :format(field, i, got[field], value))
      end
      assert.equal(expected.learnt == nil, got.learnt == nil)
      cuts, none = cuts + (row.cut_until ~= before and 1 or 0), none + (expected.count == 0 and ask.want > 0 and 1 or 0)
      steady = steady + (row.steady and 1 or 0)
    end
    assert.is_true(cuts > 5 and none > 5 and steady > 100 and steady < 795, ("%d %d %d"):format(cuts, none, steady))
  end)

  it("holds one rate for clients of several processes, with fewer statements than calls", function()
    local id, shared = H.id(), name()
    local numbers = together(([[
      local calira = require "calira"
      local limits = calira.limits.postgres { dsn = %q, name = %q }
      local c = calira.new { base_url = %q, token = %q, rate = 40, limits = limits }
      local begun = require "calira.core".now()
      calira.gather((function()
        local calls = {}
        for i = 1, 40 do calls[i] = function() c:get("/accounts", { per_page = 1 }) end end
        return calls
      end)())
      print(require "calira.core".now() - begun, limits.statements)
    ]]):format(database.dsn, shared, H.url("bucket=40:10", id), H.token), 3)
    assert.equal(6, #numbers)
    local longest, statements = math.max(numbers[1], numbers[3], numbers[5]), numbers[2] + numbers[4] + numbers[6]
    assert.is_true(longest >= 120 / 40 - 0.5, "faster than the rate: " .. longest)
    assert.is_true(statements < 40, statements .. " statements for 120 calls")
    assert.is_true((H.stats(id).refused or 0) <= 4, tostring(H.stats(id).refused) .. " refused")
  end)

  it("makes all wait where one was told to come back later", function()
    local shared = name()
    local one = H.client("firstfail=429:1;retry_after=2", { limits = limits(shared) })
    local other, id = H.client("", { limits = limits(shared) })
    calira.run(function()
      local begun = H.now()
      calira.spawn(function() one:get "/accounts" end)
      calira.sleep(0.5)
      assert.equal(0, H.calls(id))
      other:get "/accounts"
      assert.is_true(H.now() - begun >= 2, "the other client did not wait")
    end)
    local late = limits(shared)
    assert.is_true(late:step({ want = 1, weight = 1, unused = 0, refused = 0, pause = 0 }).rate < 6) -- and what was learnt is there for the next
  end)

  it("waits for the end of a window that is used up, where no refusal says when that is", function()
    local id, shared = H.id(), name()
    local numbers = together(([[
      local calira = require "calira"
      local limits = calira.limits.postgres { dsn = %q, name = %q }
      local c = calira.new { base_url = %q, token = %q, limits = limits, rate = 300, backoff = { base = 0.14 } }
      print(#c:bookings { provider = 102, per_page = 1, limit = 40 }:collect())
    ]]):format(database.dsn, shared, H.url("window=60:3;bucket429=none", id), H.token), 3)
    assert.same({ 40, 40, 40 }, numbers)
    assert.is_true(H.stats(id).refused <= 60, H.stats(id).refused)
  end)

  it("takes the smallest rate that any of them gave", function()
    local shared = name()
    local function rate_of(given)
      return limits(shared):step({ want = 1, rate = given, weight = 1, unused = 0, refused = 0, pause = 0 }).rate
    end
    assert.equal(30, rate_of(30))
    assert.equal(20, rate_of(20))
    assert.equal(20, rate_of(50))
    assert.equal(20, rate_of(nil))
  end)

  it("goes on alone below its last lease while the database is away, and comes back", function()
    local limit = limits()
    local c, id = H.client("bucket=40:10", { limits = limit, rate = 20 })
    for _ = 1, 5 do c:get("/accounts", { per_page = 1 }) end
    database:pause()
    local begun = H.now()
    for _ = 1, 30 do c:get("/accounts", { per_page = 1 }) end
    local seconds = H.now() - begun
    assert.is_true(seconds >= 29 / 20, ("%.3f s are above the last lease"):format(seconds))
    assert.is_true(limit.away)
    database:resume()
    for _ = 1, 60 do
      c:get("/accounts", { per_page = 1 })
      if not limit.away then break end
    end
    assert.is_false(limit.away)
    local said = warnings.take()
    assert.equal(1, #said)
    assert.matches("goes on alone until it is back", said[1], 1, true)
    assert.equal(0, H.stats(id).refused or 0)
  end)

  it("says what is wrong where there never was a lease", function()
    local broken = calira.limits.postgres { dsn = database.dsn .. " user=nobody_of_that_name password=s3cret", name = "x" }
    broken.patience = 0
    local c = H.client("", { limits = broken })
    local err = H.failure(c.get, c, "/accounts")
    assert.matches("the database of the limits cannot be reached", err.message, 1, true)
    assert.is_nil(tostring(err):find("s3cret", 1, true))
  end)

  it("works together with a limiter and a trace of the user's", function()
    local asked, events = 0, 0
    local c = H.client("", {
      limits = limits(), limiter = function() asked = asked + 1 end, trace = function() events = events + 1 end,
    })
    c:get "/accounts"
    assert.equal(1, asked)
    assert.is_true(events >= 2)
  end)

  it("checks what it is given", function()
    assert.equal("argument", H.failure(calira.limits.postgres, {}).kind)
    assert.matches("calls take a dot", H.failure(calira.limits.postgres, calira.limits, {}).message, 1, true)
    assert.matches("what calira.limits.postgres", H.failure(H.client, "", { limits = { dsn = "secret" } }).message, 1, true)
  end)
end)
