--- Small inputs that failed once, each of a kind: where other code runs in between (finalizers, hooks, another copy of the module, functions
-- that wait for what waits for them), one call's trouble that became another's, and costs that grew with the square. Each runs in a
-- process of its own with a watchdog, since most of them hung. Memory that runs out is memory.c's.
local helper = require "spec.support.helper"

local PRELUDE <const> = [[
  local calira = require "calira"
  local helper = require "spec.support.helper"
  local count, began = 0, helper.now() * 1e9 // 1
  function helper.id() -- another process's may be the same
    count = count + 1
    return ("c%d-%d"):format(began, count)
  end
  local function kind_of(f, ...)
    local ok, err = pcall(f, ...)
    return ok and "none" or calira.is_error(err) and err.kind or tostring(err)
  end
]]

local SECONDS <const> = 60

--- Runs a script, which has to end; what it printed.
local function run(text, argument)
  local out, err, status = helper.script(("arg = { %q }\n"):format(argument or "") .. PRELUDE .. text, "timeout -k 1 " .. SECONDS)
  assert.is_not_equal(124, status, "it hangs; " .. out .. err)
  assert.equal(0, status, err)
  return (out:gsub("%s+$", ""))
end

describe("finalizers", function()
  it("close the list whose page is being read: it says so, or had been read", function()
    run [[
      local client = helper.client()
      local function open()
        local list = client:bookings { provider = 102, per_page = 25 }
        return setmetatable({ list = list }, { __gc = function(w) w.list:close() end })
      end
      local closed = 0
      for _ = 1, 60 do
        local list, count = open().list, 0
        local ok, err = pcall(function() for _ in list do count = count + 1 end end)
        if ok then assert(count == 250) else assert(err.kind == "closed", tostring(err)) end
        closed = closed + (ok and 0 or 1)
      end
      assert(closed > 0, "no list was closed: nothing was tried")
    ]]
  end)

  for _, mode in ipairs { "collect", "cancel", "exit" } do
    it("wait for a request that was finalized before: " .. mode, function()
      assert.equal("cancelled", run([[
        local client = helper.client()
        local job = setmetatable({}, { __gc = function(j)
          if arg[1] == "cancel" then j.request:cancel() end
          local kind = kind_of(j.request.wait, j.request)
          print(kind == "closed" and "cancelled" or kind)
        end })
        job.request = client:request "/accounts"
        if arg[1] == "exit" then
          JOB = job
          return
        end
        job = nil
        collectgarbage()
      ]], mode))
    end)
  end

  it("drive the engine just when somebody begins to wait", function()
    run [[
      local client = helper.client(nil, { deadline = 20 })
      local Job = { __gc = function(j) j.request:cancel() end }
      collectgarbage("generational", 1, 1)
      for _ = 1, 800 do
        local request = client:request "/bookings/12345"
        for _ = 1, 2 do setmetatable({ request = client:request "/bookings/12346" }, Job) end
        assert(request:wait().id == 12345)
      end
    ]]
  end)

  it("drive the engine while events are told: each once", function()
    run [[
      local told = { request = 0, response = 0 }
      local client = helper.client(nil, { trace = function(e)
        if told[e.event] then told[e.event] = told[e.event] + 1 end
        local junk = {}
        for i = 1, 20 do junk[i] = { i } end
      end })
      collectgarbage "generational"
      local function again()
        setmetatable({}, { __gc = function()
          calira.step(0)
          again()
        end })
      end
      again()
      calira.run(function()
        for _ = 1, 8 do calira.spawn(function() for _ = 1, 50 do client:get "/bookings/12345" end end) end
      end)
      calira.step(0)
      again = function() end
      assert(told.request == 400 and told.response == 400, told.request .. " " .. told.response)
    ]]
  end)
end)

