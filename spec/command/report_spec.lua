--- `calira report`: numbers against a plain script over the same records, formats, typos, pages.

local calira = require "calira"
local cjson = require "cjson"
local command = require "spec.support.command"
local exports = require "spec.support.exports"
local helper = require "spec.support.helper"

local MARCH <const> = { calira.time "2025-03-01", calira.time "2025-04-01" }

--- The bookings of lab 102 that count in March 2025, by a plain loop.
local function march(details)
  local client <close> = helper.client()
  local kept = {}
  for b in client:bookings { provider = 102, details = details } do
    local first, last = calira.time(b.start_time), calira.time(b.end_time)
    if b.status ~= "declined" and first < MARCH[2] and (first >= MARCH[1] or last and last > MARCH[1]) then kept[#kept + 1] = b end
  end
  return kept
end

describe("calira report", function()
  it("utilisation has the hours of a plain sum", function()
    local hours, count = {}, 0
    for _, b in ipairs(march()) do
      hours[b.equipment_id] = (hours[b.equipment_id] or 0) + calira.seconds(b, MARCH[1], MARCH[2]) / 3600
      count = count + 1
    end
    local rows = cjson.decode((command.out "report utilisation --lab 102 --month 2025-03 --format json"))
    local bookings = 0
    for _, r in ipairs(rows) do
      assert.near(hours[math.tointeger(r.id)] or 0, r.hours, 0.005, r.name)
      assert.is_true(r.share <= 1)
      bookings = bookings + r.bookings
    end
    assert.equal(count, bookings)
    assert.equal(12, #rows)
    local out = command.out "report utilisation --lab 102 --month 2025-03 --hours 08:00-20:00 --days Mon-Fri"
    assert.matches("252.0 an instrument %(08:00%-20:00%)", out)
    assert.matches("9 of 12 instruments idle; February 2025: ", out, 1, true)
  end)

  it("funding sums what a plain loop sums", function()
    local totals = {}
    for _, b in ipairs(march(true)) do totals[b.currency] = calira.add(totals[b.currency] or "0.00", b.cost) end
    local sums = {}
    for _, r in ipairs(cjson.decode((command.out "report funding --lab 102 --month 2025-03 --format json"))) do
      sums[r.currency] = calira.add(sums[r.currency] or "0.00", r.cost)
    end
    assert.same(totals, sums)
  end)

  it("idle and check list what they say", function()
    local out = command.out "report idle --lab 102 --month 2025-03 --format csv"
    assert.equal(10, select(2, out:gsub("\r\n", "")))               -- a header and 9
    out = command.out "report check --lab 102 --month 2025-03 --only end"
    assert.matches("15 bookings looked at: nothing to report", out, 1, true)
    out = command.out "report check --lab 102"
    assert.matches("%d no end", out)
  end)

  it("ends with 5 where a status was never seen, and with 2 for hours that are none", function()
    local _, err, status = command.run "report idle --lab 102 --status confirmd"
    assert.equal(5, status)
    assert.matches('the status "confirmd"; those seen are: Booked, Completed', err, 1, true)
    _, _, status = command.run "report utilisation --lab 102 --hours 8"
    assert.equal(2, status)
    _, _, status = command.run "report utilisation --lab 102 --days Someday"
    assert.equal(2, status)
  end)

  it("ends with 3 and says so on the page where something may be missing", function()
    local folder, remove = exports.folder()
    finally(remove)
    local page = folder .. "/u.html"
    local _, err, status = command.run("report utilisation --lab 102 --month 2025-03 --html " .. page, { scenario = "invisible=2" })
    assert.equal(3, status)
    assert.matches("possibly incomplete: the service counts 2 more", err, 1, true)
    assert.matches("Possibly incomplete: the service counts 2 more", exports.read(page), 1, true)
    for _, kind in ipairs { "utilisation", "funding", "idle", "check" } do
      command.out(("report %s --lab 102 --month 2025-03 --html %s"):format(kind, page))
      local text = exports.read(page)
      assert.matches("Made on %d%d%d%d%-%d%d%-%d%d .- by calira", text)
      assert.matches("Complete: every page", text, 1, true)
      assert.is_nil(exports.read(page .. ".new"))
    end
    local _, said, failed = command.run "report idle --lab 102 --html /nonexistent/a.html"
    assert.equal(1, failed)
    assert.matches("/nonexistent/a.html", said, 1, true)
  end)

  it("ends with 1 where the output cannot be written", function()
    local _, err, status = command.shell "lua5.4 bin/calira report idle --lab 102 >/dev/full"
    assert.equal(1, status)
    assert.matches("No space left", err, 1, true)
  end)
end)
