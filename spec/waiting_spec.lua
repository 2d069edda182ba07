-- luacheck: ignore 512 (loops that are left at once)
local calira = require "calira"
local cases = require "spec.waiting_cases"
local core = require "calira.core"
local cqueues = require "cqueues"
local cqueues_adapter = require "calira.adapters.cqueues"
local helper = require "spec.helper"
local host = require "spec.host"
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

describe("run", function()
  it("passes arguments and results, nils too", function()
    assert.same({ 1, nil, 3, nil, n = 4 }, table.pack(calira.run(function(...) return ... end, 1, nil, 3, nil)))
    for count = 0, 3 do
      assert.equal(count, select("#", calira.run(table.unpack, { 1, 2, 3 }, 1, count)))
      local task = calira.spawn(table.unpack, { 1, 2, 3 }, 1, count)
      assert.equal(count, select("#", task:wait()))
    end
    assert.equal("argument", helper.failure(calira.run, 7).kind)
    assert.equal("argument", helper.failure(calira.spawn, {}).kind)
    assert.equal("argument", helper.failure(calira.gather, print).kind)
    assert.equal("argument", helper.failure(calira.gather, { print, 1 }).kind)
    assert.equal("argument", helper.failure(calira.generator).kind)
    assert.same({ n = 0 }, calira.gather {})
  end)

  it("waits for all that is spawned, at any depth", function()
    local order = {}
    calira.run(function()
      calira.spawn(function()
        calira.sleep(0.01)
        calira.spawn(function()
          calira.sleep(0.01)
          order[#order + 1] = "inner"
        end)
        order[#order + 1] = "outer"
      end)
      order[#order + 1] = "main"
    end)
    assert.same({ "main", "outer", "inner" }, order)
  end)

  it("raises the error unchanged and cancels the rest", function()
    local mine, closed, went_on = setmetatable({}, {}), 0, false
    local ok, err = pcall(calira.run, function()
      calira.spawn(function()
        local held <close> = setmetatable({}, { __close = function() closed = closed + 1 end })
        calira.sleep(10)
        went_on = held
      end)
      calira.spawn(function()
        local held <close> = setmetatable({}, { __close = function(_, e) closed = closed + (e == mine and 10 or 0) end })
        calira.sleep(0.001)
        error(mine)
      end)
      calira.sleep(10)
    end)
    assert.is_false(ok)
    assert.equal(mine, err)
    assert.equal(11, closed)
    assert.is_false(went_on)
  end)

  it("keeps where a plain error came from, and nil as an error", function()
    local ok, err = pcall(calira.run, function()
      calira.sleep(0)
      error "here"
    end)
    assert.is_false(ok)
    assert.matches("waiting_spec%.lua:%d+: here$", err)
    ok, err = pcall(calira.run, error, nil)
    assert.is_false(ok)
    assert.is_nil(err)
  end)

  it("does not raise what a wait took", function()
    local client = helper.client("failpath=404:accounts%2F101", { retries = 0 })
    local kind = calira.run(function()
      local task = calira.spawn(client.account, client, 101)
      return helper.failure(task.wait, task).kind
    end)
    assert.equal("not_found", kind)
  end)

  it("lets plain yields through to the others", function()
    local order = {}
    calira.run(function()
      calira.spawn(function()
        for i = 1, 3 do
          order[#order + 1] = "b" .. i
          coroutine.yield()
        end
      end)
      for i = 1, 3 do
        order[#order + 1] = "a" .. i
        coroutine.yield(i)
      end
    end)
    assert.equal("a1 b1 a2 b2 a3 b3", table.concat(order, " "))
  end)

  it("works within itself, however it fails", function()
    local result = calira.run(function()
      local ok, err = pcall(calira.run, function()
        calira.spawn(error, "inner", 0)
        calira.sleep(10)
      end)
      assert.is_false(ok)
      return err
    end)
    assert.equal("inner", result)
  end)

  it("runs 300 tasks that all block, not one on top of the other", function()
    local count = 0
    calira.run(function()
      table.sort({ 1, 2 }, function()
        calira.run(function()
          for _ = 1, 300 do
            calira.spawn(function()
              table.sort({ 1, 2 }, function() calira.sleep(0.001) return false end)
              count = count + 1
            end)
          end
        end)
        return false
      end)
    end)
    assert.equal(300, count)
  end)

  it("survives coroutine.close on a task that waits", function()
    local co, task
    calira.run(function()
      task = calira.spawn(function()
        co = coroutine.running()
        calira.sleep(60)
      end)
      calira.sleep(0.001)
      assert.is_true(coroutine.close(co))
    end)
    assert.is_true(task:done())
    assert.equal("cancelled", helper.failure(task.wait, task).kind)
  end)

  it("lets __close methods wait", function()
    local client = helper.client "latency=2"
    local seen = {}
    local function holding(id)
      return function()
        local held <close> = setmetatable({}, { __close = function() seen[#seen + 1] = client:booking(id).id end })
        calira.sleep(60)
        return held
      end
    end
    local ok, err = pcall(calira.gather, { holding(12345), function() calira.sleep(0.001) error "stop" end })
    assert.is_false(ok)
    assert.matches("stop", err)
    calira.run(function()
      local task = calira.spawn(holding(12346))
      calira.sleep(0.001)
      task:cancel()
      local co
      calira.spawn(function()
        co = coroutine.running()
        holding(12347)()
      end)
      calira.sleep(0.001)
      assert.is_true(coroutine.close(co))
    end)
    local generator <close> = calira.generator(function()
      local held <close> = setmetatable({}, { __close = function() seen[#seen + 1] = client:booking(12348).id end })
      coroutine.yield(held)
    end)
    generator()
    generator:close()
    assert.same({ 12345, 12346, 12347, 12348 }, seen)
  end)
end)

describe("gather", function()
  it("closes the others at the first error", function()
    local client, id = helper.client "latency=3000"
    local closed, before = 0, helper.now()
    local ok, err = pcall(calira.gather, {
      function()
        local held <close> = setmetatable({}, { __close = function() closed = closed + 1 end })
        client:get "/accounts/101"
        return held
      end,
      function()
        calira.sleep(0.1)
        error("first", 0)
      end,
      function() calira.sleep(60) end,
    })
    assert.is_false(ok)
    assert.equal("first", err)
    assert.equal(1, closed)
    assert.is_true(helper.now() - before < 2)
    helper.aborted(id, 1)
  end)

  it("gives first results only", function()
    assert.same({ 1, nil, false, n = 3 }, calira.gather { function() return 1, 2 end, function() end, function() return false end })
  end)
end)

describe("a task", function()
  local warnings = require "spec.warnings"

  it("outside of run goes on by step, and tells what nobody takes", function()
    local steps = 0
    local task = calira.spawn(function()
      for _ = 1, 3 do
        steps = steps + 1
        calira.sleep(0.001)
      end
      return "done", 2
    end)
    assert.is_false(task:done())
    assert.equal(0, steps) -- it does not run before somebody drives it
    while calira.step(1) do end
    assert.equal(3, steps)
    assert.same({ "done", 2 }, { task:wait() })
    assert.same({ "done", 2 }, { task:wait() })
    local failed = calira.spawn(error, setmetatable({}, { __tostring = function() return "lost" end }))
    assert.is_false(calira.step(0))
    assert.same({ "calira: an error in a task that nobody waits for: lost" }, warnings.take())
    assert.is_false(pcall(failed.wait, failed))
    calira.spawn(error, setmetatable({}, { __tostring = function() error "worse" end }))
    assert.is_false(calira.step(0))
    assert.matches("cannot be shown", warnings.take()[1])
    assert.equal("going on", calira.run(function() return "going on" end))
  end)

  it("can be cancelled: waiting, ready, running, over", function()
    local client, id = helper.client "latency=3000"
    local waiting = calira.spawn(client.get, client, "/accounts/101")
    calira.sleep(0.05)
    waiting:cancel()
    assert.is_true(waiting:done())
    assert.equal("cancelled", helper.failure(waiting.wait, waiting).kind)
    helper.aborted(id, 1)
    local ran = false
    local ready = calira.spawn(function() ran = true end)
    ready:cancel()
    calira.step(0)
    assert.is_false(ran)
    assert.equal("cancelled", helper.failure(ready.wait, ready).kind)
    local self
    self = calira.spawn(function()
      pcall(self.cancel, self) -- whoever catches that is ended at the next wait
      calira.sleep(0)
      ran = true
    end)
    assert.equal("cancelled", helper.failure(self.wait, self).kind)
    assert.is_false(ran)
    local over = calira.spawn(function() return 5 end)
    assert.equal(5, over:wait())
    over:cancel()
    assert.equal(5, over:wait())
    local alone
    alone = calira.spawn(function() return alone:wait() end)
    assert.equal("argument", helper.failure(alone.wait, alone).kind)
  end)

  it("can be waited for by several, also where they block", function()
    local client = helper.client "latency=20"
    local found = {}
    calira.run(function()
      local task = calira.spawn(function() return client:booking(12345).id end)
      for i = 1, 3 do
        calira.spawn(function() found[i] = task:wait() end)
      end
      table.sort({ 1, 2 }, function()
        found[4] = task:wait()
        return false
      end)
    end)
    assert.same({ 12345, 12345, 12345, 12345 }, found)
  end)

  it("is served where another one blocks on what it holds", function()
    local client = helper.client "latency=5"
    local list <close> = client:bookings { provider = 102, per_page = 10, limit = 60 }
    local count = 0
    calira.run(function()
      calira.spawn(function()
        for _ in list do count = count + 1 end
      end)
      calira.sleep(0.001)
      table.sort({ 1, 2 }, function()
        for _ in list do count = count + 1 end
        return false
      end)
    end)
    assert.equal(60, count)
  end)
end)

describe("several coroutines on one thing:", function()
  it("a request", function()
    local client, id = helper.client "latency=20"
    local request = client:request "/bookings/12345"
    local bodies = calira.gather { function() return request:wait() end, function() return request:wait() end,
      function() return request:wait() end }
    assert.equal(bodies[1], bodies[2])
    assert.equal(bodies[1], bodies[3])
    assert.equal(1, helper.stats(id).calls)
  end)

  it("a request, one of them closed meanwhile", function()
    local client = helper.client "latency=50"
    local request = client:request "/bookings/12345"
    calira.run(function()
      local first = calira.spawn(request.wait, request)
      local second = calira.spawn(request.wait, request)
      calira.sleep(0.005)
      first:cancel()
      assert.equal(12345, second:wait().id)
    end)
  end)

  it("a generator", function()
    local client = helper.client "latency=2"
    local generator <close> = calira.generator(function()
      for b in client:bookings { provider = 102, per_page = 20 } do
        if b.id % 10 == 0 then calira.sleep(0.001) end
        coroutine.yield(b.id)
      end
    end)
    local seen, count = {}, 0
    local function read()
      for id in generator do
        assert.is_nil(seen[id])
        seen[id] = true
        count = count + 1
      end
    end
    calira.gather { read, read, read }
    assert.equal(250, count)
  end)

  it("a list, whose reader is closed in the middle of a page", function()
    local client = helper.client "latency=30"
    local list <close> = client:bookings { provider = 102, per_page = 50, limit = 100 }
    local count = 0
    calira.run(function()
      local reader = calira.spawn(function() list:next() end)
      local other = calira.spawn(function()
        while list:next() do count = count + 1 end
      end)
      local late = calira.spawn(function()
        calira.sleep(10)
        error "the other reader was not woken"
      end)
      calira.sleep(0.01)
      reader:cancel()
      other:wait()
      late:cancel()
    end)
    assert.equal(100, count)
  end)

  it("a list that is closed while they wait", function()
    local client, id = helper.client "latency=3000"
    local list = client:bookings { provider = 102 }
    calira.run(function()
      local readers = {}
      for i = 1, 3 do readers[i] = calira.spawn(function() return helper.failure(list.next, list).kind end) end
      calira.sleep(0.05)
      list:close()
      for i = 1, 3 do assert.equal("closed", readers[i]:wait()) end
    end)
    helper.aborted(id, 1)
  end)
end)

describe("a generator", function()
  it("ends, fails and is closed as coroutine.wrap is", function()
    local closed = {}
    local function held(name) return setmetatable({}, { __close = function() closed[#closed + 1] = name end }) end
    local function make(name, fails)
      return calira.generator(function()
        local it <close> = held(name)
        coroutine.yield(1, nil, 3)
        calira.sleep(0)
        if fails then error(it) end
        coroutine.yield(2)
      end)
    end
    local first = make "whole"
    assert.same({ 1, nil, 3, n = 3 }, table.pack(first()))
    assert.equal(2, first())
    assert.is_nil(first())
    assert.is_nil(first())
    local failing = make("failing", true)
    failing()
    local ok, err = pcall(failing)
    assert.is_false(ok)
    assert.is_table(err)
    assert.is_nil(failing())
    for _ in make "left" do break end
    assert.same({ "whole", "failing", "left" }, closed)
    local own
    own = calira.generator(function() own() end)
    assert.equal("argument", helper.failure(own).kind)
  end)

  it("tells a wait from a record at any depth", function()
    local function nest(depth)
      if depth == 0 then
        return calira.generator(function()
          for i = 1, 3 do
            calira.sleep(0.001)
            coroutine.yield(i)
          end
        end)
      end
      return calira.generator(function()
        for i in nest(depth - 1) do
          calira.sleep(0)
          coroutine.yield(i)
        end
      end)
    end
    local found = {}
    calira.run(function()
      for i in nest(20) do found[#found + 1] = i end
    end)
    assert.same({ 1, 2, 3 }, found)
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
