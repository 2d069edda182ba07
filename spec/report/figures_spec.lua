--- Funding, idle instruments and bookings to look at: what goes in, and what comes out.

local check = require "calira.report.check"
local funding = require "calira.report.funding"
local idle = require "calira.report.idle"

describe("funding", function()
  it("sums exactly, by currency, codes and projects", function()
    local sum = funding.new()
    local function paid(id, cost, currency, code)
      sum:booking { id = id, cost = cost, currency = currency, projects = { { name = "P", funding_codes = code and { { code = code } } or nil } } }
    end
    for id = 1, 10 do paid(id, "0.10", "GBP", "A") end
    paid(11, "9007199254740993.01", "GBP", "B")
    paid(12, "-5", "EUR", "A")
    paid(13, "cheap", "EUR", "A")
    sum:booking { id = 14 }
    local result = sum:result()
    assert.same({
      { currency = "(none)", funding_codes = "(none)", projects = "(none)", cost = "0.00", bookings = 1 },
      { currency = "EUR", funding_codes = "A", projects = "P", cost = "-5.00", bookings = 2 },
      { currency = "GBP", funding_codes = "A", projects = "P", cost = "1.00", bookings = 10 },
      { currency = "GBP", funding_codes = "B", projects = "P", cost = "9007199254740993.01", bookings = 1 },
    }, result.rows)
    assert.same({ { currency = "EUR", cost = "-5.00" }, { currency = "GBP", cost = "9007199254740994.01" } }, result.totals)
    assert.same({ "1 booking with a cost that is no amount, counted as 0: 13", "1 booking without a cost, counted as 0: 14" }, result.odd)
  end)
end)

describe("idle", function()
  it("are instruments without a booking", function()
    local sum = idle.new()
    for id = 1, 3 do sum:instrument({ id = id, name = "I" .. id }, { id = 9, name = "L" }) end
    sum:booking { id = 1, equipment_id = 2, start_time = "2025-03-01T00:00:00Z" }
    sum:booking { id = 2, start_time = "2025-03-01T00:00:00Z" }
    local result = sum:result()
    assert.same({ { id = 1, name = "I1", lab_id = 9, lab = "L" }, { id = 3, name = "I3", lab_id = 9, lab = "L" } }, result.rows)
    assert.same({ "1 booking without an instrument: 2" }, result.odd)
  end)
end)

describe("check", function()
  local ALL <const> = { overlap = true, project = true, ["end"] = true, time = true }

  it("finds every pair that overlaps, as a plain comparison of all does", function()
    local sum, all, pairs_found = check.new { overlap = true }, {}, {}
    math.randomseed(3)
    for id = 1, 80 do
      local first = 1741000000 + math.random(0, 200) * 900
      local last = first + math.random(1, 8) * 900
      all[id] = { id = id, equipment_id = id % 4, first = first, last = last, start_time = os.date("!%Y-%m-%dT%H:%M:%SZ", first),
        end_time = os.date("!%Y-%m-%dT%H:%M:%SZ", last) }
      sum:booking(all[id])
    end
    local expected = 0
    for i = 1, 80 do
      for j = i + 1, 80 do
        local a, b = all[i], all[j]
        if a.equipment_id == b.equipment_id and a.first < b.last and b.first < a.last then
          expected = expected + 1
          pairs_found[i .. ":" .. j] = true
        end
      end
    end
    local rows = sum:result().rows
    assert.equal(expected, #rows)
    for _, r in ipairs(rows) do assert.is_true(pairs_found[math.min(r.id, r.with) .. ":" .. math.max(r.id, r.with)]) end
  end)

  it("finds bookings without project, end or readable times", function()
    local sum = check.new(ALL)
    local fine = { { name = "P" } }
    sum:booking { id = 1, start_time = "2025-03-01T00:00:00Z", end_time = "2025-03-01T01:00:00Z", projects = {} }
    sum:booking { id = 2, start_time = "2025-03-01T00:00:00Z", projects = fine }
    sum:booking { id = 3, start_time = "soon", end_time = "2025-03-01T01:00:00Z", projects = fine }
    sum:booking { id = 4, start_time = "2025-03-01T00:00:00Z", end_time = "2025-02-01T01:00:00Z", projects = fine, equipment = false }
    local result = sum:result()
    assert.same({ ["no project"] = 1, ["no end"] = 1, ["unreadable start"] = 1, ["ends before its start"] = 1 }, result.counts)
    assert.equal(4, result.bookings)
  end)
end)
