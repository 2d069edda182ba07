--- A limit of so many calls in a window, whose refusals do not say when the window ends: what is read goes on in the next one.
-- CONTRACT section 2, `adaptive`. The policy alone, with windows of a second to a minute: spec/http/throttle.c.

local H = require "spec.support.helper"

--- Reads 60 pages of a record each where 30 calls go into 1.5 seconds. Retries after at most 70 ms, 140 ms and so on, all in all 0.5 s
-- on average, would come too early, all of them.
local function read(scenario, options)
  options.backoff = { base = 0.07 }
  local client, id = H.client("bookings=60;window=30:1.5;" .. scenario, options)
  local list = client:bookings { provider = 102, per_page = 1 }
  local seen = {}
  for _, b in ipairs(list:collect()) do
    assert.is_nil(seen[b.id])
    seen[b.id] = true
    seen[#seen + 1] = b.id
  end
  assert.same({ "complete", 60 }, { list:report().verdict, #seen })
  return H.stats(id).refused
end

describe("a window of calls that is used up", function()
  for name, scenario in pairs { ["without Retry-After"] = "bucket429=none", ["with one"] = "bucket429=seconds" } do
    it("ends no list, " .. name, function()
      local refused = read(scenario, { max_in_flight = 1 })
      assert.is_true(refused > 0 and refused <= 8, refused)
    end)

    it("is asked by one call, not by all that are in flight, " .. name, function()
      local refused = read(scenario, { max_in_flight = 8 })
      assert.is_true(refused > 0 and refused <= 24, refused)
    end)
  end

  it("is asked once more before a call's deadline", function()
    local client = H.client("window=12:2;bucket429=none", { deadline = 3, backoff = { base = 0.5, max = 30 } })
    for _ = 1, 13 do client:account(101) end
  end)

  it("ends a call where it stays so", function()
    local client = H.client("window=12:1000;bucket429=none", { backoff = { base = 0.002 }, max_wait = 0.1 })
    local err = H.failure(function()
      for _ = 1, 13 do client:account(101) end
    end)
    assert.same({ "rate_limited", 5 }, { err.kind, err.attempts })
  end)
end)
