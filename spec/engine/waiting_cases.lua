--- What every way of waiting has to do alike: cases that spec/engine/waiting_spec.lua runs in a plain script, in `run`, in a foreign coroutine,
-- in a generator, beside a host that steps, in cqueues and in luv. Each is a function that asserts; it knows nothing of where it runs.
-- luacheck: ignore 512 (loops that are left at once)

local assert = require "luassert"
local calira = require "calira"
local helper = require "spec.support.helper"

local M = {}

local function case(name, f) M[#M + 1] = { name = name, run = f } end

local function ids(list)
  local found = {}
  for b in list do found[#found + 1] = b.id end
  return found
end

local function counted(count, first)
  local expected = {}
  for i = 1, count do expected[i] = (first or 12345) + i - 1 end
  return expected
end

case("a walk over pages", function()
  local client = helper.client "latency=5"
  assert.same(counted(250), ids((client:bookings { provider = 102, per_page = 50 })))
end)

case("details", function()
  local client = helper.client "latency=5"
  local seen = 0
  for b in client:bookings { provider = 102, limit = 20, details = true } do
    seen = seen + 1
    assert.equal(12344 + seen, b.id)
    assert.is_string(b.currency)
  end
  assert.equal(20, seen)
end)

case("get, with its response", function()
  local client = helper.client "latency=5"
  local body, response = client:get("/bookings/12345")
  assert.equal(12345, body.id)
  assert.equal(200, response.status)
end)

case("requests, waited for in another order", function()
  local client = helper.client "latency=5;jitter=20"
  local requests = {}
  for i = 1, 12 do requests[i] = client:request("/bookings/" .. 12344 + i) end
  for i = 12, 1, -1 do assert.equal(12344 + i, requests[i]:wait().id) end
  assert.is_true(requests[1]:done())
end)

case("sleep", function()
  local before = helper.now()
  calira.sleep(0.05)
  assert.is_true(helper.now() - before >= 0.05)
  calira.sleep(0)
  assert.equal("argument", helper.failure(calira.sleep, -1).kind)
  assert.equal("argument", helper.failure(calira.sleep, 0 / 0).kind)
  assert.equal("argument", helper.failure(calira.sleep, "1").kind)
end)

case("the delay before a retry", function()
  local client, id = helper.client "firstfail=503:2;retry_after=0"
  assert.equal(12345, client:booking(12345).id)
  assert.equal(3, helper.stats(id).calls)
end)

case("a generator in a generator", function()
  local client = helper.client "latency=5"
  local function inner()
    return calira.generator(function()
      for b in client:bookings { provider = 102, per_page = 25, limit = 60 } do coroutine.yield(b.id, "inner") end
    end)
  end
  local found = {}
  for id, from in calira.generator(function()
    for id, from in inner() do
      calira.sleep(0)
      coroutine.yield(id, from .. " outer")
    end
  end) do
    assert.equal("inner outer", from)
    found[#found + 1] = id
  end
  assert.same(counted(60), found)
end)

case("an error with its object", function()
  local client = helper.client("failpath=403:accounts%2F101;latency=5", { retries = 0 })
  local err = helper.failure(function() return client:account(101).id end)
  assert.equal("forbidden", err.kind)
  assert.equal("/accounts/101", err.path)
  assert.matches("^[^:]*waiting_cases%.lua:%d+$", err.at)
  local mine = {}
  local ok, got = pcall(function()
    for _ in client:bookings { provider = 102 } do error(mine) end
  end)
  assert.is_false(ok)
  assert.equal(mine, got)
end)

case("a list that fails in the middle", function()
  local client = helper.client("failpage=500:3", { retries = 0 })
  local seen = 0
  local err = helper.failure(function()
    for _ in client:bookings { provider = 102, per_page = 50 } do seen = seen + 1 end
  end)
  assert.equal("server", err.kind)
  assert.equal(100, seen)
end)

case("break in the middle", function()
  local client = helper.client "latency=5"
  local list = client:bookings { provider = 102, per_page = 50 }
  local seen = 0
  for _ in list do
    seen = seen + 1
    if seen == 70 then break end
  end
  assert.equal(12345 + 70, list:next().id) -- it is kept, so it goes on
  list:close()
  for _ in client:bookings { provider = 102, per_page = 50 } do break end
  assert.equal(0, client:stats().in_flight)
end)

case("closing", function()
  local client = helper.client "latency=5"
  local kept
  do
    local list <close> = client:bookings { provider = 102 }
    kept = list
    list:next()
  end
  assert.equal("closed", helper.failure(kept.next, kept).kind)
  local request = client:request "/accounts"
  request:cancel()
  assert.equal("cancelled", helper.failure(request.wait, request).kind)
  client:close()
  assert.equal("closed", helper.failure(client.get, client, "/accounts").kind)
end)

case("functions that the library calls may wait", function()
  local client = helper.client "latency=2"
  local pages = 0
  local list <close> = client:bookings { provider = 102, per_page = 100,
    where = function(b)
      if b.id % 100 == 0 then calira.sleep(0.001) end
      return b.id % 2 == 0
    end,
    on_page = function()
      pages = pages + 1
      client:get "/accounts/101"
    end,
  }
  assert.equal(125, #list:collect())
  assert.equal(3, pages)
end)

case("where Lua cannot yield, it blocks", function()
  local client = helper.client "latency=2"
  local list = { 3, 1, 2 }
  table.sort(list, function(a, b)
    client:get "/accounts/101"
    return a < b
  end)
  assert.same({ 1, 2, 3 }, list)
  assert.equal("12345,12346", (("12345,12346"):gsub("%d+", function(id) return client:booking(id).id end)))
  local object = setmetatable({}, { __tostring = function() return client:account(101).name end })
  assert.is_string(tostring(object))
  local length = setmetatable({}, { __len = function() return client:bookings({ provider = 102 }):total() end })
  assert.equal(250, #length)
  local joined = setmetatable({}, { __index = function(_, i) return i <= 2 and client:booking(12344 + i).id or nil end })
  assert.equal("12345 12346", table.concat(joined, " ", 1, 2))
  local chunk = load(function()
    calira.sleep(0.001)
    return nil
  end)
  assert.is_function(chunk)
  local ended
  table.sort({ 1, 2 }, function()
    ended = calira.gather { function() return client:booking(12345).id end, function() return calira.run(function() return 7 end) end }
    local task = calira.spawn(function() return client:booking(12346).id end)
    ended[3] = task:wait()
    for id in calira.generator(function() coroutine.yield(client:booking(12347).id) end) do ended[4] = id end
    return false
  end)
  assert.same({ 12345, 7, 12346, 12347, n = 2 }, ended)
end)

case("a foreign coroutine is never yielded from", function()
  local client = helper.client "latency=2"
  local resumed = 0
  local co = coroutine.create(function()
    for b in client:bookings { provider = 102, per_page = 100 } do
      if b.id % 50 == 0 then coroutine.yield(b.id) end
    end
    calira.sleep(0.001)
    return "end"
  end)
  local ok, value
  repeat
    ok, value = coroutine.resume(co)
    assert.is_true(ok, value)
    resumed = resumed + 1
    if value ~= "end" then assert.equal(0, math.type(value) == "integer" and value % 50) end
  until value == "end"
  assert.equal(6, resumed)
end)

case("run, spawn, gather", function()
  local client = helper.client "latency=5"
  local found = calira.run(function(first, count)
    local tasks = {}
    for i = 1, count do tasks[i] = calira.spawn(function(id) return client:booking(id).id, i end, first + i - 1) end
    local all = {}
    for i, task in ipairs(tasks) do all[i] = { task:wait() } end
    return all
  end, 12345, 10)
  for i = 1, 10 do assert.same({ 12344 + i, i }, found[i]) end
  local gathered = calira.gather { function() return calira.run(client.booking, client, 12346).id end, function() end,
    function() return client:booking(12347).id end }
  assert.same({ 12346, nil, 12347, n = 3 }, gathered)
end)

case("several tasks read one list, each record once", function()
  local client = helper.client "latency=3"
  local list <close> = client:bookings { provider = 102, per_page = 20 }
  local seen, count = {}, 0
  local readers = {}
  for i = 1, 5 do
    readers[i] = function()
      for b in list do
        assert.is_nil(seen[b.id])
        seen[b.id] = true
        count = count + 1
        if count % 7 == 0 then calira.sleep(0.001) end
      end
    end
  end
  calira.gather(readers)
  assert.equal(250, count)
end)

return M
