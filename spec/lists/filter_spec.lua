local core = require "calira.core"
local compile = require "calira.lists.filter".compile

local function refusal(options)
  local ok, err = pcall(compile, options)
  assert.is_false(ok, "expected an error")
  assert.equal("argument", err.kind)
  return tostring(err)
end

local function at(hour) return ("2024-01-15T%02d:00:00.000Z"):format(hour) end
local function booking(from, to) return { start_time = from and at(from), end_time = to and at(to) } end

describe("filter.compile", function()
  it("is nil where nothing is set", function()
    assert.is_nil(compile {})
    assert.is_nil(compile { details = true, per_page = 50 })
  end)

  local spans = {
    { "inside", booking(10, 11), true },
    { "as long as the span", booking(9, 12), true },
    { "around the span", booking(8, 13), true },
    { "over its start", booking(8, 10), true },
    { "over its end", booking(11, 14), true },
    { "ending at its start", booking(8, 9), false },
    { "starting at its end", booking(12, 13), false },
    { "before", booking(6, 7), false },
    { "after", booking(13, 14), false },
    { "of no length at its start", booking(9, 9), true },
    { "of no length inside", booking(10, 10), true },
    { "of no length at its end", booking(12, 12), false },
    { "of no length before", booking(8, 8), false },
    { "without an end, inside", booking(10), true },
    { "without an end, at its start", booking(9), true },
    { "without an end, before", booking(8), false },
    { "without an end, at its end", booking(12), false },
    { "with an unreadable end, before", { start_time = at(8), end_time = "late" }, false },
    { "with an end before its start, inside", booking(10, 8), true },
    { "with an end before its start, after", booking(13, 10), false },
    { "without a start", { end_time = at(8) }, true },
    { "with an unreadable start", { start_time = "soon", end_time = at(8) }, true },
    { "with a null start", { start_time = core.null, end_time = at(8) }, true },
    { "in another zone", { start_time = "2024-01-15T13:30:00+02:00", end_time = "2024-01-15T14:30:00+02:00" }, true },
    { "in another zone, after", { start_time = "2024-01-15T11:30:00-02:00", end_time = "2024-01-15T12:30:00-02:00" }, false },
  }
  for _, case in ipairs(spans) do
    it("from 9 to 12, a booking " .. case[1], function()
      for _, bounds in ipairs { { at(9), at(12) }, { 1705309200, 1705320000 }, { 1705309200.0, at(12) } } do
        assert.equal(case[3], compile { from = bounds[1], to = bounds[2] }(case[2]))
      end
    end)
  end

  it("says which bookings it could not read", function()
    local keep = compile { from = at(9), status = "Confirmed" }
    assert.same({ true, true }, { keep { status = "Confirmed", start_time = "soon" } })
    assert.same({ true }, { keep { status = "Confirmed", start_time = at(9) } })
    assert.same({ false }, { keep { status = "Pending", start_time = "soon" } })
    assert.same({ true }, { compile { status = "Confirmed" } { status = "Confirmed", start_time = "soon" } })
  end)

  it("puts every booking into one of two adjoining spans, or both where it crosses", function()
    for first = 0, 23 do
      for last = first, 23 do
        local before, after = compile { to = at(12) }(booking(first, last)), compile { from = at(12) }(booking(first, last))
        assert.equal(first < 12, before)
        assert.equal(last > 12 or first >= 12, after)
      end
    end
  end)

  it("takes one bound alone, and a date as its midnight UTC", function()
    assert.is_true(compile { from = "2024-01-15" }(booking(0, 0)))
    assert.is_false(compile { to = "2024-01-15" }(booking(0, 1)))
    assert.is_true(compile { to = "2024-01-16" }(booking(23)))
    assert.is_false(compile { from = "2024-01-16" }(booking(23)))
    assert.is_true(compile { from = 0 }(booking(1)))
  end)

  local values = {
    { { status = "confirmed" }, { status = "Confirmed" }, true },
    { { status = "CONFIRMED" }, { status = "confirmed" }, true },
    { { status = "Pending" }, { status = "Confirmed" }, false },
    { { status = "BESTÄTIGT" }, { status = "bestätigt" }, true },
    { { status = { "pending", "Confirmed" } }, { status = "Confirmed" }, true },
    { { status = { "pending", "Completed" } }, { status = "Confirmed" }, false },
    { { status = "no such" }, { status = "Confirmed" }, false },
    { { status = "confirm" }, { status = "Confirmed" }, false },
    { { status = {} }, { status = "Confirmed" }, false },
    { { status = "Confirmed" }, {}, false },
    { { status = "Confirmed" }, { status = core.null }, false },
    { { status = "Confirmed" }, { status = 7 }, false },
    { { except_status = "DECLINED" }, { status = "declined" }, false },
    { { except_status = "declined" }, { status = "Confirmed" }, true },
    { { except_status = { "declined", "Pending" } }, { status = "pending" }, false },
    { { except_status = "declined" }, {}, true },
    { { except_status = {} }, { status = "declined" }, true },
    { { except_status = "no such" }, { status = "declined" }, true },
    { { booking_type = "Internal" }, { booking_type = "internal" }, true },
    { { booking_type = { "external", "maintenance" } }, { booking_type = "internal" }, false },
    { { booking_type = "internal" }, { status = "internal" }, false },
    { { status = "Confirmed", except_status = "confirmed" }, { status = "Confirmed" }, false },
    { { status = "Confirmed", booking_type = "internal" }, { status = "Confirmed", booking_type = "internal" }, true },
    { { status = "Confirmed", booking_type = "internal" }, { status = "Confirmed", booking_type = "external" }, false },
    { { status = "Confirmed", from = at(9) }, { status = "Confirmed", start_time = at(8) }, false },
    { { status = "Confirmed", from = at(9) }, { status = "Confirmed", start_time = at(9) }, true },
    { { status = "Pending", from = at(9) }, { status = "Confirmed", start_time = at(9) }, false },
  }
  for i, case in ipairs(values) do
    it("matches values, case " .. i, function() assert.equal(case[3], compile(case[1])(case[2])) end)
  end

  it("names the option and the value that it cannot read", function()
    assert.matches('from: .*"yesterday"', refusal { from = "yesterday" })
    assert.matches('to: .*"2024%-02%-30"', refusal { to = "2024-02-30" })
    assert.matches("from: .*boolean", refusal { from = false })
    assert.matches("to: ", refusal { to = 0 / 0 }, 1, true)
    assert.matches("status: .*number", refusal { status = 1 })
    assert.matches("except_status: .*boolean", refusal { except_status = false })
    assert.matches("booking_type: .*number", refusal { booking_type = { "internal", 5 } })
    assert.matches("status: .*keys", refusal { status = { Confirmed = true } })
    assert.matches("status: ", refusal { status = core.null }, 1, true)
  end)

  it("refuses a span that is empty or turned round", function()
    assert.matches("before", refusal { from = "2024-01-16", to = "2024-01-15" }, 1, true)
    assert.matches("before", refusal { from = "2024-01-15", to = 1705276800 }, 1, true)
    assert.is_function(compile { from = "2024-01-15", to = 1705276801 })
  end)

  it("does not look at the options again", function()
    local statuses = { "Confirmed" }
    local keep = compile { status = statuses }
    statuses[1] = "Pending"
    assert.is_true(keep { status = "Confirmed" })
  end)
end)
