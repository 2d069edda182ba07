--- Several coroutines on one list, request or generator. CONTRACT sections 5 and 7.
-- luacheck: ignore 512 (loops that are left at once)
local calira = require "calira"
local helper = require "spec.support.helper"

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

  it("a generator that is closed while another waits in it", function()
    calira.run(function()
      local records = calira.generator(function() calira.sleep(60) coroutine.yield(1) end)
      local reader = calira.spawn(function() return "end", records() end)
      calira.sleep(0.01)
      records:close()
      assert.same({ "end" }, { reader:wait() })
    end)
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
