--- Giving up: the server sees it, the connection is freed, and what is left goes on.
-- luacheck: ignore 512 (loops that are left at once)
local calira = require "calira"
local cqueues = require "cqueues"
local cqueues_adapter = require "calira.adapters.cqueues"
local helper = require "spec.support.helper"
local luv_adapter = require "calira.adapters.luv"
local uv = require "luv"

local SLOW <const> = "latency=20000"

--- Drives the engine until the sandbox has so many calls of the scenario under way.
local function under_way(id, count)
  local late = helper.now() + 10
  while helper.stats(id).in_flight < count do
    assert(helper.now() < late, "the calls did not arrive")
    calira.sleep(0.01)
  end
end

--- Each gives up one call that waits for a slow server: f(client, id).
local ways = {
  { "list:close()", function(client, id)
    local list = client:bookings { provider = 102 }
    local task = calira.spawn(function() return helper.failure(list.next, list).kind end)
    under_way(id, 1)
    list:close()
    assert.equal("closed", task:wait())
  end },
  { "request:cancel()", function(client, id)
    local request = client:request "/accounts"
    under_way(id, 1)
    request:cancel()
    assert.is_true(request:done())
    assert.equal("cancelled", helper.failure(request.wait, request).kind)
    assert.equal("cancelled", helper.failure(request.wait, request).kind)
    request:cancel()
  end },
  { "client:close()", function(client, id)
    local request = client:request "/accounts"
    local task = calira.spawn(function() return helper.failure(request.wait, request).kind end)
    under_way(id, 1)
    client:close()
    client:close()
    assert.equal("cancelled", task:wait())
  end },
  { "task:cancel() in a loop", function(client, id)
    local task = calira.spawn(function()
      for _ in client:bookings { provider = 102 } do error "a record" end
    end)
    under_way(id, 1)
    task:cancel()
  end },
  { "task:cancel() in get", function(client, id)
    local task = calira.spawn(function() client:get "/accounts" end)
    under_way(id, 1)
    task:cancel()
  end },
  { "coroutine.close in run", function(client, id)
    calira.run(function()
      local co
      calira.spawn(function()
        co = coroutine.running()
        local list <close> = client:bookings { provider = 102 }
        list:next()
      end)
      under_way(id, 1)
      assert.is_true(coroutine.close(co))
    end)
  end },
  { "coroutine.close in luv", function(client, id)
    local co
    luv_adapter.spawn(function()
      co = coroutine.running()
      client:get "/accounts"
    end)
    under_way(id, 1)
    assert.is_true(coroutine.close(co))
    uv.run()
    luv_adapter.detach()
  end },
  { "an error beside it in gather", function(client, id)
    assert.equal("enough", select(2, pcall(calira.gather, {
      function() for _ in client:bookings { provider = 102 } do error "a record" end end,
      function()
        under_way(id, 1)
        error("enough", 0)
      end,
    })))
  end },
  { "an error that leaves run", function(client, id)
    assert.equal("enough", select(2, pcall(calira.run, function()
      calira.spawn(client.get, client, "/accounts")
      under_way(id, 1)
      error("enough", 0)
    end)))
  end },
  { "closing a generator that waits", function(client, id)
    local generator = calira.generator(function()
      for b in client:bookings { provider = 102 } do coroutine.yield(b) end
    end)
    local task = calira.spawn(function() generator() end)
    under_way(id, 1)
    task:cancel()
    generator:close()
  end },
  { "collecting a request", function(client, id)
    client:request "/accounts"
    under_way(id, 1)
    collectgarbage()
    collectgarbage()
  end },
  { "collecting a list", function(client, id)
    do
      local list = client:bookings { provider = 102 }
      local task = calira.spawn(function() list:next() end)
      under_way(id, 1)
      task:cancel()
      list = nil -- luacheck: ignore
    end
    collectgarbage()
    collectgarbage()
  end },
  { "collecting a client and what it was asked", function(client, id)
    local own, own_id = helper.client(SLOW)
    own:request "/accounts"
    under_way(own_id, 1)
    own = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    helper.aborted(own_id, 1)
    local request = client:request "/accounts" -- the one to be counted
    under_way(id, 1)
    request:cancel()
  end },
}

describe("giving up by", function()
  for _, way in ipairs(ways) do
    it(way[1], function()
      local client, id = helper.client(SLOW)
      way[2](client, id)
      local before = helper.now()
      helper.aborted(id, 1)
      assert.is_true(helper.now() - before < 2.5)
      local after = helper.client()
      assert.equal(12345, after:booking(12345).id)
    end)
  end
end)

