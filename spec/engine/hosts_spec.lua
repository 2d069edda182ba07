--- A host with its own loop: pollfd, events, timeout, step. The loops of cqueues and luv are in waiting_spec.lua.
local calira = require "calira"
local core = require "calira.core"
local cqueues = require "cqueues"
local helper = require "spec.support.helper"
local host = require "spec.support.host"

local fd = calira.pollfd()

--- Drives the engine as a host does until `over()`, or for so many seconds; returns how often it woke.
local function drive(over, seconds)
  local late, wakes = helper.now() + seconds, 0
  while not over() do
    local left = late - helper.now()
    if left <= 0 then break end
    host.poll(calira.pollfd(), math.min(calira.timeout() or left, left))
    wakes = wakes + 1
    calira.step(0)
  end
  return wakes
end

local function never() return false end

--- Gives the engine turns until it has nothing to do at once.
local function settle()
  repeat calira.step(0) until calira.timeout() ~= 0 and not host.poll(fd, 0)
end

describe("a host's loop", function()
  it("polls one descriptor, the same all the time", function()
    assert.equal("integer", math.type(fd))
    assert.equal(fd, calira.pollfd())
    assert.equal("r", calira.events())
    assert.equal(fd, core.pollfd())
  end)

  it("is told that there is nothing to do", function()
    settle()
    assert.is_nil(calira.timeout())
    assert.is_false(calira.step())
    assert.is_false(host.poll(fd, 0))
    local before = helper.now()
    assert.is_false(calira.step(5)) -- nothing is left that it could wait for
    assert.is_true(helper.now() - before < 2)
  end)

  it("refuses what is no time", function()
    for _, wrong in ipairs { -1, 0 / 0, "1", true } do assert.equal("argument", helper.failure(calira.step, wrong).kind) end
    local task = calira.spawn(calira.sleep, 0.02)
    assert.is_false(calira.step(math.huge) and calira.step(1e300) and calira.step(math.maxinteger))
    assert.is_true(task:done())
  end)

  it("that was busy while an answer came does not make it late", function()
    local client = helper.client("latency=200;drip=10", { timeout = 1.9, retries = 0 }) -- about 3 s for the whole
    local request = client:request "/accounts/101"
    drive(never, 0.1)
    os.execute "sleep 2" -- the alarm of the descriptor becomes due as well
    drive(function() return request:done() end, 5)
    assert.equal(101, request:wait().id)
  end)

  it("serves calls", function()
    local client = helper.client "latency=20"
    local found = {}
    local task = calira.spawn(function()
      for b in client:bookings { provider = 102, per_page = 50, details = true, limit = 60 } do found[#found + 1] = b.id end
    end)
    drive(function() return task:done() end, 20)
    assert.equal(60, #found)
    assert.is_false(calira.step(0))
    assert.is_nil(calira.timeout())
  end)

  it("costs less than 20 ms of CPU time in 2 s while the server is silent", function()
    local client, id = helper.client "silence=1"
    local requests = {}
    for i = 1, 8 do requests[i] = client:request("/bookings/" .. 12344 + i) end
    local waiting = calira.spawn(requests[1].wait, requests[1])
    drive(function() return helper.stats(id).in_flight == 8 end, 10)
    settle()
    collectgarbage()
    local before = os.clock()
    local wakes = drive(never, 2)
    local used = os.clock() - before
    for _, request in ipairs(requests) do request:cancel() end
    assert.is_true(used < 0.02, ("%.1f ms, %d times woken"):format(used * 1000, wakes))
    assert.is_true(wakes <= 20, wakes .. " times woken")
    assert.equal("cancelled", helper.failure(waiting.wait, waiting).kind)
    helper.aborted(id, 8)
  end)

  it("that looks at the descriptor alone misses nothing", function()
    --- Whether the descriptor becomes readable without `timeout` being asked.
    local function readable() return host.poll(fd, 5) end
    local function until_done(task)
      while not task:done() do
        assert.is_true(readable())
        calira.step(0)
      end
    end
    settle()
    local sleeper = calira.spawn(calira.sleep, 0.05)
    until_done(sleeper)
    local client, id = helper.client "firstfail=503:1;latency=10"
    until_done(calira.spawn(client.booking, client, 12345))
    assert.equal(2, helper.stats(id).calls)
    local limited = helper.client("silence=1", { timeout = 0.1, retries = 0 })
    local failing = calira.spawn(pcall, limited.get, limited, "/accounts")
    until_done(failing)
    -- what becomes due between two steps
    local slow = helper.client "latency=3000"
    local request = slow:request "/accounts"
    local waiting = calira.spawn(pcall, request.wait, request)
    settle()
    assert.is_false(host.poll(fd, 0))
    request:cancel()
    assert.is_true(host.poll(fd, 0))
    assert.equal(0, calira.timeout())
    until_done(waiting)
    local list = slow:bookings { provider = 102 }
    waiting = calira.spawn(pcall, list.next, list)
    settle()
    list:close()
    assert.is_true(host.poll(fd, 0))
    until_done(waiting)
    waiting = calira.spawn(pcall, slow.get, slow, "/accounts")
    settle()
    slow:close()
    assert.is_true(host.poll(fd, 0))
    until_done(waiting)
    settle()
    assert.is_false(host.poll(fd, 0))
  end)

  it("is woken for the next call when the collector gives up one before it", function()
    local client = helper.client("latency=50", { max_in_flight = 1 })
    client:request "/accounts/101"
    local next_one = client:request "/bookings/12345"
    settle()
    collectgarbage()
    collectgarbage()
    local late = helper.now() + 10
    while not next_one:done() and helper.now() < late do
      host.poll(fd, 10)
      calira.step(0)
    end
    assert.is_true(next_one:done())
  end)

  it("of cqueues can poll the module itself, without the adapter", function()
    local client = helper.client "latency=20"
    local task = calira.spawn(function()
      calira.sleep(0.02)
      return client:booking(12345).id
    end)
    local loop, ticks = cqueues.new(), 0
    loop:wrap(function()
      while not task:done() do
        cqueues.poll(calira)
        calira.step(0)
      end
    end)
    loop:wrap(function()
      while not task:done() do
        cqueues.sleep(0.005)
        ticks = ticks + 1
      end
    end)
    assert(loop:loop())
    assert.equal(12345, task:wait())
    assert.is_true(ticks >= 4)
  end)

  it("is told when to come back", function()
    settle()
    local task = calira.spawn(calira.sleep, 5)
    assert.equal(0, calira.timeout())
    assert.is_true(host.poll(fd, 0))
    calira.step(0)
    local seconds = calira.timeout()
    assert.is_true(seconds > 3 and seconds <= 5)
    assert.is_false(host.poll(fd, 0))
    task:cancel()
    settle()
    assert.is_nil(calira.timeout())
  end)

  it("is not held up by step(0)", function()
    local client = helper.client "latency=30"
    local longest, slow, steps = 0, 0, 0
    local task = calira.spawn(function()
      for _ in client:bookings { provider = 102, per_page = 25 } do steps = steps + 1 end
    end)
    while not task:done() do
      local before = os.clock()
      local began = helper.now()
      calira.step(0)
      -- time that the processor was somebody else's does not count
      local waited = (helper.now() - began) - (os.clock() - before)
      longest = math.max(longest, waited)
      if waited > 0.02 then slow = slow + 1 end
      host.poll(fd, calira.timeout() or 1)
    end
    assert.equal(250, steps)
    assert.is_true(slow <= 2, ("%d steps of more than 20 ms, the longest %.3f s"):format(slow, longest))
  end)

  it("may call and block as well", function()
    local client = helper.client "latency=10"
    local task = calira.spawn(function() return client:booking(12345).id end)
    assert.equal(12346, client:booking(12346).id) -- drives the task, too
    drive(function() return task:done() end, 10)
    assert.equal(12345, task:wait())
  end)

  it("may be called from inside a task, where step drives transfers only", function()
    local client = helper.client "latency=10"
    local other = false
    calira.run(function()
      calira.spawn(function()
        calira.sleep(0)
        other = true
      end)
      local request = client:request "/accounts/101"
      local late = helper.now() + 10
      while not request:done() and helper.now() < late do calira.step(0.1) end
      assert.is_true(request:done())
      assert.is_false(other)
    end)
    assert.is_true(other)
  end)

  it("leaves no wait spinning that blocks inside a task", function()
    local client = helper.client "latency=600"
    local used, woken
    calira.run(function()
      calira.spawn(function()
        while not woken do calira.sleep(0.001) end
      end)
      calira.sleep(0.01)
      local before = os.clock()
      table.sort({ 1, 2 }, function()
        used = used or (client:get "/accounts/101" and os.clock() - before)
        return false
      end)
      woken = true
    end)
    assert.is_true(used < 0.1, ("%.0f ms of CPU time"):format(used * 1000))
  end)
end)
