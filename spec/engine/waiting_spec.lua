--- Every way to wait, for the same cases. CONTRACT section 7.
-- luacheck: ignore 512 (loops that are left at once)
local calira = require "calira"
local cases = require "spec.engine.waiting_cases"
local core = require "calira.core"
local cqueues = require "cqueues"
local cqueues_adapter = require "calira.adapters.cqueues"
local helper = require "spec.support.helper"
local host = require "spec.support.host"
local luv_adapter = require "calira.adapters.luv"
local uv = require "luv"

--- Runs f in a coroutine of cqueues; raises what it raises.
local function in_cqueues(f)
  local loop = cqueues.new()
  local outcome
  cqueues_adapter.attach()
  loop:wrap(function() outcome = table.pack(xpcall(f, debug.traceback)) end)
  local _, err = loop:loop()
  cqueues_adapter.detach()
  assert(not err, err)
  assert(outcome, "the coroutine did not end")
  assert(outcome[1], outcome[2])
end

--- Runs f in a coroutine on luv's loop; raises what it raises.
local function in_luv(f)
  local outcome
  luv_adapter.spawn(function() outcome = table.pack(xpcall(f, debug.traceback)) end)
  uv.run()
  luv_adapter.detach()
  assert(outcome, "the loop ended before the coroutine")
  assert(outcome[1], outcome[2])
end

--- In a coroutine that a user's code started: it must not be yielded from.
local function in_coroutine(f)
  local co = coroutine.create(f)
  local ok, value = coroutine.resume(co)
  assert(ok, value)
  assert.equal("dead", coroutine.status(co))
end

local function in_generator(f)
  local records = 0
  for record in calira.generator(function()
    f()
    coroutine.yield "end"
  end) do
    assert.equal("end", record)
    records = records + 1
  end
  assert.equal(1, records)
end

--- As a task that a host drives by poll and step.
local function in_step(f)
  local task = calira.spawn(xpcall, f, debug.traceback)
  while calira.step(0) do host.poll(calira.pollfd(), calira.timeout() or 600) end
  assert.is_true(task:done())
  local ok, err = task:wait()
  assert(ok, err)
end

local forms = {
  { "in a plain script", function(f) f() end }, { "in run", calira.run }, { "in a run in a run", function(f) calira.run(calira.run, f) end },
  { "in a foreign coroutine", in_coroutine }, { "in a foreign coroutine in run", function(f) calira.run(in_coroutine, f) end },
  { "in a generator", in_generator }, { "in a generator in run", function(f) calira.run(in_generator, f) end },
  { "in gather", function(f) calira.gather { f, function() calira.sleep(0.01) end, f } end },
  { "in a task driven by step", in_step }, { "in cqueues", in_cqueues },
  { "in run in cqueues", function(f) in_cqueues(function() calira.run(f) end) end },
  { "in luv", in_luv }, { "in run in luv", function(f) in_luv(function() calira.run(f) end) end },
}

for _, form in ipairs(forms) do
  describe("waiting " .. form[1], function()
    for _, case in ipairs(cases) do
      it(case.name, function() form[2](case.run) end)
    end
  end)
end

describe("while one waits, the others go on:", function()
  --- The bookings of a slow server, read one page after the other: 10 times 20 ms.
  local function walk()
    local client = helper.client("latency=20", { lookahead = 0 })
    local count = 0
    for _ in client:bookings { provider = 102, per_page = 25 } do count = count + 1 end
    assert.equal(250, count)
  end

  local function ticker(sleep)
    local state = { ticks = 0 }
    return state, function()
      while not state.over do
        sleep(0.005)
        state.ticks = state.ticks + 1
      end
    end
  end

  --- Half of the ticks that fit, so that a busy machine may lose some.
  local function check(state) assert.is_true(state.ticks >= 10, state.ticks .. " ticks") end

  it("tasks in run", function()
    local state, tick = ticker(calira.sleep)
    calira.run(function()
      calira.spawn(tick)
      walk()
      state.over = true
    end)
    check(state)
  end)

  it("tasks outside, by an outermost blocking wait", function()
    local state, tick = ticker(calira.sleep)
    local task = calira.spawn(tick)
    walk()
    state.over = true
    task:wait()
    check(state)
  end)

  it("cqueues' coroutines", function()
    local state, tick = ticker(cqueues.sleep)
    in_cqueues(function()
      cqueues.running():wrap(tick)
      walk()
      state.over = true
    end)
    check(state)
  end)

  it("luv's timers", function()
    local state = { ticks = 0 }
    local timer = uv.new_timer()
    timer:start(5, 5, function() state.ticks = state.ticks + 1 end)
    in_luv(function()
      walk()
      timer:close()
    end)
    check(state)
  end)

  it("at once, also where a call of another one has driven what they wait for", function()
    local client, slow = helper.client "latency=10", helper.client("silence=1", { max_in_flight = 1 })
    local silent <close> = slow:request "/accounts/101"
    local took = 0
    for _ = 1, 6 do
      calira.run(function()
        local request, read = client:request "/bookings/12345", nil
        local waiting = calira.spawn(function()
          request:wait()
          took = took + helper.now() - read
        end)
        local queued = slow:request "/accounts/102"
        calira.sleep(0)
        os.execute "sleep 0.05" -- the answer is there, but was not read
        queued:cancel() -- reads it, and brings nothing else that would wake the loop
        read = helper.now()
        waiting:wait()
      end)
    end
    assert.is_true(took < 0.7, ("%.2f s"):format(took)) -- not a quarter of a second each
  end)

  it("but only transfers while a task blocks", function()
    local client = helper.client "latency=30"
    local others = 0
    calira.run(function()
      local over = false
      calira.spawn(function()
        while not over do
          calira.sleep(0.001)
          others = others + 1
        end
      end)
      calira.sleep(0.005)
      local before = others
      local request = client:request "/accounts/102"
      table.sort({ 1, 2 }, function() client:get "/accounts/101" return false end)
      assert.equal(before, others)
      assert.is_true(request:done())
      over = true
    end)
  end)
end)

