--- Many at once: the bound on calls in flight, the order of service, a thousand coroutines, what gather gains.
-- luacheck: ignore 512 (loops that are left at once)
local calira = require "calira"
local helper = require "spec.support.helper"

describe("max_in_flight", function()
  for _, most in ipairs { 1, 3, 8 } do
    it(("%d is kept however many coroutines ask, and reached"):format(most), function()
      local client, id = helper.client("latency=5", { max_in_flight = most })
      local seen = 0
      calira.run(function()
        for i = 1, 60 do
          calira.spawn(function()
            if i % 3 == 0 then
              for _ in client:bookings { provider = 102, per_page = 50, lookahead = 8 } do break end
            else
              client:booking(12344 + i)
            end
            seen = math.max(seen, client:stats().in_flight)
          end)
        end
      end)
      local stats = helper.stats(id)
      assert.equal(most, stats.max_in_flight)
      assert.is_true(seen <= most)
      assert.equal(0, client:stats().in_flight)
    end)
  end

  it("is each client's own", function()
    local first, first_id = helper.client("latency=20", { max_in_flight = 2 })
    local second, second_id = helper.client("latency=20", { max_in_flight = 5 })
    local requests = {}
    for i = 1, 20 do
      requests[#requests + 1] = first:request("/bookings/" .. 12344 + i)
      requests[#requests + 1] = second:request("/bookings/" .. 12344 + i)
    end
    for _, request in ipairs(requests) do request:wait() end
    assert.equal(2, helper.stats(first_id).max_in_flight)
    assert.equal(5, helper.stats(second_id).max_in_flight)
  end)
end)

describe("calls", function()
  --- The numbers of the bookings in the order in which the sandbox saw them.
  local function order(id)
    local seen = {}
    for _, line in ipairs(helper.stats(id).log) do
      local number = tostring(type(line) == "table" and (line.path or line[1]) or line):match "/bookings/(%d+)"
      seen[#seen + 1] = tonumber(number)
    end
    return seen
  end

  local function counted(count)
    local expected = {}
    for i = 1, count do expected[i] = 12344 + i end
    return expected
  end

  it("are served in the order asked", function()
    local client, id = helper.client("latency=3", { max_in_flight = 1 })
    calira.run(function()
      for i = 1, 30 do calira.spawn(client.booking, client, 12344 + i) end
    end)
    assert.same(counted(30), order(id))
  end)

  it("are served in the order asked, whoever asks and however", function()
    local client, id = helper.client("latency=3", { max_in_flight = 1 })
    local requests = {}
    for i = 1, 10 do requests[i] = client:request("/bookings/" .. 12344 + i) end
    calira.run(function()
      for i = 11, 20 do calira.spawn(client.booking, client, 12344 + i) end
      for _ = 1, 3 do calira.sleep(0) end
    end)
    client:booking(12365)
    assert.same(10, #requests)
    local expected = counted(20)
    expected[21] = 12365
    assert.same(expected, order(id))
  end)
end)

it("1,000 coroutines walk lists of one client, each with its own records", function()
  local client, id = helper.client "latency=1"
  local labs = { { 102, 250, 12345 }, { 107, 100 }, { 105, 1 }, { 103, 140 } }
  local expected = {}
  for i, lab in ipairs(labs) do
    expected[i] = {}
    for b in client:bookings { provider = lab[1] } do table.insert(expected[i], b.id) end
    assert.equal(lab[2], #expected[i])
  end
  local finished = 0
  calira.run(function()
    for i = 1, 1000 do
      calira.spawn(function()
        local which = i % #labs + 1
        local n = 0
        for b in client:bookings { provider = labs[which][1], per_page = 50, limit = 60 } do
          n = n + 1
          assert(b.id == expected[which][n], "a record of another list")
        end
        assert(n == math.min(60, #expected[which]))
        finished = finished + 1
      end)
    end
  end)
  assert.equal(1000, finished)
  assert.equal(8, helper.stats(id).max_in_flight)
end)

it("10,000 tasks start, wait and end", function()
  local sum = 0
  calira.run(function()
    for i = 1, 10000 do
      calira.spawn(function()
        calira.sleep(0)
        sum = sum + i
      end)
    end
  end)
  assert.equal(50005000, sum)
end)

--- The shortest of several times, which is what a busy machine spoils least.
local function shortest(times, f)
  local best = math.huge
  for _ = 1, times do
    local before = helper.now()
    f()
    best = math.min(best, helper.now() - before)
  end
  return best
end

it("8 lists by gather take no more than 1.2 times one", function()
  local client = helper.client "latency=50"
  local function read()
    local count = 0
    for _ in client:bookings { provider = 102, per_page = 10, lookahead = 0, limit = 80 } do count = count + 1 end
    assert.equal(80, count)
  end
  local eight = {}
  for i = 1, 8 do eight[i] = read end
  calira.gather(eight) -- opens the connections
  local together = shortest(3, function() calira.gather(eight) end)
  local one = shortest(3, read)
  assert.is_true(one >= 0.4) -- 8 pages
  assert.is_true(together <= 1.2 * one, ("%.3f s against %.3f s"):format(together, one))
  if os.getenv "CALIRA_FIGURES" then print(("gather: %.3f s against %.3f s, %.2f times"):format(together, one, together / one)) end
end)
