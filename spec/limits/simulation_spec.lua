--- The policy of a shared limit, simulated: many clients, one row, a service with a token bucket. No clock, no network.

local lease = require "calira.limits.lease"
local shard = require "calira.accounts.shard"
local simulation = require "spec.support.fleet"

describe("a shared limit, simulated", function()
  it("keeps a rate that was given: no call refused, no time lost", function()
    for seed = 1, 5 do
      local seen = simulation.limit { seed = seed, clients = 4, calls = 200, service = 20, burst = 10, rate = 20 }
      assert.equal(0, seen.refused)
      assert.is_true(seen.seconds <= 1.05 * seen.ideal, ("%.3f of the ideal"):format(seen.seconds / seen.ideal))
      assert.is_true(seen.statements <= 0.25 * seen.calls, seen.statements .. " statements")
    end
  end)

  it("finds out a rate that nobody gave, with few refusals", function()
    for seed = 1, 10 do
      local seen = simulation.limit { seed = seed, clients = 4, calls = 200, service = 20, burst = 10 }
      assert.is_true(seen.refused <= 0.03 * seen.calls, seen.refused .. " refused")
      assert.is_true(seen.seconds <= 1.15 * seen.ideal, ("%.3f of the ideal"):format(seen.seconds / seen.ideal))
    end
  end)

  it("goes on below the last leases while the database is away", function()
    for seed = 1, 10 do
      local seen = simulation.limit { seed = seed, clients = 4, calls = 200, service = 20, burst = 10, down = 10 }
      assert.is_true(seen.refused <= 0.1 * seen.calls, seen.refused .. " refused")
      assert.is_true(seen.seconds <= 1.25 * seen.ideal, ("%.3f of the ideal"):format(seen.seconds / seen.ideal))
    end
  end)

  it("gives what one does not want to the others", function()
    local seen = simulation.limit { seed = 1, clients = 4, calls = { 300, 1, 1, 1 }, service = 20, burst = 10, rate = 20 }
    assert.is_true(seen.seconds <= 1.1 * seen.ideal, ("%.3f of the ideal"):format(seen.seconds / seen.ideal))
  end)

  it("gives all the same share", function()
    local seen = simulation.limit { seed = 1, clients = 8, calls = 100, service = 40, burst = 10, rate = 40 }
    assert.is_true(seen.first >= 0.85 * seen.seconds, ("one was done after %.1f of %.1f s"):format(seen.first, seen.seconds))
  end)

  it("costs a large fleet few statements", function()
    local seen = simulation.limit { seed = 1, clients = 1000, calls = 200, service = 5000, burst = 5000, rate = 5000, latency = 0.2 }
    assert.is_true(seen.statements < 0.05 * seen.calls, ("%.3f statements a call"):format(seen.statements / seen.calls))
    assert.equal(0, seen.refused)
  end)

  it("never lets more calls start than the rate allows, whoever asks for what", function()
    math.randomseed(7)
    local row, now, calls = lease.row(0), 0, 0
    for _ = 1, 20000 do
      now = now + math.random() ^ 4
      local answer = lease.step(row, { want = math.random(0, 50), rate = 20, weight = math.random(), unused = 0, refused = 0, pause = 0 }, now)
      calls = calls + answer.count
      assert.is_true(calls <= 20 * row.next_at + 1e-6)
      assert.is_true(answer.count == 0 or answer.start <= 2 * answer.length + 1e-9)
    end
  end)
end)

describe("a thousand workers that export ten thousand labs, simulated", function()
  it("lose no lab and do none twice at once, whoever dies or stands still, for few statements", function()
    local seen = simulation.export { workers = 1000, labs = 10000, rate = 5000, failures = 500, lease = 60, seed = 3 }
    assert.equal(0, seen.lost)
    assert.equal(0, seen.twice)
    assert.is_true(seen.taken_over > 100 and seen.fenced > 0, ("%d taken over, %d fenced"):format(seen.taken_over, seen.fenced))
    assert.is_true(seen.statements < 0.05 * seen.calls, ("%.3f statements a call"):format(seen.statements / seen.calls))
    assert.is_true(seen.seconds < 1.15 * seen.calls / 5000, ("%.0f s"):format(seen.seconds))
  end)

  it("have shares that are even within 5 %", function()
    local counts = {}
    for share = 1, 16 do
      local falls_to = shard.test(share .. "/16")
      counts[share] = 0
      for id = 1, 10000 do
        if falls_to(id) then counts[share] = counts[share] + 1 end
      end
      assert.is_true(math.abs(counts[share] / 625 - 1) <= 0.05, ("share %d has %d"):format(share, counts[share]))
    end
  end)
end)
