--- Details: the full record of each summary, forms, instruments. CONTRACT section 5.
-- luacheck: ignore 512 (loops that are left at once)

local calira = require "calira"
local helper = require "spec.support.helper"
local Server = require "spec.support.server"

local FIRST <const> = 12345 -- lab 102 has 250 bookings, from this id on

local calls <const> = helper.calls
--- How often each path was asked for, without its query.
local function asked(id)
  local counts = {}
  for path, count in pairs(helper.stats(id).paths) do
    local plain = path:gsub("%?.*", ""):gsub("^/v1", "")
    counts[plain] = (counts[plain] or 0) + count
  end
  return counts
end

describe("details", function()
  local client = helper.client()
  local lists = {
    accounts = { function(o) return client:accounts(o) end, function(id) return client:account(id) end },
    bookings = { function(o) o.provider = 106 return client:bookings(o) end, function(id) return client:booking(id) end },
    ["equipment_bookings"] = { function(o) return client:equipment_bookings(789, o) end, function(id) return client:booking(id) end },
    equipment = { function(o) o.account = 102 return client:equipment(o) end, function(id) return client:equipment(id) end },
    projects = { function(o) o.account = 101 return client:projects(o) end, function(id) return client:project(101, id) end },
    groups = { function(o) o.account = 102 return client:groups(o) end, function(id) return client:group(id) end },
  }
  for name, list in pairs(lists) do
    it("of " .. name .. " lay the full record over the summary, in the same order", function()
      local summaries = list[1] {}:collect()
      local full = list[1] { details = true }:collect()
      assert.equal(#summaries, #full)
      assert.is_true(#full > 0)
      for i, summary in ipairs(summaries) do
        local expected = list[2](summary.id)
        for field, value in pairs(summary) do
          if expected[field] == nil then expected[field] = value end
        end
        assert.same(expected, full[i])
      end
    end)
  end

  it("are no option of a list at any path", function()
    assert.equal("argument", helper.failure(client.list, client, "/accounts", nil, { details = true }).kind)
    assert.equal("argument", helper.failure(client.groups, client, { forms = true }).kind)
    assert.equal("argument", helper.failure(client.equipment, client, { equipment = true }).kind)
  end)

  it("of a project under several accounts are asked for in its own account", function()
    local list = client:projects { under = 211, details = true }
    local count = 0
    for project in list do
      assert.is_not_nil(project.selected_users)
      count = count + 1
    end
    assert.is_true(count > 0)
  end)

  it("cost one call each, and none for what the filters drop", function()
    local fresh, id = helper.client()
    local list = fresh:bookings { provider = 102, status = "pending", where = function(b) return b.id % 2 == 0 end, details = true }
    local count = #list:collect()
    assert.is_true(count > 0 and count < 100)
    assert.equal(3 + count, calls(id))
    local report = list:report()
    assert.same({ 3 + count, count, 250, 250 - count, "complete" },
      { report.requests, report.delivered, report.received, report.filtered, report.verdict })
    assert.equal(count, asked(id)["/bookings/" .. FIRST] or count)
  end)

  it("cost no more than the limit needs", function()
    for _, limit in ipairs { 0, 1, 5, 100, 101 } do
      local fresh, id = helper.client()
      assert.equal(limit, #fresh:bookings { provider = 102, details = true, limit = limit }:collect())
      assert.equal(limit == 0 and 0 or limit + math.ceil(limit / 100), calls(id), limit)
    end
  end)

  it("are as many in flight as the client allows, never more", function()
    for _, most in ipairs { 1, 3, 8 } do
      local fresh, id = helper.client("latency=5", { max_in_flight = most })
      assert.equal(99, #fresh:bookings { provider = 106, details = true }:collect())
      local seen = helper.stats(id).max_in_flight
      assert.is_true(seen <= most and (most == 1 or seen > 1), most .. ": " .. seen)
    end
  end)

  it("go no further ahead of the reader than four times the calls in flight, and before it reads on than those", function()
    local fresh, id = helper.client("", { max_in_flight = 6 })
    local list = fresh:bookings { provider = 106, details = true }
    for taken = 1, 20 do
      list:next()
      calira.sleep(0.005)
      local ahead = calls(id) - 1 - taken
      assert.is_true(ahead <= (taken == 1 and 6 or 24), ahead)
    end
    for _ = 1, 5 do
      calira.sleep(0.01)
      list:next()
    end
    assert.is_true(calls(id) <= 1 + 25 + 24)
    list:close()
  end)

  it("keep the next page coming meanwhile", function()
    local fresh, id = helper.client("latency=3")
    local list = fresh:bookings { provider = 102, details = true }
    for _ = 1, 90 do list:next() end
    local seen = asked(id)["/bookings"]
    assert.is_true(seen >= 2, seen)
    assert.equal(160, #list:collect())
  end)

  it("come page by page as the summaries did", function()
    local seen = {}
    for page, records in client:bookings { provider = 102, details = true, per_page = 120 // 2 }:pages() do
      seen[#seen + 1] = { page, #records, records[1].id }
      assert.is_not_nil(records[1].cost)
    end
    assert.same({ { 1, 60, FIRST }, { 2, 60, FIRST + 60 }, { 3, 60, FIRST + 120 }, { 4, 60, FIRST + 180 }, { 5, 10, FIRST + 240 } }, seen)
  end)

  it("tell of pages that hold nothing", function()
    local seen = {}
    local none = function(b) return b.id >= FIRST + 200 end
    for page, records in client:bookings { provider = 102, details = true, where = none }:pages() do seen[#seen + 1] = { page, #records } end
    assert.same({ { 1, 0 }, { 2, 0 }, { 3, 50 } }, seen)
  end)

  it("of records without an id are the summaries", function()
    local fresh, id = helper.client "noid=2"
    local list = fresh:bookings { provider = 106, details = true }
    local with, without = 0, 0
    for b in list do
      if b.cost then with = with + 1 else without = without + 1 end
    end
    assert.same({ 50, 49 }, { with, without })
    assert.equal(1 + 50, calls(id))
    assert.same({ 49, "partial", 99 }, { list:report().undetailed, list:report().verdict, list:report().delivered })
    list = fresh:bookings { provider = 106, equipment = true }
    list:collect()
    assert.same({ 0, "complete" }, { list:report().undetailed, list:report().verdict })
    list = fresh:bookings { under = helper.client():tree():find(106), details = true, unordered = true }
    list:collect()
    assert.same({ 49, "partial" }, { list:report().undetailed, list:report().verdict })
  end)

  it("go with exact and with resume", function()
    local list = client:bookings { provider = 102, details = true }
    for _ = 1, 120 do list:next() end
    local rest = client:bookings { provider = 102, details = true, resume = list:cursor() }:collect()
    assert.same({ 130, FIRST + 120 }, { #rest, rest[1].id })
    assert.equal(99, #client:bookings { provider = 106, details = true, exact = true }:collect())
  end)
end)

describe("a record that is gone", function()
  it("is dropped and counted", function()
    local gone = { FIRST, FIRST + 99, FIRST + 150, FIRST + 249 }
    local client, id = helper.client("gone=" .. table.concat(gone, ","))
    local list = client:bookings { provider = 102, details = true }
    local has, count = {}, 0
    for b in list do has[b.id], count = true, count + 1 end
    assert.equal(246, count)
    for _, each in ipairs(gone) do assert.is_nil(has[each]) end
    assert.same({ 4, 246, 250, "complete", 253 }, { list:report().gone, list:report().delivered, list:report().received,
      list:report().verdict, list:report().requests })
    assert.equal(253, calls(id))
  end)

  it("does not count for the limit", function()
    local client = helper.client(("gone=%d,%d"):format(FIRST, FIRST + 2))
    local list = client:bookings { provider = 102, details = true, limit = 3 }
    local records = list:collect()
    assert.same({ FIRST + 1, FIRST + 3, FIRST + 4 }, { records[1].id, records[2].id, records[3].id })
    assert.equal(2, list:report().gone)
    assert.equal(FIRST + 1, client:bookings { provider = 102, details = true }:first().id)
  end)

  it("may be all of them, or the last of a page", function()
    local client = helper.client("gone=1050000000")
    local b = client:bookings { provider = 105 }:next()
    client = helper.client("gone=" .. b.id)
    assert.same({}, client:bookings { provider = 105, details = true }:collect())
    for page, records in client:bookings { provider = 105, details = true }:pages() do assert.same({ 1, 0 }, { page, #records }) end
    assert.is_nil(client:bookings { provider = 105, details = true }:first())
  end)
end)

describe("an error of one detail", function()
  it("comes after the records before it", function()
    local client = helper.client("failpath=403:bookings%2F" .. FIRST + 30)
    local list, count = client:bookings { provider = 102, details = true }, 0
    local err = helper.failure(function() for _ in list do count = count + 1 end end)
    assert.equal(30, count)
    assert.same({ "forbidden", "/bookings/" .. FIRST + 30 }, { err.kind, err.path })
    local _, again = pcall(list.next, list)
    assert.equal(err, again)
    assert.equal("partial", list:report().verdict)
    assert.equal(0, client:stats().in_flight)
  end)

  it("in a page comes after that page's records", function()
    local client = helper.client("failpath=403:bookings%2F" .. FIRST + 130)
    local seen = {}
    local err = helper.failure(function()
      for page, records in client:bookings { provider = 102, details = true }:pages() do seen[page] = #records end
    end)
    assert.equal("forbidden", err.kind)
    assert.same({ 100, 30 }, seen)
  end)

  it("of a later page comes after the details before it", function()
    local client = helper.client "failpage=403:2"
    local list, count = client:bookings { provider = 102, details = true }, 0
    local err = helper.failure(function() for b in list do assert(b.cost) count = count + 1 end end)
    assert.equal("forbidden", err.kind)
    assert.equal(100, count)
  end)

  it("that passes is tried again", function()
    local client, id = helper.client "fail=503:5" -- not a divisor of the calls in flight: else one call may meet it each time
    local list = client:bookings { provider = 106, details = true }
    assert.equal(99, #list:collect())
    assert.equal(calls(id), list:report().requests)
    assert.is_true(calls(id) >= 124)
  end)

  it("as a body that is not a record is one", function()
    local client = helper.client("body=login;bodyevery=9")
    local list, count = client:bookings { provider = 106, details = true }, 0
    local err = helper.failure(function() for _ in list do count = count + 1 end end)
    assert.equal("decode", err.kind)
    assert.is_true(count < 99)
  end)
end)

describe("forms", function()
  it("imply details and add the submitted forms", function()
    local client, id = helper.client()
    local forms = 0
    for b in client:bookings { provider = 102, forms = true, limit = 20 } do
      assert.is_not_nil(b.cost)
      assert.equal(#b.custom_form_responses, #b.form_responses)
      for i, form in ipairs(b.form_responses) do
        assert.equal(b.custom_form_responses[i].response_id, form.custom_form_response_id)
        assert.is_true(#form.form_response > 0)
        forms = forms + 1
      end
    end
    assert.is_true(forms > 5)
    assert.equal(1 + 20 + forms, calls(id))
  end)

  it("of all bookings are those that plain calls give", function()
    local client = helper.client "latency=1"
    local found = {}
    for b in client:bookings { provider = 106, forms = true } do
      found[b.id] = {}
      for _, form in ipairs(b.form_responses) do table.insert(found[b.id], form.custom_form_response_id) end
    end
    for b in client:bookings { provider = 106 } do
      local expected = {}
      for _, entry in ipairs(client:booking(b.id).custom_form_responses) do
        table.insert(expected, client:form_response(entry).custom_form_response_id)
      end
      assert.same(expected, found[b.id])
    end
  end)

  it("that are gone are left out, the booking is not", function()
    local client = helper.client "gone=9001"
    local list = client:bookings { provider = 102, forms = true, limit = 1 }
    local b = list:next()
    assert.equal(2, #b.custom_form_responses)
    assert.equal(1, #b.form_responses)
    assert.equal(9002, b.form_responses[1].custom_form_response_id)
    assert.equal(0, list:report().gone)
  end)

  it("that fail are an error after the records before", function()
    local client = helper.client "failpath=403:custom_form"
    local list = client:bookings { provider = 106, forms = true }
    local expected = 0
    for b in client:bookings { provider = 106, details = true } do
      if #b.custom_form_responses > 0 then break end
      expected = expected + 1
    end
    local count = 0
    local err = helper.failure(function() for _ in list do count = count + 1 end end)
    assert.equal("forbidden", err.kind)
    assert.equal(expected, count)
  end)
end)

describe("equipment = true", function()
  it("puts the full record in, each asked for once", function()
    local client, id = helper.client()
    local records = client:bookings { provider = 102, equipment = true }:collect()
    assert.equal(250, #records)
    for _, b in ipairs(records) do
      assert.equal(b.equipment_id, b.equipment.id)
      assert.is_not_nil(b.equipment.serial_number)
      assert.is_nil(b.cost)
    end
    assert.equal(3 + 12, calls(id))
    for path, count in pairs(asked(id)) do
      if path ~= "/bookings" then assert.equal(1, count, path) end
    end
    for b in client:bookings { provider = 102, equipment = true, limit = 2 } do
      assert.same(client:equipment(b.equipment_id), b.equipment)
    end
  end)

  it("gives each booking a record of its own", function()
    local client = helper.client()
    local of = {}
    for b in client:bookings { provider = 102, equipment = true, limit = 40 } do
      assert.is_nil(b.equipment.spoilt)
      for _, value in pairs(b.equipment) do
        if type(value) == "table" then
          assert.is_nil(value.spoilt)
          value.spoilt = true
        end
      end
      of[b.equipment_id] = (of[b.equipment_id] or 0) + 1
      b.equipment.spoilt = true
    end
    assert.is_true(of[789] > 1)
  end)

  it("goes with details and forms, and for an instrument's own bookings", function()
    local client = helper.client()
    local b = client:bookings { provider = 102, details = true, forms = true, equipment = true }:first()
    assert.is_truthy(b.cost and b.form_responses and b.equipment.serial_number)
    b = client:equipment_bookings(789, { equipment = true }):first()
    assert.equal(789, b.equipment.id)
    assert.is_not_nil(b.equipment.serial_number)
    assert.equal("argument", helper.failure(client.equipment_bookings, client, 789, { booking_type = "internal" }).kind)
  end)

  it("leaves what the booking says where the instrument is gone", function()
    local client = helper.client "gone=789"
    local list = client:bookings { provider = 102, equipment = true, details = true }
    local seen
    for b in list do
      if b.equipment.id == 789 then
        seen = b
        break
      end
    end
    assert.is_nil(seen.equipment.serial_number)
    assert.is_not_nil(seen.equipment.name)
    assert.equal(0, list:report().gone)
  end)
end)

describe("an id that is of no use", function()
  it("of a form or an instrument is counted as undetailed, and makes the verdict partial", function()
    local server <close> = Server.start [[return function(head)
      local body = '[{"id":1,"equipment_id":9223372036854775808},{"id":2,"equipment":{}}]'
      if head:find "/bookings/" then
        body = '{"id":1,"custom_form_responses":[{"response_id":7},{"response_id":9223372036854775808},{"response_id":null}]}'
      elseif head:find "/custom_form_response/" then
        body = '{"form_response":[]}'
      end
      return ("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"):format(#body, body)
    end]]
    for _, option in ipairs { "forms", "equipment" } do
      local client <close> = calira.new { base_url = server.origin, token = "t" }
      local list = client:bookings { provider = 1, [option] = true, limit = option == "forms" and 1 or nil, params = { only = option } }
      local first = list:collect()[1]
      assert.equal(option == "forms" and 1 or nil, first.form_responses and #first.form_responses)
      assert.same({ "partial", 1 }, { list:report().verdict, list:report().undetailed })
    end
  end)
end)

describe("details that nobody waits for any more", function()
  it("are cancelled with the list", function()
    local client, id = helper.client "latency=60"
    for _, options in ipairs { { details = true }, { forms = true }, { equipment = true } } do
      options.provider = 106
      for _ in client:bookings(options) do break end
      assert.equal(0, client:stats().in_flight)
    end
    assert.is_true(calls(id) < 60)
  end)

  it("in a task that is cancelled, too", function()
    local client = helper.client "latency=60"
    calira.run(function()
      local task = calira.spawn(function()
        for _ in client:bookings { provider = 106, details = true } do calira.sleep(0) end
      end)
      calira.sleep(0.15)
      task:cancel()
    end)
    assert.equal(0, client:stats().in_flight)
  end)
end)

describe("unordered details under several labs", function()
  it("are the same records", function()
    local client = helper.client "jitter=10"
    local expected = {}
    for b, lab in client:bookings { under = 211 } do expected[b.id] = lab.id end
    local list, count = client:bookings { under = 211, unordered = true, details = true, forms = true }, 0
    for b, lab in list do
      assert.equal(expected[b.id], lab.id)
      assert.is_truthy(b.cost and b.form_responses)
      expected[b.id], count = nil, count + 1
    end
    assert.equal(200, count)
    assert.equal("complete", list:report().verdict)
  end)
end)
