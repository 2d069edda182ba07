--- Questions that a lab has, answered twice: in a few lines of this library, and by a slow script that reads everything page by page with
-- get() and filters at the end. The script knows times, spans and money by its own arithmetic.

local calira = require "calira"
local helper = require "spec.support.helper"

-- ── The slow script ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Everything at a path, one page after the other.
local function everything(client, path, query)
  local all, page = {}, 1
  repeat
    local asked = { page = page, per_page = 100 }
    for name, value in pairs(query or {}) do asked[name] = value end
    local records = client:get(path, asked)
    table.move(records, 1, #records, #all + 1, all)
    page = page + 1
  until #records < 100
  return all
end

--- Days since 1970-01-01, by counting years and months.
local function days(year, month, day)
  local function leap(y) return y % 4 == 0 and (y % 100 ~= 0 or y % 400 == 0) end
  local count = day - 1
  for y = 1970, year - 1 do count = count + (leap(y) and 366 or 365) end
  local lengths = { 31, leap(year) and 29 or 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }
  for m = 1, month - 1 do count = count + lengths[m] end
  return count
end

local function epoch(text)
  if not text then return nil end
  local y, mo, d, h, mi, s, zone = text:match "^(%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+)%.?%d*(.*)$"
  local shift = 0
  local sign, zh, zm = zone:match "^([+-])(%d%d):(%d%d)$"
  if sign then shift = (sign == "+" and 1 or -1) * (zh * 3600 + zm * 60) end
  return math.tointeger(days(math.tointeger(y), math.tointeger(mo), math.tointeger(d)) * 86400 + h * 3600 + mi * 60 + s - shift)
end

--- Whether a booking touches the half-open span, in epoch seconds.
local function touches(b, from, to)
  local first = epoch(b.start_time)
  local last = epoch(b.end_time) or first
  return first < to and (last > from or first >= from)
end

local function pence(text) return math.tointeger(text:match "^(%d+)%." * 100 + text:match "%.(%d%d)$") end

--- The labs under an account, from the flat list: by department or by organisation.
local function labs_under(client, id)
  local labs = {}
  for _, account in ipairs(everything(client, "/accounts")) do
    if account.account_type == "lab" and (account.department == id or account.organisation == id or account.id == id) then
      labs[#labs + 1] = account
    end
  end
  return labs
end

local function bookings_under(client, id)
  local all = {}
  for _, lab in ipairs(labs_under(client, id)) do
    local own = everything(client, "/bookings", { provider_account = lab.id })
    table.move(own, 1, #own, #all + 1, all)
  end
  return all
end

local JANUARY <const>, APRIL <const> = days(2026, 1, 1) * 86400, days(2026, 4, 1) * 86400

-- ── The questions ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

describe("the question", function()
  local client = helper.client()

  it("what did a faculty's bookings of a quarter cost, by currency?", function()
    local sums = {}
    for b in client:bookings { under = "Faculty of Physics", from = "2026-01-01", to = "2026-04-01", details = true } do
      sums[b.currency] = calira.add(sums[b.currency], b.cost)
    end
    local expected, count = {}, 0
    for _, b in ipairs(bookings_under(client, 211)) do
      if touches(b, JANUARY, APRIL) then
        local full = client:get("/bookings/" .. b.id)
        expected[full.currency] = (expected[full.currency] or 0) + pence(full.cost)
        count = count + 1
      end
    end
    assert.is_true(count > 10)
    for currency, sum in pairs(expected) do
      assert.equal(("%d.%02d"):format(sum // 100, sum % 100), sums[currency])
      sums[currency] = nil
    end
    assert.is_nil(next(sums))
  end)

  it("how many hours was each instrument of a lab in use in a quarter?", function()
    local used = {}
    for b in client:bookings { provider = 102, from = JANUARY, to = APRIL, except_status = { "declined", "pending" } } do
      used[b.equipment_id] = (used[b.equipment_id] or 0) + calira.seconds(b, JANUARY, APRIL)
    end
    local expected = {}
    for _, b in ipairs(everything(client, "/bookings", { provider_account = 102 })) do
      local status = b.status:lower()
      if status ~= "declined" and status ~= "pending" and touches(b, JANUARY, APRIL) then
        local first = epoch(b.start_time)
        local last = epoch(b.end_time) or first
        local inside = math.max(math.min(last, APRIL) - math.max(first, JANUARY), 0)
        expected[b.equipment_id] = (expected[b.equipment_id] or 0) + inside
      end
    end
    assert.is_not_nil(next(expected))
    assert.same(expected, used)
  end)

  it("how many bookings of each status and type has each lab of a university?", function()
    local counts = {}
    for b, lab in client:bookings { under = "Northfield University" } do
      local key = lab.name .. "/" .. b.status:lower() .. "/" .. b.booking_type
      counts[key] = (counts[key] or 0) + 1
    end
    local expected = {}
    for _, lab in ipairs(labs_under(client, 203)) do
      for _, b in ipairs(everything(client, "/bookings", { provider_account = lab.id })) do
        local key = lab.name .. "/" .. b.status:lower() .. "/" .. b.booking_type
        expected[key] = (expected[key] or 0) + 1
      end
    end
    assert.same(expected, counts)
  end)

  it("which bookings cross midnight on New Year's Eve, or lie just at the edge?", function()
    local edge = days(2026, 1, 1) * 86400
    local expected, wanted = {}, { maintenance = true, external = true }
    for _, b in ipairs(everything(client, "/bookings")) do
      if wanted[b.booking_type] and touches(b, edge - 86400, edge + 86400) then expected[#expected + 1] = b.id end
    end
    local found = {}
    for b in client:bookings { from = "2025-12-31", to = "2026-01-02T00:00:00Z", booking_type = { "Maintenance", "EXTERNAL" } } do
      found[#found + 1] = b.id
    end
    assert.is_true(#expected > 0)
    assert.same(expected, found)
  end)

  it("which instruments of an institute were not booked in a month?", function()
    local from, to = days(2026, 3, 1) * 86400, days(2026, 4, 1) * 86400
    local idle = {}
    for e in client:equipment { under = 204, exclude_parents = true } do
      if not client:equipment_bookings(e, { from = "2026-03-01", to = "2026-04-01" }):first() then idle[#idle + 1] = e.id end
    end
    local booked, expected = {}, {}
    for _, b in ipairs(bookings_under(client, 204)) do
      if touches(b, from, to) then booked[b.equipment_id] = true end
    end
    for _, lab in ipairs(labs_under(client, 204)) do
      for _, e in ipairs(everything(client, "/equipment", { account = lab.id, exclude_parents = true })) do
        if not booked[e.id] then expected[#expected + 1] = e.id end
      end
    end
    table.sort(idle)
    table.sort(expected)
    assert.is_true(#expected > 0)
    assert.same(expected, idle)
  end)

  it("what was answered to a form's question, by whom?", function()
    local found = {}
    for b in client:bookings { provider = 106, forms = true, status = "confirmed" } do
      for _, form in ipairs(b.form_responses) do
        local answers = calira.answers(form)
        found[#found + 1] = { b.id, b.requester.name, answers["Project code"], answers["Project code (2)"] or false }
      end
    end
    local expected = {}
    for _, b in ipairs(everything(client, "/bookings", { provider_account = 106 })) do
      if b.status == "Confirmed" then
        local full = client:get("/bookings/" .. b.id)
        for _, entry in ipairs(full.custom_form_responses) do
          local codes = {}
          for _, item in ipairs(client:get("/custom_form_response/" .. entry.response_id).form_response) do
            if item.text == "Project code" then codes[#codes + 1] = item.value end
          end
          expected[#expected + 1] = { b.id, full.requester.name, codes[1], codes[2] or false }
        end
      end
    end
    assert.is_true(#expected > 3)
    assert.same(expected, found)
  end)

  it("what did each funding code pay for the mass spectrometer lab's projects?", function()
    local found = {}
    for project in client:projects { account = 110, details = true } do
      for _, code in ipairs(project.funding_codes) do found[code.name] = { project.name, code.allocated_amount, code.spent_amount } end
    end
    local expected = {}
    for _, summary in ipairs(everything(client, "/accounts/110/projects")) do
      local full = client:get("/accounts/110/projects/" .. summary.id)
      for _, code in ipairs(full.funding_codes) do expected[code.name] = { full.name, code.allocated_amount, code.spent_amount } end
    end
    assert.is_not_nil(next(expected))
    assert.same(expected, found)
  end)

  it("where do the most recent external bookings of each instrument stand, with serial numbers?", function()
    local latest = {}
    for b in client:bookings { provider = 103, booking_type = "external", equipment = true } do
      local serial = b.equipment.serial_number
      local at = calira.time(b.start_time)
      if not latest[serial] or at > latest[serial][1] then latest[serial] = { at, b.id, b.equipment.room } end
    end
    local expected = {}
    for _, b in ipairs(everything(client, "/bookings", { provider_account = 103 })) do
      if b.booking_type == "external" then
        local e = client:get("/equipment/" .. b.equipment_id)
        local at = epoch(b.start_time)
        local best = expected[e.serial_number]
        if not best or at > best[1] then expected[e.serial_number] = { at, b.id, e.room } end
      end
    end
    assert.is_not_nil(next(expected))
    assert.same(expected, latest)
  end)

  it("how long did requests wait, over all labs, asked in whatever order they come?", function()
    local sum, count = 0, 0
    for b in client:bookings { under = 204, details = true, unordered = true, where = function(b) return b.id % 3 == 0 end } do
      sum, count = sum + calira.time(b.start_time) - calira.time(b.requested_at), count + 1
    end
    local expected, asked = 0, 0
    for _, b in ipairs(bookings_under(client, 204)) do
      if b.id % 3 == 0 then
        local full = client:get("/bookings/" .. b.id)
        expected, asked = expected + epoch(full.start_time) - epoch(full.requested_at), asked + 1
      end
    end
    assert.is_true(asked > 20)
    assert.same({ expected, asked }, { sum, count })
  end)

  it("does a bad day change the answers?", function()
    local bad = helper.client("fail=503:7;cut=11;latency=1;jitter=4;per=40", { retries = 8 })
    local function ids(from)
      local list = {}
      for b in from:bookings { under = 201, from = "2025-06-01", status = { "confirmed", "completed" } } do list[#list + 1] = b.id end
      return list
    end
    local good = ids(client)
    assert.is_true(#good > 100)
    assert.same(good, ids(bad))
  end)
end)