it("a hook's error while a page is read is raised as it is, and the list is as it was", function()
  for _, event in ipairs { 2, 3, 6, 10 } do -- 1 is the call of pcall
    run([[
      local client = helper.client "total=none"
      local list, stop, count = client:bookings { provider = 102, per_page = 100 }, {}, 0
      local function read() for _ in list do count = count + 1 if count == 100 then return end end end
      read()
      local next_record = list.next
      local left = tonumber(arg[1])
      debug.sethook(function()
        left = left - 1
        if left == 0 then
          debug.sethook()
          error(stop, 0)
        end
      end, "c")
      local ok, err = pcall(next_record, list)
      left = math.huge -- not in the next line
      debug.sethook()
      if ok then count = count + 1 else assert(err == stop, tostring(err)) end
      for _ in list do count = count + 1 end
      assert(count == 250, count)
      assert(list:report().verdict == "complete")
    ]], tostring(event))
  end
end)

describe("one call's trouble is its own:", function()
  it("a header line that is too long", function()
    run [[
      local good, id = helper.client "latency=1500"
      local bad = helper.client "bigheaders=150000:150000"
      local request = good:request "/accounts"
      for _ = 1, 3 do assert(kind_of(bad.get, bad, "/accounts") ~= "none") end
      local _, response = request:wait()
      assert(response.attempts == 1)
      assert(helper.calls(id) == 1, "sent again")
    ]]
  end)

  it("the same while a refresh is under way: the grant is sent once", function()
    run [[
      local id = helper.id()
      local base = ("%s/~id=%s;tokenlatency=300"):format(helper.origin, id)
      local grant
      local store = { load = function() return grant end, save = function(g) grant = g end, lock = function() end }
      local good = calira.new { base_url = base .. "/v1", retries = 0, oauth = {
        client_id = "c", client_secret = "s", refresh_token = "rt-0", token_url = base .. "/oauth/token", store = store } }
      local bad = helper.client "bigheaders=150000:150000"
      local request = good:request "/accounts"
      calira.step(0.02)
      calira.step(0.02)
      assert(kind_of(bad.get, bad, "/accounts") ~= "none")
      request:wait()
      assert(helper.stats(id).token_calls == 1)
    ]]
  end)

  it("a reader that computes longer than an attempt may take", function()
    run [[
      local client, id = helper.client("latency=50", { timeout = 0.4, lookahead = 8, max_in_flight = 16 })
      local count = 0
      for _ in client:bookings { provider = 102, per_page = 50 } do
        count = count + 1
        if count % 50 == 0 then os.execute "sleep 0.6" end
      end
      assert(count == 250)
      assert(client:stats().retries == 0 and helper.calls(id) == 5, client:stats().retries .. " retries")
    ]]
  end)
end)

for _, mode in ipairs { "run", "token", "get" } do
  it("the module loaded a second time in a state: " .. mode, function()
    run([[
      for name in pairs(package.loaded) do if name:find "^calira" then package.loaded[name] = nil end end
      local again = require "calira"
      local token = helper.token
      local client = calira.new { base_url = helper.url(), token = arg[1] == "token" and function() return token end or token }
      if arg[1] == "run" then
        assert(calira.run(function() calira.sleep(0.01) return 1 end) == 1)
        assert(again.run(function() again.sleep(0.01) return 1 end) == 1)
      else
        assert(client:get "/accounts")
        local other = again.new { base_url = helper.url(), token = token }
        assert(other:get "/accounts")
      end
    ]], mode)
  end)
end