describe("leaving a loop by", function()
  --- Reads one page of a list whose other pages are under way, and leaves by `leave`.
  local function left_by(leave, form)
    local client, id = helper.client("silence=2;total=1000", { lookahead = 1 })
    local function loop()
      for b in client:bookings { provider = 102, per_page = 10 } do
        if b.id == 12354 then
          under_way(id, 1)
          local result = leave()
          if result == "break" then break end
          return result
        end
      end
    end
    if form then form(loop) else loop() end
    helper.aborted(id, 1)
    assert.equal(0, client:stats().in_flight)
  end

  it("break", function() left_by(function() return "break" end) end)
  it("return", function() left_by(function() return 1 end) end)
  it("an error", function() left_by(function() error "out" end, pcall) end)
  it("break in run", function() left_by(function() return "break" end, calira.run) end)
  it("return in run", function() left_by(function() return 1 end, calira.run) end)
  it("an error in run", function() left_by(function() error "out" end, function(f) assert.is_false(pcall(calira.run, f)) end) end)
  it("an error in a task that somebody waits for", function()
    left_by(function() error "out" end, function(f)
      calira.run(function()
        local task = calira.spawn(f)
        assert.is_false(pcall(task.wait, task))
      end)
    end)
  end)
  it("an error in a generator", function()
    left_by(function() error "out" end, function(f) assert.is_false(pcall(calira.generator(f))) end)
  end)
  it("break out of a generator around it", function()
    left_by(function() coroutine.yield "here" end, function(f)
      for _ in calira.generator(f) do break end
    end)
  end)
  it("an error in a foreign coroutine", function()
    left_by(function() error "out" end, function(f) assert.is_false(pcall(coroutine.wrap(f))) end)
  end)
  it("coroutine.close of a foreign coroutine", function()
    left_by(function() coroutine.yield() end, function(f)
      local co = coroutine.create(f)
      assert(coroutine.resume(co))
      assert(coroutine.close(co))
    end)
  end)
  it("break in cqueues", function()
    left_by(function() return "break" end, function(f)
      local loop = cqueues.new()
      cqueues_adapter.attach()
      loop:wrap(f)
      assert(loop:loop())
      cqueues_adapter.detach()
    end)
  end)
  it("break in luv", function()
    left_by(function() return "break" end, function(f)
      luv_adapter.spawn(f)
      uv.run()
      luv_adapter.detach()
    end)
  end)
end)

describe("after giving up", function()
  it("nothing is left to do", function()
    local client, id = helper.client(SLOW)
    local tasks = { calira.spawn(calira.sleep, 60), calira.spawn(client.get, client, "/accounts") }
    under_way(id, 1)
    for _, task in ipairs(tasks) do task:cancel() end
    assert.is_false(calira.step(0))
    assert.is_nil(calira.timeout())
  end)

  it("the next in the line is sent", function()
    local client, id = helper.client(SLOW, { max_in_flight = 1 })
    local first = client:request "/accounts"
    local second = client:request "/accounts/101"
    under_way(id, 1)
    first:cancel()
    helper.aborted(id, 1)
    under_way(id, 1)
    assert.equal(1, client:stats().in_flight)
    second:cancel()
    helper.aborted(id, 2)
  end)

  it("a call that was not sent yet is never sent", function()
    local client, id = helper.client("latency=100", { max_in_flight = 1 })
    local first = client:request "/accounts/101"
    local second = client:request "/accounts/102"
    second:cancel()
    assert.equal(101, first:wait().id)
    calira.sleep(0.05)
    assert.equal(1, helper.stats(id).calls)
    assert.equal("cancelled", helper.failure(second.wait, second).kind)
  end)

  it("connections are used again", function()
    local client, id = helper.client "latency=2"
    for _ = 1, 20 do
      for _ in client:bookings { provider = 102, per_page = 100 } do break end
      client:booking(12345)
    end
    local stats = helper.stats(id)
    -- Each break may cost the connections of the pages asked for ahead, never more.
    assert.is_true(stats.connections <= 20 * 3 + 3, stats.connections .. " connections")
    local steady, steady_id = helper.client()
    for _ = 1, 20 do steady:booking(12345) end
    assert.is_true(helper.stats(steady_id).connections <= 1)
  end)

  it("an answer that is there stays", function()
    local client = helper.client()
    local request = client:request "/bookings/12345"
    assert.equal(12345, request:wait().id)
    request:cancel()
    assert.equal(12345, request:wait().id)
  end)
end)

describe("on HTTP/2", function()
  local function client_of(scenario)
    local id = helper.id()
    return calira.new { base_url = helper.url(scenario, id, helper.tls), token = helper.token, ca_file = helper.ca }, id
  end

  it("the last one on a connection closes it", function()
    local client, id = client_of(SLOW)
    local request = client:request "/accounts"
    under_way(id, 1)
    request:cancel()
    helper.aborted(id, 1)
  end)

  it("the others on it go on", function()
    local slow, slow_id = client_of(SLOW)
    local client, id = client_of "latency=100"
    client:get "/accounts/101"
    local given_up, kept = slow:request "/accounts/102", client:request "/accounts/103"
    under_way(slow_id, 1)
    given_up:cancel()
    assert.equal(103, kept:wait().id)
    assert.equal(104, client:get("/accounts/104").id) -- the RST_STREAM leaves with it
    helper.aborted(slow_id, 1)
    assert.equal(0, slow:stats().connections)
    assert.equal(1, client:stats().connections)
    assert.same({ "HTTP/2.0" }, helper.stats(id).protocols)
  end)
end)

