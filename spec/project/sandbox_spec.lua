--- What the stand-in of the service does to slow a client down: its token bucket and its workers (spec/sandbox/README.md). The benchmark
-- and the specs of the limits judge by these counts.

local H = require "spec.support.helper"

--- Calls a path of a scenario so many times, `at_once` of them together: the heads of the answers, in the order they came.
local function call(scenario, id, times, at_once)
  local url = ("%s/accounts/101?[1-%d]"):format(H.url(scenario, id), times)
  local pipe <close> = assert(io.popen(("curl -s -Z --parallel-max %d -D - -o /dev/null -H 'Authorization: Bearer %s' '%s' 2>/dev/null")
    :format(at_once, H.token, url)))
  local heads = {}
  for head in pipe:read("a"):gmatch "HTTP/1.1 (.-)\r\n\r\n" do heads[#heads + 1] = head end
  assert.equal(times, #heads)
  return heads
end

local function field(head, name) return head:lower():match("\r\n" .. name:lower():gsub("-", "%%-") .. ": ([^\r]*)") end

--- How many heads have the status.
local function count(heads, status)
  local n = 0
  for _, head in ipairs(heads) do n = n + (head:sub(1, 3) == status and 1 or 0) end
  return n
end

describe("the bucket", function()
  -- so slow that nothing is filled in while the test runs
  it("holds a burst, and then refuses with whole seconds", function()
    local id = H.id()
    local heads = call("bucket=0.01:3", id, 5, 1)
    assert.same({ 3, 2 }, { count(heads, "200"), count(heads, "429") })
    assert.is_nil(field(heads[3], "retry-after"))
    local seconds = assert(math.tointeger(field(heads[4], "retry-after")))
    assert.is_true(seconds > 80 and seconds <= 100)
    local stats = H.stats(id)
    assert.same({ 5, 2, 3, 2 }, { stats.calls, stats.refused, stats.by_status["200"], stats.by_status["429"] })
  end)

  it("rounds them up, and leaves them out on demand", function()
    local heads = call("bucket=20:1", nil, 2, 1)
    if count(heads, "429") == 1 then assert.equal("1", field(heads[2], "retry-after")) end -- else the machine was slow
    heads = call("bucket=0.01:1;bucket429=none", nil, 2, 1)
    assert.equal(1, count(heads, "429"))
    assert.is_nil(field(heads[2], "retry-after"))
  end)

  it("is filled at its rate, and never beyond the burst", function()
    local id = H.id()
    local before = H.now()
    local accepted = 0
    repeat accepted = accepted + count(call("bucket=100:2", id, 10, 1), "200") until accepted >= 30
    assert.is_true(accepted <= 2 + 100 * (H.now() - before) + 1)
    os.execute "sleep 0.1"
    assert.is_true(H.stats(id).refused > 0)
  end)

  it("is each id's own", function()
    assert.equal(1, count(call("bucket=0.01:1", H.id(), 1, 1), "200"))
    assert.equal(1, count(call("bucket=0.01:1", H.id(), 1, 1), "200"))
  end)

  it("is told in headers of either kind", function()
    local heads = call("bucket=0.1:4;ratelimit=ietf", nil, 5, 1)
    assert.same({ '"default";r=3;t=10', '"default";q=4;w=40' }, { field(heads[1], "ratelimit"), field(heads[1], "ratelimit-policy") })
    assert.equal('"default";r=0', field(heads[5], "ratelimit"):match "^(.*);t=")
    heads = call("bucket=0.1:4;ratelimit=x", nil, 2, 1)
    assert.same({ "4", "2" }, { field(heads[2], "x-ratelimit-limit"), field(heads[2], "x-ratelimit-remaining") })
    assert.is_true(tonumber(field(heads[2], "x-ratelimit-reset")) <= 20)
    assert.is_nil(field(call("bucket=0.1:4", nil, 1, 1)[1], "ratelimit"))
    assert.is_nil(field(call("ratelimit=x", nil, 1, 1)[1], "x-ratelimit-limit"))
  end)
end)

describe("the workers", function()
  it("take so many calls at once; the others stand in line", function()
    local id = H.id()
    local before = H.now()
    call("workers=2:40", id, 16, 8)
    assert.is_true(H.now() - before >= 0.3) -- 8 times 40 ms
    local stats = H.stats(id)
    assert.is_true(stats.line_max <= 6 and stats.line_max >= 1)
    assert.is_true(stats.line_average <= 6 and stats.line_average > 0.3)
  end)

  it("have no line while there is one for each", function()
    local id = H.id()
    call("workers=4:10", id, 12, 3)
    local stats = H.stats(id)
    assert.equal(0, stats.line_max)
    assert.is_true(stats.line_average < 0.5)
  end)

  it("are not reached by calls that the bucket refuses", function()
    local id = H.id()
    call("bucket=0.01:1;workers=1:20", id, 8, 8)
    local stats = H.stats(id)
    assert.same({ 7, 0, 0 }, { stats.refused, stats.line_max, stats.line_average })
  end)
end)

it("an added organisation has as many labs and bookings as asked", function()
  local client = H.client "large=7:230"
  local tree = client:tree()
  assert.equal(7, #tree:labs(9000))
  local records, labs = client:bookings({ under = 9000 }):collect()
  assert.equal(7 * 230, #records)
  assert.same({ 9001, 9007 }, { labs[1].id, labs[#labs].id })
  assert.equal(records[1500].id, client:booking(records[1500]).id)
end)

it("a key with a value that makes no sense is refused", function()
  local client = H.client("workers=2.5:50", { retries = 0 })
  assert.equal(400, H.failure(client.get, client, "/accounts/101").status)
  client = H.client("bucket=0:5", { retries = 0 })
  assert.equal(400, H.failure(client.get, client, "/accounts/101").status)
end)
