--- Whatever goes first: states closed with calls in flight, lists half read, collection in any order. Run under valgrind too, so: short,
-- and nothing depends on time.
local calira = require "calira"
local helper = require "spec.support.helper"
local host = require "spec.support.host"

local prelude = [[
  local base, tls, ca, token = (...):match "(%S+) (%S+) (%S+) (%S+)"
  local calira = require "calira"
  local client = calira.new { base_url = base, token = token }
  local secure = calira.new { base_url = tls, token = token, ca_file = ca }
]]

--- Runs a script in a state of its own, which is closed when it ends.
local function state(text, scenario, before)
  local id = helper.id()
  local argument = table.concat({ helper.url(scenario, id), helper.url(scenario, id, helper.tls), helper.ca, helper.token }, " ")
  local err = host.state((before or "") .. prelude .. text, argument)
  assert(not err, err)
end

describe("a state is closed with", function()
  local SLOW <const> = "silence=1"
  local cases = {
    { "nothing done", "" },
    { "a request in flight", "r = client:request '/accounts'" },
    { "a request in flight that nobody holds", "client:request '/accounts' secure:request '/accounts'" },
    { "a request in flight over TLS", "r = secure:request '/accounts' calira.step(0.01)" },
    { "more calls than may be in flight", "r = {} for i = 1, 20 do r[i] = client:request('/bookings/' .. i) end calira.step(0)" },
    { "a list that waits", "l = client:bookings { provider = 102 } t = calira.spawn(l.next, l) calira.step(0)" },
    { "tasks that wait, sleep, have not begun", [[
      calira.spawn(function() for _ in client:bookings { provider = 102, details = true } do end end)
      calira.spawn(calira.sleep, 1000)
      calira.spawn(function() calira.run(function() calira.gather { function() calira.sleep(1000) end, function() client:get '/x' end } end) end)
      calira.spawn(function() for _ in calira.generator(function() client:get '/accounts' end) do end end)
      calira.step(0.01)
      calira.spawn(print)
    ]] },
    { "a list across labs that waits", "t = calira.spawn(function() for _ in client:bookings { under = 'x' } do end end) calira.step(0.01)" },
    { "an error in run", "pcall(calira.run, function() calira.spawn(client.get, client, '/accounts') calira.sleep(0.001) error 'x' end)" },
    { "a client that was closed", "r = client:request '/accounts' client:close() client = nil" },
    { "a timer that was asked for by a host", "calira.pollfd() t = calira.spawn(calira.sleep, 1000) calira.step(0) calira.timeout()" },
    { "a trace function and a token function", [[
      c = calira.new { base_url = base, token = function() calira.sleep(1000) return 't' end, trace = function() end }
      r = c:request '/accounts'
      calira.step(0)
    ]] },
  }
  for _, case in ipairs(cases) do
    it(case[1], function() state(case[2], SLOW) end)
  end

  it("lists half read, in every stage", function()
    state [[
      lists = {
        client:bookings { provider = 102, per_page = 10 }, secure:bookings { provider = 102, per_page = 10, details = true },
        client:bookings { under = 201, per_page = 50, details = true, equipment = true },
        client:bookings { provider = 102, per_page = 100, exact = true }, client:bookings { provider = 102, where = function() return true end },
      }
      for i = 1, 5 do
        for _ = 1, 15 do assert(lists[i]:next()) end
      end
      pages = lists[1]:pages()
      pages()
    ]]
  end)

  it("finalizers of the user's that run after the engine's", function()
    state([[
      held.list, held.request, held.client = client:bookings { provider = 102 }, client:request "/accounts", client
      held.task = calira.spawn(calira.sleep, 100)
      held.list:next()
      calira.step(0)
    ]], nil, [[
      held = setmetatable({}, { __gc = function(h)
        pcall(h.task.cancel, h.task)
        h.request:cancel()
        pcall(h.request.wait, h.request)
        h.list:close()
        pcall(h.list.next, h.list)
        pcall(h.client.get, h.client, "/accounts")
        h.client:close()
      end })
    ]])
  end)

  it("variables that are closed with it", function()
    state [[
      local list <close> = client:bookings { provider = 102 }
      list:next()
      for _ in client:bookings { provider = 102 } do break end
      co = coroutine.create(function() for _ in client:bookings { provider = 102, per_page = 5 } do coroutine.yield() end end)
      assert(coroutine.resume(co))
    ]]
  end)
end)

it("what belongs together is collected in any order", function()
  --- Calls f with every order of the numbers 1 to n.
  local function orders(n, f, taken)
    taken = taken or {}
    if #taken == n then return f(taken) end
    for i = 1, n do
      local free = true
      for _, each in ipairs(taken) do free = free and each ~= i end
      if free then
        taken[#taken + 1] = i
        orders(n, f, taken)
        taken[#taken] = nil
      end
    end
  end
  orders(4, function(order)
    local client = helper.client "silence=1"
    local list = client:bookings { provider = 102, details = true }
    local task = calira.spawn(list.next, list)
    local held = { client, list, client:request "/accounts", task }
    client, list = nil, nil -- luacheck: ignore
    calira.step(0)
    task:cancel()
    task = nil -- luacheck: ignore
    for _, i in ipairs(order) do
      assert(held[i])
      held[i] = nil
      collectgarbage()
    end
  end)
  assert.is_false(calira.step(0))
end)

describe("the collector set to", function()
  local function work()
    local client = helper.client()
    local count = 0
    calira.run(function()
      for _ = 1, 3 do
        calira.spawn(function()
          for _ in client:bookings { provider = 102, per_page = 50, details = true, limit = 20 } do count = count + 1 end
        end)
      end
      for b in calira.generator(function()
        for b in client:bookings { provider = 102, limit = 10 } do coroutine.yield(b) end
      end) do count = count + (b.id > 0 and 1 or 0) end
    end)
    assert.equal(70, count)
    local err = helper.failure(client.get, client, "/nowhere")
    assert.is_string(tostring(err))
  end

  local settings = {
    { "work all the time", function() collectgarbage("incremental", 1, 1000, 1) end },
    { "work as little as it may", function() collectgarbage("incremental", 1000, 40, 20) end },
    { "generational, often", function() collectgarbage("generational", 1, 1) end },
    { "off", function() collectgarbage "stop" end },
  }
  for _, setting in ipairs(settings) do
    it(setting[1], function()
      setting[2]()
      local ok, err = pcall(work)
      collectgarbage "restart"
      collectgarbage("incremental", 200, 100, 13)
      assert(ok, err)
    end)
  end
end)

it("nothing keeps what is over alive", function()
  local weak = setmetatable({}, { __mode = "k" })
  local client = helper.client()
  for _ = 1, 3 do
    local list = client:bookings { provider = 102, limit = 5 }
    weak[list] = true
    list:collect()
    local task = calira.spawn(function() return client:booking(12345) end)
    weak[task] = true
    weak[task:wait()] = true
    local generator = calira.generator(function() coroutine.yield(client:booking(12346)) end)
    weak[generator] = true
    weak[generator()] = true
    calira.run(function()
      local co = coroutine.running()
      weak[co] = true
      calira.sleep(0)
    end)
  end
  client = nil -- luacheck: ignore
  for _ = 1, 3 do collectgarbage() end
  assert.is_nil(next(weak))
end)