describe("what waits for itself is told so:", function()
  it("the client's own token function", function()
    run [[
      local client
      client = calira.new { base_url = helper.url(), token = function()
        client:get "/accounts"
        return helper.token
      end }
      local ok, err = pcall(client.get, client, "/accounts")
      assert(not ok and calira.is_error(err))
      assert(err.kind == "argument" or err.cause and err.cause.kind == "argument", tostring(err))
    ]]
  end)

  for _, mode in ipairs { "wrap", "run", "generator", "spawn", "gather" } do
    it("a list's own function, through " .. mode, function()
      assert.equal("argument", run([[
        local client, list = helper.client(), nil
        local function read() return list:next() end
        local through = {
          wrap = function() coroutine.wrap(read)() end,
          run = function() calira.run(read) end,
          spawn = function() calira.spawn(read):wait() end,
          generator = function() calira.generator(function() coroutine.yield(read()) end)() end,
          gather = function() calira.gather { read } end,
        }
        list = client:bookings { provider = 102, limit = 3, where = function()
          through[arg[1] ]()
          return true
        end }
        print(kind_of(list.collect, list))
      ]], mode))
    end)
  end

  it("but what is known of the list may be asked", function()
    run [[
      local client, list = helper.client(), nil
      list = client:bookings { provider = 102, limit = 3, where = function()
        assert(list:total() == 250 and select(2, list:progress()) == 250 and list:report().verdict == "partial")
        return true
      end }
      assert(#list:collect() == 3)
    ]]
  end)
end)

--- The CPU seconds that a script prints for a size, and for four or ten times that: how many times more.
local function ratio(text, small, large)
  local out = run(text .. ("\nlocal small = cost(%d)\nprint(cost(%d) / math.max(small, 0.001))"):format(small, large))
  return tonumber(out)
end

describe("costs grow in proportion:", function()
  it("of calls that wait for a retry", function()
    local more = ratio([[
      local function cost(count)
        local client = helper.client("fail=500:1", { retries = 1, backoff = { base = 30, max = 30 } })
        local before, requests = os.clock(), {}
        for i = 1, count do requests[i] = client:request "/bookings/12345" end
        while client:stats().calls < count do calira.step(0.05) end
        local took = os.clock() - before
        client:close()
        return took
      end
      cost(200)
    ]], 2000, 8000)
    assert.is_true(more < 9, ("four times the calls cost %.1f times as much"):format(more))
  end)

  it("of a task that blocks beside ready ones", function()
    local more = ratio([[
      local client = helper.client()
      local function cost(count)
        local took
        calira.run(function()
          for _ = 1, count do calira.spawn(function() end) end
          collectgarbage()
          collectgarbage "stop" -- the tasks are many to mark
          local before = os.clock()
          table.sort({ 1, 2 }, function(a, b)
            for _ = 1, 300 do client:get "/bookings/12345" end
            return a < b
          end)
          took = os.clock() - before
          collectgarbage "restart"
        end)
        return took
      end
      cost(10)
    ]], 4000, 40000)
    assert.is_true(more < 4, ("ten times the tasks cost %.1f times as much"):format(more))
  end)
end)

it("a task that blocks is served by its limiter at once", function()
  run [[
    local client = helper.client(nil, { limiter = function() calira.sleep(0) end })
    local took
    local function get() return client:booking(12345).id end
    calira.run(function()
      table.sort({ 1, 2 }, function()
        local before, gets = helper.now(), {}
        for i = 1, 20 do gets[i] = get end
        calira.gather(gets)
        took = helper.now() - before
        return false
      end)
    end)
    assert(took < 2, took) -- not a quarter of a second each
  ]]
end)

it("a rate of next to nothing lets one call through", function()
  run [[
    local client = helper.client(nil, { rate = 1e-10 })
    local requests = {}
    for i = 1, 5 do requests[i] = client:request "/bookings/12345" end
    local till = helper.now() + 0.3
    while helper.now() < till do calira.step(0.05) end
    assert(client:stats().calls == 1, client:stats().calls)
    client:close()
  ]]
end)

it("a redirect to a long address names its origin", function()
  for _, size in ipairs { 250, 300, 400, 2000 } do
    local to = "https://login.example.org/" .. ("a"):rep(size)
    local client = helper.client("redirect=" .. to:gsub("[:/]", function(c) return ("%%%02X"):format(c:byte()) end))
    local err = helper.failure(client.get, client, "/accounts")
    assert.equal("redirect", err.kind)
    assert.matches("https://login%.example%.org", err.message)
  end
end)
