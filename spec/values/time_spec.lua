local core = require "calira.core"
local time = require "calira.values.time"

local function message_of(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok, "expected an error")
  assert.equal("argument", err.kind)
  return tostring(err)
end

--- Epoch seconds of a date's midnight by counting days one by one: slow, and nothing like the code under test.
local function days_by_counting(last_year)
  local lengths = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }
  local dates, day = {}, 0
  for year = 1970, last_year do
    local leap = (year % 400 == 0) or (year % 4 == 0 and year % 100 ~= 0)
    for month = 1, 12 do
      for d = 1, lengths[month] + (leap and month == 2 and 1 or 0) do
        dates[#dates + 1] = { ("%04d-%02d-%02d"):format(year, month, d), day * 86400 }
        day = day + 1
      end
    end
  end
  return dates
end

describe("time.parse", function()
  local good = {
    { "1970-01-01T00:00:00Z", 0 },
    { "2024-01-15T09:00:00.000Z", 1705309200 },
    { "2022-03-08T09:00:00.000+00:00", 1646730000 },
    { "2024-01-15", 1705276800 },
    { "1970-01-01", 0 },
    { "1969-12-31T23:59:59Z", -1 },
    { "1969-12-31", -86400 },
    { "0000-03-01", -62162035200 },
    { "0000-01-01", -62167219200 },
    { "0001-01-01T00:00:00Z", -62135596800 },
    { "9999-12-31T23:59:59Z", 253402300799 },
    { "2000-02-29", 951782400 },
    { "2024-02-29T12:00:00Z", 1709208000 },
    { "2024-03-01", 1709251200 },
    { "2100-03-01", 4107542400 },
    { "2024-01-15T10:00:00+01:00", 1705309200 },
    { "2024-01-15T10:00:00+0100", 1705309200 },
    { "2024-03-01T00:00Z", 1709251200 },
    { "2024-01-15T10:00+01:00", 1705309200 },
    { "2024-01-15T10:00+0100", 1705309200 },
    { "2024-01-15T00:30:00+05:45", 1705257900 },     -- 14 January in UTC
    { "2024-01-14T23:30:00-01:30", 1705280400 },     -- 15 January in UTC
    { "2024-01-01T00:00:00+00:01", 1704067140 },     -- the year before in UTC
    { "2024-02-29T23:59:59-00:01", 1709251259 },     -- 1 March in UTC
    { "2024-01-15T09:00:00-00:00", 1705309200 },
    { "2024-01-15T09:00:00+23:59", 1705309200 - 86340 },
    { "2024-01-15T09:00:00.0Z", 1705309200 },
    { "2024-01-15T09:00:00.000000000000000000000000Z", 1705309200 },
  }
  for _, case in ipairs(good) do
    it("reads " .. case[1], function()
      local epoch, message = time.parse(case[1])
      assert.equal(case[2], epoch)
      assert.equal("integer", math.type(epoch))
      assert.is_nil(message)
    end)
  end

  for text, epoch in pairs {
    ["2024-01-15T09:00:00.25Z"] = 1705309200.25,
    ["2024-01-15T09:00:00.1Z"] = 1705309200.1,
    ["2024-01-15T09:00:00.9Z"] = 1705309200.9,
    ["2024-01-15T09:00:00.123Z"] = 1705309200.123,
    ["1969-12-31T23:59:59.5Z"] = -0.5,
    ["2024-01-15T10:00:00.500+01:00"] = 1705309200.5,
  } do
    it("reads the fraction of " .. text, function()
      assert.equal(epoch, time.parse(text))
      assert.equal("float", math.type(time.parse(text)))
    end)
  end

  for _, text in ipairs {
    "", " ", "yesterday", "2024", "2024-01", "2024-1-15", "24-01-15", "12024-01-15", "2024-01-15 ", " 2024-01-15", "2024-01-15\n",
    "2024-01-15\0", "2024/01/15", "-2024-01-15", "+2024-01-15", "20240115", "2024-W03-1",
    "2023-02-29", "1900-02-29", "2100-02-29", "2024-02-30", "2024-04-31", "2024-13-01", "2024-00-10", "2024-01-00", "2024-01-32",
    "2024-02-30T09:00:00Z",
    "2024-01-15T09:00:00", "2024-01-15T09:00", "2024-01-15T09Z", "2024-01-15T09:60Z", "2024-01-15T24:00Z",
    "2024-01-15T09:00.5Z",
    "2024-01-15T09:00:Z", "2024-02-30T09:00Z", "2024-01-15T9:00Z",
    "2024-01-15T09:00ZZ", "2024-01-15T09:00+1:00", "2024-01-15TZ", "2024-01-15Z", "2024-01-15T",
    "2024-01-15 09:00:00Z", "2024-01-15t09:00:00Z", "2024-01-15T09:00:00z", "2024-01-15T9:00:00Z", "2024-01-15T09:00:00ZZ",
    "2024-01-15T24:00:00Z", "2024-01-15T09:60:00Z", "2024-01-15T09:00:60Z", "2016-12-31T23:59:60Z", "2024-01-15T09:00:00 Z",
    "2024-01-15T09:00:00.Z", "2024-01-15T09:00:000Z", "2024-01-15T09:00:00,5Z", "2024-01-15T09:00:00.5", "2024-01-15T09:00:00.-5Z",
    "2024-01-15T09:00:00+1:00", "2024-01-15T09:00:00+01", "2024-01-15T09:00:00+24:00", "2024-01-15T09:00:00+01:60",
    "2024-01-15T09:00:00+01:00Z", "2024-01-15T09:00:00+01:0", "2024-01-15T09:00:00Z+01:00", "2024-01-15T09:00:00 +01:00", "1705309200",
  } do
    it(("refuses %q"):format(text), function()
      local epoch, message = time.parse(text)
      assert.is_nil(epoch)
      assert.matches("not an API time", message, 1, true)
    end)
  end

  it("refuses other types, with a message", function()
    for _, value in ipairs { 1705309200, 0.5, true, false, {}, print, core.null } do
      local epoch, message = time.parse(value)
      assert.is_nil(epoch)
      assert.matches(type(value), message, 1, true)
    end
    assert.is_nil((time.parse(nil)))
    assert.matches("nil", select(2, time.parse(nil)), 1, true)
  end)

  it("keeps its message short", function()
    assert.is_true(#select(2, time.parse(("9"):rep(1000000))) < 300)
  end)

  it("agrees with a count of days from 1970 to 2410, at any offset", function()
    for i, date in ipairs(days_by_counting(2410)) do
      local text, midnight = date[1], date[2]
      local h, m, s, oh, om = i % 24, i % 60, i * 7 % 60, i * 5 % 24, i * 11 % 60
      local offset = (oh * 60 + om) * 60
      if time.parse(text) ~= midnight then assert.equal(midnight, time.parse(text), text) end
      local clock = ("%sT%02d:%02d:%02d"):format(text, h, m, s)
      local expected = midnight + h * 3600 + m * 60 + s
      for zone, east in pairs { [("+%02d:%02d"):format(oh, om)] = offset, [("-%02d%02d"):format(oh, om)] = -offset } do
        if time.parse(clock .. zone) ~= expected - east then assert.equal(expected - east, time.parse(clock .. zone), clock .. zone) end
      end
    end
  end)
end)

describe("time.instant", function()
  it("takes epoch seconds and API times", function()
    assert.equal(5, time.instant(5))
    assert.equal("integer", math.type(time.instant(5.0)))
    assert.equal(5.5, time.instant(5.5))
    assert.equal(-3, time.instant(-3))
    assert.equal(1705276800, time.instant "2024-01-15")
  end)

  it("refuses what is no instant", function()
    for _, value in ipairs { math.huge, -math.huge, 0 / 0, "5", "now", true, {} } do
      local epoch, message = time.instant(value)
      assert.is_nil(epoch)
      assert.is_string(message)
    end
  end)
end)

describe("time.seconds", function()
  local b = { start_time = "2024-01-15T09:00:00.000Z", end_time = "2024-01-15T12:00:00.000+01:00" }
  local nine = 1705309200
  local cases = {
    { "unbounded", b, nil, nil, 7200 },
    { "inside the span", b, "2024-01-15", "2024-01-16", 7200 },
    { "the span inside it", b, nine + 600, nine + 1200, 600 },
    { "over the start of the span", b, nine + 600, nil, 6600 },
    { "over the end of the span", b, nil, "2024-01-15T09:10:00Z", 600 },
    { "before the span", b, nine + 7200, nil, 0 },
    { "after the span", b, nil, nine, 0 },
    { "an empty span", b, nine + 60, nine + 60, 0 },
    { "a span that ends before it starts", b, nine + 120, nine + 60, 0 },
    { "no end", { start_time = b.start_time }, nil, nil, 0 },
    { "an unreadable end", { start_time = b.start_time, end_time = "later" }, nil, nil, 0 },
    { "no start", { end_time = b.end_time }, nil, nil, 0 },
    { "an unreadable start", { start_time = "soon", end_time = b.end_time }, nil, nil, 0 },
    { "no times", {}, 0, nine, 0 },
    { "an end before the start", { start_time = b.end_time, end_time = b.start_time }, nil, nil, 0 },
    { "whole seconds between fractions", { start_time = "2024-01-15T09:00:00.5Z", end_time = "2024-01-15T09:00:02.5Z" }, nil, nil, 2 },
  }
  for _, case in ipairs(cases) do
    it("counts a booking with " .. case[1], function()
      local seconds = time.seconds(case[2], case[3], case[4])
      assert.equal(case[5], seconds)
      assert.equal("integer", math.type(seconds))
    end)
  end

  it("keeps fractions", function()
    assert.equal(1.5, time.seconds { start_time = "2024-01-15T09:00:00Z", end_time = "2024-01-15T09:00:01.500Z" })
    assert.equal(7199.75, time.seconds(b, nine + 0.25))
  end)

  it("splits a booking without loss at any boundary", function()
    for cut = nine - 100, nine + 7300, 37 do
      assert.equal(7200, time.seconds(b, nil, cut) + time.seconds(b, cut, nil))
    end
  end)

  it("names the argument it cannot read", function()
    assert.matches("from", message_of(time.seconds, b, "yesterday"), 1, true)
    assert.matches('"yesterday"', message_of(time.seconds, b, "yesterday"), 1, true)
    assert.matches("to", message_of(time.seconds, b, nil, "2024-02-30"), 1, true)
    assert.matches("from", message_of(time.seconds, b, false), 1, true)
    assert.matches("to", message_of(time.seconds, b, nil, 0 / 0), 1, true)
    assert.matches("booking", message_of(time.seconds, nil), 1, true)
    message_of(time.seconds, "2024-01-15")
  end)
end)