describe("in a host's loop", function()
  it("cqueues: many coroutines and several controllers wait, each is woken in its time", function()
    local client = helper.client("latency=30", { max_in_flight = 100 })
    local inner, outer = cqueues.new(), cqueues.new()
    local done = 0
    cqueues_adapter.attach()
    local function work(loop, count)
      for i = 1, count do
        loop:wrap(function()
          for _ = 1, 3 do assert.equal(12344 + i, client:booking(12344 + i).id) end
          done = done + 1
        end)
      end
    end
    work(inner, 20)
    work(outer, 20)
    outer:wrap(function() assert(inner:loop()) end)
    local before = helper.now()
    assert(outer:loop(20))
    cqueues_adapter.detach()
    assert.equal(40, done)
    assert.is_true(helper.now() - before < 5)
  end)

  it("cqueues: those that leave together hand the lead to one that stays", function()
    local client = helper.client "latency=20"
    local slow = helper.client "latency=120"
    local loop = cqueues.new()
    local ended = {}
    cqueues_adapter.attach()
    local request, late = client:request "/accounts/101", slow:request "/accounts/101"
    for i = 1, 6 do
      loop:wrap(function()
        request:wait()
        ended[#ended + 1] = i
      end)
    end
    loop:wrap(function()
      late:wait()
      ended[#ended + 1] = 7
    end)
    local before = helper.now()
    assert(loop:loop(20))
    cqueues_adapter.detach()
    assert.equal(7, #ended)
    assert.is_true(helper.now() - before < 5)
  end)

  it("attach and detach decide", function()
    local yields = {}
    local loop = cqueues.new()
    loop:wrap(function()
      yields[1] = core.yields()
      cqueues_adapter.attach()
      yields[2] = core.yields()
      yields[3] = coroutine.wrap(core.yields)()
      cqueues_adapter.detach()
      yields[4] = core.yields()
    end)
    assert(loop:loop())
    luv_adapter.spawn(function()
      yields[5] = core.yields()
      yields[6] = coroutine.wrap(core.yields)()
      luv_adapter.detach()
      yields[7] = core.yields()
    end)
    assert.same({ false, true, false, false, true, false, false }, yields)
  end)

  it("luv: a closed coroutine does not keep the loop", function()
    local client, id = helper.client "latency=3000"
    local co
    luv_adapter.spawn(function()
      co = coroutine.running()
      for _ in client:bookings { provider = 102 } do error "too soon" end
    end)
    local timer = uv.new_timer()
    local before = helper.now()
    uv.update_time()
    timer:start(50, 0, function()
      assert(coroutine.close(co))
      timer:close()
    end)
    uv.run()
    luv_adapter.detach()
    assert.is_true(helper.now() - before < 2)
    helper.aborted(id, 1)
  end)

  it("luv: what another wait has driven is resumed all the same", function()
    local client = helper.client "latency=20"
    local found
    luv_adapter.spawn(function() found = client:booking(12345).id end)
    calira.sleep(0.1)
    assert.is_nil(found) -- never out of somebody else's wait
    uv.run()
    luv_adapter.detach()
    assert.equal(12345, found)
  end)

  it("luv: an error before the first wait is raised to who spawns", function()
    local mine = {}
    local ok, err = pcall(luv_adapter.spawn, error, mine)
    assert.is_false(ok)
    assert.equal(mine, err)
    assert.equal("argument", helper.failure(luv_adapter.spawn, 1).kind)
    uv.run()
    luv_adapter.detach()
  end)
end)
