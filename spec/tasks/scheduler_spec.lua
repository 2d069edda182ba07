--- run, spawn, gather and their tasks. CONTRACT section 7.
-- luacheck: ignore 512 (loops that are left at once)
local calira = require "calira"
local helper = require "spec.support.helper"

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
    assert.matches("scheduler_spec%.lua:%d+: here$", err)
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
  local warnings = require "spec.support.warnings"

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
