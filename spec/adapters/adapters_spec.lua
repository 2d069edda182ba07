--- The public interface for adapters, by a loop of a screen that knows nothing else of the library.
local adapters = require "calira.adapters"
local calira = require "calira"
local cases = require "spec.engine.waiting_cases"
local helper = require "spec.support.helper"
local host = require "spec.support.host"

-- ── A loop ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local mine <const> = setmetatable({}, { __mode = "k" }) -- coroutines of this loop
local ready = {}                                        -- those to resume
local waits, parked_early = 0, 0

local function wait(waiter)
  local me, over, asleep = coroutine.running(), false, false
  waits = waits + 1
  adapters.park(waiter, function()
    assert(not over, "woken twice")
    over = true
    if asleep then ready[#ready + 1] = me else parked_early = parked_early + 1 end
  end)
  asleep = true
  while not over do coroutine.yield() end
end

local function find() return mine[coroutine.running()] and wait or nil end

--- Runs the functions, each in a coroutine of the loop, until all are over; raises what one raises.
local function loop(...)
  local all = {}
  for i, f in ipairs { ... } do
    all[i] = coroutine.create(f)
    mine[all[i]] = true
    ready[#ready + 1] = all[i]
  end
  local function alive()
    for _, co in ipairs(all) do
      if coroutine.status(co) ~= "dead" then return true end
    end
    return false
  end
  local late <const> = helper.now() + 20
  while alive() do
    assert(helper.now() < late, "a wake-up was lost")
    local round = ready
    ready = {}
    for _, co in ipairs(round) do
      local ok, err = coroutine.resume(co)
      if not ok then error(err, 0) end
    end
    if #ready == 0 and alive() then
      host.poll(adapters.pollfd(), 5) -- the descriptor alone has to do
      adapters.step(0)
    end
  end
end

-- ── What it has to do ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

describe("a loop of one's own", function()
  before_each(function() adapters.register("test", find) end)
  after_each(function() adapters.unregister "test" end)

  for _, case in ipairs(cases) do
    it("waits for " .. case.name, function() loop(case.run) end)
  end

  it("waits instead of blocking", function()
    local client = helper.client "latency=30"
    waits = 0
    assert.equal(12345, client:booking(12345).id) -- in the test's own coroutine: no wait of the loop's
    assert.equal(0, waits)
    loop(function() client:booking(12345) end)
    assert.is_true(waits > 0)
  end)

  it("has several coroutines wait at the same time", function()
    local client, id = helper.client "silence=1"
    local requests, over = {}, 0
    local function one(i)
      requests[i] = client:request("/bookings/" .. 12344 + i)
      assert.equal("cancelled", helper.failure(requests[i].wait, requests[i]).kind)
      over = over + 1
    end
    loop(function() one(1) end, function() one(2) end, function() one(3) end, function()
      while helper.stats(id).in_flight < 3 do calira.sleep(0.01) end
      for _, request in ipairs(requests) do request:cancel() end
    end)
    assert.equal(3, over)
  end)

  it("is woken by whoever drives the engine, each waiter once", function()
    local client = helper.client "latency=10"
    local order = {}
    loop(function()
      calira.sleep(0.001)
      order[#order + 1] = "slept"
    end, function()
      table.sort({ 1, 2 }, function() -- no coroutine can be left from here: it blocks, and drives what the other waits for
        client:booking(12345)
        return false
      end)
      order[#order + 1] = "blocked"
    end)
    assert.same({ "blocked", "slept" }, order)
  end)

  it("may close a coroutine that waits", function()
    local client, id = helper.client "silence=1"
    local co = coroutine.create(function()
      local request <close> = client:request "/accounts"
      request:wait()
    end)
    mine[co] = true
    assert.is_true(coroutine.resume(co))
    assert.equal("suspended", coroutine.status(co))
    local late <const> = helper.now() + 10
    while helper.stats(id).in_flight < 1 and helper.now() < late do adapters.step(0.02) end
    assert.is_true(coroutine.close(co))
    collectgarbage()
    helper.aborted(id, 1)
    while adapters.step(0) do host.poll(adapters.pollfd(), adapters.timeout() or 1) end
    assert.equal("r", adapters.events())
  end)

  it("is asked no more once it is unregistered, and may be replaced", function()
    local asked = 0
    adapters.register("test", function() asked = asked + 1 end)
    coroutine.wrap(function() calira.sleep(0.001) end)()
    assert.is_true(asked > 0)
    local before = asked
    adapters.unregister "test"
    adapters.unregister "test"
    coroutine.wrap(function() calira.sleep(0.001) end)()
    assert.equal(before, asked)
  end)

  it("is told of wrong arguments", function()
    assert.matches("register: name must be a string %(got nil%)", tostring(helper.failure(adapters.register, nil, find)))
    assert.matches("register: find must be a function %(got nil%)", tostring(helper.failure(adapters.register, "test")))
    assert.matches("unregister: name", tostring(helper.failure(adapters.unregister, {})))
    assert.matches("park: waiter must be a userdata %(got table%)", tostring(helper.failure(adapters.park, {}, find)))
    assert.matches("step takes a number", tostring(helper.failure(adapters.step, "1")))
    local refused
    adapters.register("test", function()
      return function(waiter)
        refused = helper.failure(adapters.park, waiter)
        adapters.register("test", find)
      end
    end)
    loop(function() calira.sleep(0.001) end)
    assert.matches("park: wake must be a function", tostring(refused))
  end)
end)
