--- How the report on utilisation counts: against a plain count minute by minute, over changes of the clock, where bookings overlap.

local utilisation = require "calira.report.utilisation"
local zones = require "calira.values.zone"

local EVERY <const> = { true, true, true, true, true, true, true }
local WORK <const> = { true, true, true, true, true, false, false }

local function stamp(epoch) return os.date("!%Y-%m-%dT%H:%M:%S.000Z", epoch) end

local function booking(id, equipment, first, last)
  return { id = id, equipment_id = equipment, equipment = { name = "E" }, start_time = stamp(first), end_time = last and stamp(last) }
end

describe("utilisation", function()
  it("is what a count of every minute gives", function()
    for _, name in ipairs { "UTC", "Europe/London", "America/New_York" } do
      local zone = zones.find(name)
      local from, to = zone:epoch(2025, 3, 1), zone:epoch(2025, 4, 1)
      local sum = utilisation.new { from = from, to = to, zone = zone, hours = { 8 * 60 + 30, 20 * 60 }, days = WORK }
      math.randomseed(7)
      local all, used = {}, {}
      for id = 1, 60 do
        local first = from + math.random(-1500, 44000) * 60
        all[id] = booking(id, id % 3, first, first + math.random(1, 2000) * 60)
      end
      for id = 0, 3 do sum:instrument({ id = id, name = "E" .. id }, { id = 1, name = "L" }) end
      for _, b in ipairs(all) do sum:booking(b, { id = 1, name = "L" }) end
      for _, b in ipairs(all) do
        local first, last = require("calira").time(b.start_time), require("calira").time(b.end_time)
        for at = first, last - 60, 60 do used[b.equipment_id .. ":" .. at] = true end
      end
      local bookable, booked, heat, minutes = 0, 0, {}, {}
      for at = from, to - 60, 60 do
        local date = zone:date("*t", at)
        local day = (date.wday + 5) % 7 + 1
        local place, minute = day * 24 + date.hour, date.hour * 60 + date.min
        minutes[place] = (minutes[place] or 0) + 1
        local open = WORK[day] and minute >= 510 and minute < 1200
        if open then bookable = bookable + 60 end
        for id = 0, 3 do
          if used[id .. ":" .. at] then
            heat[place] = (heat[place] or 0) + 1
            if open then booked = booked + 60 end
          end
        end
      end
      local result = sum:result()
      assert.equal(bookable, result.bookable)
      assert.near(booked / bookable / 4, result.share, 1e-9)
      assert.equal(1, result.idle)
      for day = 1, 7 do
        for hour = 0, 23 do
          local place = day * 24 + hour
          assert.near((heat[place] or 0) / minutes[place] / 4, result.heat[day][hour], 1e-9, name .. " " .. day .. " " .. hour)
        end
      end
    end
  end)

  it("counts an overlap once, and nothing outside the bookable hours", function()
    local zone = zones.find "UTC"
    local from = zone:epoch(2025, 3, 3)
    local sum = utilisation.new { from = from, to = from + 86400, zone = zone, hours = { 0, 1440 }, days = EVERY }
    sum:booking(booking(1, 1, from, from + 7200))
    sum:booking(booking(2, 1, from + 3600, from + 10800))
    local result = sum:result()
    assert.equal(10800, result.seconds)
    assert.equal(3600, result.overlap)
    assert.near(3 / 24, result.share, 1e-9)
    sum = utilisation.new { from = from, to = from + 86400, zone = zone, hours = { 60, 720 }, days = EVERY }
    sum:booking(booking(1, 1, from, from + 7200))
    sum:booking(booking(2, 1, from + 3600, from + 10800))
    result = sum:result()
    assert.equal(7200, result.seconds)
    assert.equal(7200, result.instruments[1].seconds)
    assert.equal(3600, result.outside)
    assert.near(2 / 11, result.share, 1e-9)
  end)

  it("opens over midnight where the hours do", function()
    local zone = zones.find "UTC"
    local from = zone:epoch(2025, 3, 3)                             -- a Monday
    local sum = utilisation.new { from = from, to = from + 7 * 86400, zone = zone, hours = { 1320, 360 }, days = WORK }
    assert.equal(5 * 8 * 3600, sum:result().bookable)
  end)

  it("goes on with odd bookings, and tells of them", function()
    local zone = zones.find "UTC"
    local from = zone:epoch(2025, 3, 3)
    local sum = utilisation.new { from = from, to = from + 86400, zone = zone, hours = { 0, 1440 }, days = EVERY }
    sum:booking { id = 1, start_time = "soon", end_time = "later", equipment_id = 1 }
    sum:booking { id = 2, start_time = stamp(from), equipment_id = 1 }
    sum:booking { start_time = stamp(from), end_time = stamp(from - 60), equipment_id = 1, equipment = false }
    sum:booking { id = 4, start_time = stamp(from), end_time = stamp(from + 60) }
    local result = sum:result()
    assert.equal(60, result.seconds)
    assert.same({
      "1 booking without a readable start, not counted: 1", "1 booking without an end, counted with no hours: 2",
      "1 booking with an end that is unreadable or before the start, counted with no hours: -", "1 booking without an instrument: 4",
    }, result.odd)
  end)
end)