describe("Ctrl-C", function()
  local base = helper.url(SLOW, "ctrl-c")

  --- Runs a script that is interrupted after 0.3 s; it has `client`, `calira`, `host`, `began`, and prints.
  local function interrupted(text)
    return helper.script(([[
      local calira, host = require "calira", require "spec.support.host"
      local client = calira.new { base_url = %q, token = %q }
      local other = calira.new { base_url = %q, token = %q }
      local began = host.now()
      local function took() assert(host.now() - began < 0.8, "it took " .. host.now() - began .. " s") end
      host.interrupt(0.3)
    ]]):format(base, helper.token, helper.url("", "ctrl-c-after"), helper.token) .. text)
  end

  local blocked = {
    { "a call", "client:get '/accounts'" },
    { "a list", "for _ in client:bookings { provider = 102 } do end" },
    { "a list with details", "for _ in client:bookings { provider = 102, details = true } do end" },
    { "sleep", "calira.sleep(20)" },
    { "a foreign coroutine", "coroutine.wrap(function() client:get '/accounts' end)()" },
    { "run", "calira.run(function() client:get '/accounts' end)" },
    { "a task that blocks", "calira.run(function() table.sort({ 1, 2 }, function() client:get '/accounts' end) end)" },
    { "run in a foreign coroutine", "coroutine.wrap(function() calira.run(client.get, client, '/accounts') end)()" },
    { "gather", "calira.gather { function() client:get '/accounts' end, function() calira.sleep(20) end }" },
    { "a generator", "for _ in calira.generator(function() calira.sleep(20) end) do end" },
  }

  for _, where in ipairs(blocked) do
    it("stops a script in " .. where[1] .. ", with a traceback", function()
      local began = helper.now()
      local out, err, status = interrupted(where[2] .. "\nprint 'went on'")
      assert.equal("", out)
      assert.equal(1, status)
      assert.matches("interrupted!", err)
      assert.matches("stack traceback:", err)
      assert.is_true(helper.now() - began < 5)
    end)

    it("gets through " .. where[1] .. " within half a second, and a handler goes on", function()
      local out, err, status = interrupted(([[
        local function wait() %s end
        local ok, err = pcall(wait)
        took()
        assert(not ok and tostring(err):find "interrupted!", tostring(err))
        collectgarbage()
        -- the same client, and another one, in every way
        local request = client:request "/accounts"
        request:cancel()
        assert(other:booking(12345).id == 12345)
        assert(calira.run(function()
          local task = calira.spawn(function() return other:booking(12346).id end)
          return task:wait()
        end) == 12346)
        local n = 0
        for _ in other:bookings { provider = 102 } do n = n + 1 end
        local outside = calira.spawn(function() return n end)
        assert(outside:wait() == 250)
        print "went on"
      ]]):format(where[2]))
      assert.equal("", err)
      assert.equal("went on\n", out)
      assert.equal(0, status)
    end)
  end

  it("leaves a list that a handler can go on with", function()
    local out, err = helper.script(([[
      local calira, host = require "calira", require "spec.support.host"
      local client = calira.new { base_url = %q, token = %q }
      local n, times = 0, 0
      local list = client:bookings { provider = 102, per_page = 25, details = true }
      local function read() for _ in list do n = n + 1 end return true end
      host.interrupt(0.3)
      local before = host.now()
      while true do
        local ok, err = pcall(read)
        if ok then break end
        assert(tostring(err):find "interrupted!", tostring(err))
        times = times + 1
      end
      print(n, times, list:report().verdict)
    ]]):format(helper.url("latency=50"), helper.token))
    assert.equal("", err)
    assert.equal("250\t1\tcomplete\n", out)
  end)

  it("in the middle of a task's work leaves the tasks outside of run as they are", function()
    local out, err = interrupted [[
      local ticks = 0
      calira.spawn(function() while ticks < 1000000 do ticks = ticks + 1 calira.sleep(0.001) end end)
      local ok, err = pcall(calira.run, function()
        while true do
          local late = host.now() + 0.01
          while host.now() < late do end
          calira.sleep(0)
        end
      end)
      assert(not ok and tostring(err):find "interrupted!", tostring(err))
      local before = ticks
      calira.sleep(0.1)
      assert(ticks > before, "the task outside was lost")
      local task = calira.spawn(function() return "new" end)
      while not task:done() do calira.step(0.01) end
      print(task:wait())
    ]]
    assert.equal("", err)
    assert.equal("new\n", out)
  end)
end)
