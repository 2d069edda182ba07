--- After a fork the child uses none of the parent's connections, and both go on.
local calira = require "calira"
local helper = require "spec.support.helper"
local host = require "spec.support.host"

--- Runs `f` in a child; fails where it does. The parent does `meanwhile`.
local function fork(f, meanwhile)
  io.stdout:flush()
  local child = host.fork()
  if child == 0 then
    local ok, err = xpcall(f, debug.traceback)
    if not ok then io.stderr:write("in the child: ", tostring(err), "\n") end
    host.exit(ok and 0 or 1)
  end
  local ok, err = true, nil
  if meanwhile then ok, err = pcall(meanwhile) end
  assert.equal(0, host.wait(child))
  assert(ok, err)
end

local function client_of(form, scenario, options)
  local id = helper.id()
  local all = { base_url = helper.url(scenario, id, form == "https" and helper.tls or nil), token = helper.token, ca_file = helper.ca }
  for name, value in pairs(options or {}) do all[name] = value end
  return calira.new(all), id
end

for _, form in ipairs { "http", "https" } do
  describe("after a fork, over " .. form, function()
    it("each has connections of its own, and keeps them", function()
      local client, id = client_of(form)
      assert.equal(12345, client:booking(12345).id)
      local before = client:stats().connections
      assert.equal(1, before)
      fork(function()
        for i = 1, 3 do assert(client:booking(12344 + i).id == 12344 + i) end
        assert(client:stats().connections == 2)
        collectgarbage()
      end)
      for i = 1, 3 do assert.equal(12344 + i, client:booking(12344 + i).id) end
      assert.equal(1, client:stats().connections)
      assert.equal(2, helper.stats(id).connections)
      assert.equal(7, helper.stats(id).calls)
    end)

    it("calls in flight are answered in both", function()
      local client, id = client_of(form, "latency=300")
      client:get "/accounts/101"
      local requests = {}
      for i = 1, 4 do requests[i] = client:request("/bookings/" .. 12344 + i) end
      calira.sleep(0.1)
      local function check()
        for i = 1, 4 do assert(requests[i]:wait().id == 12344 + i) end
      end
      fork(check, check)
      assert.equal(0, helper.stats(id).aborted)
      assert.equal(9, helper.stats(id).calls)
    end)

    it("a list that is half read is read to its end in both", function()
      local client = client_of(form, "latency=5")
      local list <close> = client:bookings { provider = 102, per_page = 20, details = true }
      for i = 1, 45 do assert(list:next().id == 12344 + i) end
      local function check()
        local last = 12344 + 45
        for b in list do
          assert(b.id == last + 1)
          last = b.id
        end
        assert(last == 12344 + 250)
      end
      fork(check, check)
    end)

    it("a child that gives up everything disturbs nobody", function()
      local client, id = client_of(form, "latency=300")
      client:get "/accounts/101"
      local list = client:bookings { provider = 102, per_page = 50 }
      local request = client:request "/bookings/12345"
      calira.sleep(0.1)
      fork(function()
        request:cancel()
        list:close()
        client:close()
        request, list, client = nil, nil, nil
        collectgarbage()
        collectgarbage()
      end, function() calira.sleep(0.1) end)
      assert.equal(12345, request:wait().id)
      assert.equal(250, #list:collect())
      assert.is_true(helper.stats(id).aborted == 0)
    end)
  end)
end

describe("after a fork", function()
  it("tasks go on in both, from where they were", function()
    local client = helper.client "latency=100"
    calira.run(function()
      local ids = {}
      local tasks = {}
      for i = 1, 5 do tasks[i] = calira.spawn(function() ids[i] = client:booking(12344 + i).id end) end
      calira.sleep(0.03)
      fork(function()
        -- the child is inside a task, as the parent was
        for i = 1, 5 do assert(client:booking(12344 + i).id == 12344 + i) end
      end)
      for i = 1, 5 do
        tasks[i]:wait()
        assert.equal(12344 + i, ids[i])
      end
    end)
  end)

  it("each polls a descriptor of its own", function()
    calira.pollfd()
    local client = helper.client "latency=200"
    local task = calira.spawn(client.booking, client, 12345)
    calira.step(0)
    local function check()
      local late = helper.now() + 20
      while not task:done() do
        assert(helper.now() < late)
        host.poll(calira.pollfd(), math.min(calira.timeout() or 1, 1))
        calira.step(0)
      end
      assert(task:wait().id == 12345)
    end
    fork(check, check)
  end)

  it("a child of a child does as well", function()
    local client, id = helper.client()
    client:get "/accounts/101"
    fork(function()
      client:get "/accounts/102"
      fork(function() client:get "/accounts/103" end)
      client:get "/accounts/104"
    end)
    client:get "/accounts/105"
    local stats = helper.stats(id)
    assert.equal(5, stats.calls)
    assert.equal(3, stats.connections)
  end)

  it("a child that closes its state disturbs nobody", function()
    for _, origin in ipairs { helper.origin, helper.tls } do
      local out, err, status = helper.script(([[
        local calira, host = require "calira", require "spec.support.host"
        local client = calira.new { base_url = %q, token = %q, ca_file = %q }
        client:get "/accounts/101"
        local request = client:request "/bookings/12345"
        local list = client:bookings { provider = 102, per_page = 50 }
        list:next()
        local child = host.fork()
        if child == 0 then os.exit(0, true) end
        assert(host.wait(child) == 0)
        print(request:wait().id, #list:collect(), client:stats().connections <= 8)
      ]]):format(helper.url("latency=20", nil, origin), helper.token, helper.ca))
      assert.equal("", err)
      assert.equal("12345\t249\ttrue\n", out)
      assert.equal(0, status)
    end
  end)

  it("children of io.popen inherit no connection", function()
    --- The sockets that a child has: none, but for the pair that libcurl wakes itself with.
    local function sockets()
      local pipe <close> = assert(io.popen("ls -l /proc/self/fd | grep -c socket:"))
      return pipe:read "n"
    end
    local client = helper.client("latency=50", { max_in_flight = 40 })
    client:get "/accounts/101"
    local before = sockets()
    local calls = {}
    for i = 1, 40 do calls[i] = function() return client:booking(12344 + i) end end
    calira.gather(calls)
    assert.is_true(client:stats().connections > 4)
    assert.equal(before, sockets())
  end)
end)
