--- Lists that change while they are read: what is delivered, what the verdict is, what `exact` proves, how cursors go on. CONTRACT section
-- 5. The same with thousands of random changes, without a network: spec/paging/pass.c.

local calira = require "calira"
local helper = require "spec.support.helper"
local warnings = require "spec.support.warnings"

local FIRST <const> = 12345      -- lab 102 has 250 bookings, from this id on
local INSERTED <const> = 5012345 -- what a scenario inserts has ids from here on

--- Reads a list; returns a set of the ids, their number, the list and the error, if one was raised. No record comes twice.
local function read(client, options)
  local all = { provider = 102 }
  for name, value in pairs(options or {}) do all[name] = value end
  local list, has, count = client:bookings(all), {}, 0
  local ok, err = pcall(function()
    for b in list do
      assert(not has[b.id], "a record came twice")
      has[b.id] = true
      count = count + 1
    end
  end)
  if not ok and not calira.is_error(err) then error(err, 0) end
  return has, count, list, not ok and err or nil
end

--- What is there now, by plain calls.
local function truth(client)
  local has, count, page = {}, 0, 1
  repeat
    local records = client:get("/bookings", { provider_account = 102, page = page })
    for _, b in ipairs(records) do has[b.id] = true count = count + 1 end
    page = page + 1
  until #records < 100
  return has, count
end

describe("a list that changes while it is read", function()
  -- scenario; delivered, passes, duplicates at least
  local cases = {
    { "a deletion on a page already read is healed", "delete=2:10", 250, 2 },
    { "also with small pages", "delete=2:0", 250, 2, { per_page = 20 } },
    { "two deletions", "delete=2:10,3:20", 250, 2 },
    { "an insertion on a page already read", "insert=2:10", 251, 2 },
    { "an insertion on a page to come", "insert=2:150", 251, 1 },
    { "a deletion on a page to come", "delete=2:150", 249, 2 },
    { "a deletion and an insertion", "delete=2:10;insert=3:20", 251, 2 },
    { "two that change places over a boundary", "swap=2", 250, 2 },
    { "two that change places far from each other", "swap=2:5:180", 250, 2 },
    { "two that change places on one page", "swap=2:5:6", 250, 1 },
  }
  for _, case in ipairs(cases) do
    local name, scenario, count, passes, options = table.unpack(case)
    it(name, function()
      local client, id = helper.client(scenario)
      options = options or {}
      options.lookahead = 0
      local has, found, list, err = read(client, options)
      assert.is_nil(err)
      local now = truth(calira.new { base_url = helper.url("", id), token = helper.token })
      for each in pairs(now) do
        local late = each >= INSERTED and passes == 1 -- an insertion before the reader's page may go unseen
        assert.is_true(late or has[each], "lost " .. each)
      end
      local report = list:report()
      assert.same({ count, passes, "complete", 0 }, { found, report.passes, report.verdict, report.unseen })
      if scenario:find "insert" == nil and passes > 1 and scenario:find "swap" then assert.is_true(report.duplicates > 0) end
    end)
  end

  it("with pages asked for ahead is healed where the totals tell of it", function()
    local healed = 0
    for seed = 1, 12 do
      local client, id = helper.client(("bookings=600;churn=2;churnuntil=9;seed=%d"):format(seed))
      local has, _, list, err = read(client, { lookahead = 4, per_page = 50 })
      assert.is_nil(err)
      assert.equal("complete", list:report().verdict)
      if list:report().passes > 1 then
        healed = healed + 1
        for each in pairs(truth(calira.new { base_url = helper.url("", id), token = helper.token })) do
          assert.is_true(has[each], "seed " .. seed .. " lost " .. each)
        end
      end
    end
    assert.is_true(healed >= 6, healed)
  end)

  local RESTLESS <const> = "churn=1;seed=3"

  it("on and on is drifted, raised after every record", function()
    local client, id = helper.client(RESTLESS)
    local _, count, list, err = read(client, { per_page = 10, lookahead = 0 })
    assert.equal("drift", err.kind)
    assert.is_true(count >= 240)
    assert.same({ "drifted", 4, count }, { err.report.verdict, err.report.passes, err.report.delivered })
    assert.same(err.report, list:report())
    assert.is_true(helper.stats(id).calls >= 100)
    local _, again = pcall(list.next, list)
    assert.equal(err, again)
    assert.truthy(err.message:find "did not settle in 4 readings")
  end)

  it("is a warning where the list or the client is not strict", function()
    for strict, client in pairs { [false] = (helper.client(RESTLESS)), [0] = (helper.client(RESTLESS, { strict = false })) } do
      if strict == 0 then strict = nil end
      local _, _, list, err = read(client, { strict = strict, per_page = 10, lookahead = 0 })
      assert.is_nil(err)
      assert.equal("drifted", list:report().verdict)
      local told = warnings.take()
      assert.equal(1, #told)
      assert.truthy(told[1]:find "^calira: GET /bookings: the list changed while it was read")
      assert.is_nil(list:next())
    end
  end)

  it("in another order at every call settles or says so, and brings none twice", function()
    local settled, drifted = 0, 0
    for seed = 1, 6 do
      local client = helper.client("shuffle=1;seed=" .. seed)
      local _, count, list, err = read(client)
      if err then
        assert.equal("drifted", err.report.verdict)
        drifted = drifted + 1
      else
        assert.equal(250, count)
        assert.equal("complete", list:report().verdict)
        settled = settled + 1
      end
      assert.is_true(list:report().passes > 1)
    end
    assert.equal(6, settled + drifted)
  end)

  it("in one reading of a single page cannot drift", function()
    local client = helper.client "shuffle=1;bookings=80"
    local _, count, list = read(client)
    assert.same({ 80, 1, "complete" }, { count, list:report().passes, list:report().verdict })
  end)

  it("and has records that nobody sees: two equal passes settle it", function()
    local client = helper.client "invisible=7;delete=2:10"
    local has, count, list, err = read(client, { lookahead = 0 })
    assert.is_nil(err)
    assert.is_true(has[FIRST + 100], "the one that slid over the boundary")
    assert.same({ 250, 3, "complete", 7 }, { count, list:report().passes, list:report().verdict, list:report().unseen })
  end)

  it("reads on where the total grows", function()
    local client = helper.client "bookings=200;insert=2:100000"
    local _, count, list, err = read(client, { lookahead = 0 })
    assert.is_nil(err)
    assert.same({ 201, 3, 1 }, { count, list:report().requests, list:report().passes })
    assert.same({ 200, 201 }, { list:report().total_first, list:report().total_last })
  end)
end)

describe("exact", function()
  it("reads twice and delivers once", function()
    local client, id = helper.client()
    local has, count, list, err = read(client, { exact = true })
    assert.is_nil(err)
    assert.is_true(has[FIRST] and has[FIRST + 249])
    assert.equal(250, count)
    assert.equal(6, helper.stats(id).calls)
    local report = list:report()
    assert.same({ "complete", 2, 250, 250, 6, 0 },
      { report.verdict, report.passes, report.received, report.delivered, report.requests, report.duplicates })
  end)

  it("keeps order, pages, limit, filters and details", function()
    local client = helper.client()
    local seen = {}
    for page, records in client:bookings { provider = 102, exact = true }:pages() do
      seen[#seen + 1] = { page, #records, records[1].id }
    end
    assert.same({ { 1, 100, FIRST }, { 2, 100, FIRST + 100 }, { 3, 50, FIRST + 200 } }, seen)
    local list = client:bookings { provider = 102, exact = true, limit = 2, details = true, where = function(b) return b.id % 2 == 0 end }
    local records = list:collect()
    assert.same({ 2, FIRST + 1, FIRST + 3 }, { #records, records[1].id, records[2].id })
    assert.is_not_nil(records[1].cost)
  end)

  it("reads ahead whatever the limit, since all has to be read", function()
    local client, id = helper.client "bookings=1000;latency=10"
    local _, count = read(client, { exact = true, limit = 1, lookahead = 3 })
    assert.equal(1, count)
    local seen = helper.stats(id)
    assert.is_true(seen.calls == 20 and seen.max_in_flight > 1, seen.max_in_flight)
  end)

  it("asks for the first page of a further pass alone", function()
    local client, id = helper.client "bookings=1000;latency=10"
    read(client, { exact = true, lookahead = 8 })
    local log = helper.stats(id).log
    assert.truthy(log[11]:find "[?&]page=1&", log[11])
    assert.equal(20, #log)
  end)

  it("delivers what was there at one instant, though it changed before", function()
    local client, id = helper.client "delete=2:10,5:20;insert=3:5"
    local has, count, list, err = read(client, { exact = true, lookahead = 0 })
    assert.is_nil(err)
    local now, there = truth(calira.new { base_url = helper.url("", id), token = helper.token })
    assert.same(now, has)
    assert.equal(there, count)
    assert.is_true(list:report().passes > 2)
    assert.equal(0, list:report().unseen)
  end)

  it("is not content with the same set where the total says more", function()
    local client = helper.client "invisible=1"
    local _, count, list, err = read(client, { exact = true, strict = false })
    assert.equal("drift", err.kind)
    assert.equal(0, count)
    assert.same({ "drifted", 8, 0, 0 },
      { err.report.verdict, err.report.passes, err.report.delivered, err.report.received })
    assert.equal("drifted", list:report().verdict)
    local _, again = pcall(list.next, list)
    assert.equal(err, again)
  end)

  it("raises drift with nothing delivered, whatever strict says, where the list will not hold still", function()
    for _, strict in ipairs { true, false } do
      local client, id = helper.client "churn=1"
      local _, count, _, err = read(client, { exact = true, strict = strict, lookahead = 0 })
      assert.equal("drift", err.kind)
      assert.equal(0, count)
      assert.equal(8, err.report.passes)
      assert.truthy(err.message:find "nothing was delivered")
      assert.is_true(helper.stats(id).calls >= 24)
    end
  end)

  it("without totals wants the same ids in the same order, none twice", function()
    local client, id = helper.client "total=none"
    local _, count, _, err = read(client, { exact = true })
    assert.is_nil(err)
    assert.equal(250, count)
    assert.equal(8, helper.stats(id).calls)
    client = helper.client "total=none;swap=5:5:6"
    local _, _, list = read(client, { exact = true })
    assert.equal(3, list:report().passes, "the second pass had another order")
    client = helper.client "total=none;shuffle=1"
    _, count, _, err = read(client, { exact = true })
    assert.equal("drift", err.kind)
    assert.equal(0, count)
  end)

  it("with totals takes any order", function()
    local client = helper.client "swap=4:5:6"
    local _, count, list = read(client, { exact = true })
    assert.same({ 250, 2 }, { count, list:report().passes })
  end)

  it("cannot be proved for records without an id", function()
    local client = helper.client "noid=50"
    local _, count, _, err = read(client, { exact = true })
    assert.equal("drift", err.kind)
    assert.equal(0, count)
    assert.truthy(err.message:find "without an id")
  end)

  it("of nothing is nothing, proved", function()
    local client, id = helper.client "bookings=0"
    local _, count, list, err = read(client, { exact = true })
    assert.is_nil(err)
    assert.same({ 0, "complete", 2 }, { count, list:report().verdict, helper.stats(id).calls })
  end)

  it("holds for each lab on its own", function()
    local client = helper.client "churn=1"
    local list = client:bookings { under = 202, exact = true }
    local labs = {}
    local err = helper.failure(function() for _, lab in list do labs[lab.id] = true end end)
    assert.equal("drift", err.kind)
    assert.is_nil(labs[102], "nothing of the lab that does not hold still")
    assert.truthy(err.message:find "Equipment Sharing Lab")
    client = helper.client ""
    assert.equal(200, #(client:bookings { under = 211, exact = true }:collect()))
  end)
end)

describe("cursor() and resume", function()
  --- Reads `count` records and returns the cursor.
  local function cursor_after(client, count, options)
    local all = { provider = 102 }
    for name, value in pairs(options or {}) do all[name] = value end
    local list = client:bookings(all)
    for _ = 1, count do assert(list:next()) end
    return list:cursor(), list
  end

  local function resumed(client, cursor, options)
    local all = { provider = 102, resume = cursor }
    for name, value in pairs(options or {}) do all[name] = value end
    local list = client:bookings(all)
    local found = {}
    for b in list do found[#found + 1] = b.id end
    return found, list
  end

  it("go on after the last record delivered, with one pass from its page on", function()
    for _, count in ipairs { 0, 1, 99, 100, 101, 199, 200, 249, 250 } do
      local client = helper.client()
      local cursor = cursor_after(client, count)
      local other, id = helper.client()
      local found, list = resumed(other, cursor)
      assert.equal(250 - count, #found, count)
      assert.equal(count < 250 and FIRST + count or nil, found[1])
      assert.same({ "complete", 1, 0 }, { list:report().verdict, list:report().passes, list:report().unseen })
      local page = math.max(1, math.ceil(count / 100))
      assert.equal(3 - page + 1, helper.stats(id).calls)
    end
  end)

  it("the text is short, printable and the same after close() and at the end", function()
    local client = helper.client()
    local cursor, list = cursor_after(client, 150)
    assert.truthy(#cursor < 80 and cursor:find "^[%w%._-]+$")
    assert.equal(cursor, list:cursor())
    list:close()
    assert.equal(cursor, list:cursor())
    local ended = client:bookings { provider = 102 }
    ended:collect()
    assert.same({}, (resumed(client, ended:cursor())))
  end)

  it("work after an error", function()
    local client = helper.client "failpage=403:2"
    local list = client:bookings { provider = 102 }
    assert.equal("forbidden", helper.failure(list.collect, list).kind)
    assert.equal(150, #resumed((helper.client()), list:cursor()))
  end)

  it("loses nothing where records before have gone: the page before is looked at", function()
    local deleted = {}
    for i = 1, 40 do deleted[i] = "3:0" end -- after two pages, the first 40 go
    local client = helper.client("delete=" .. table.concat(deleted, ","))
    local options = { per_page = 50, lookahead = 0 }
    local cursor, list = cursor_after(client, 75, options)
    local seen = {}
    for id = FIRST, FIRST + 74 do seen[id] = true end
    list:close()
    for _, id in ipairs((resumed(client, cursor, options))) do seen[id] = true end
    for id = FIRST + 40, FIRST + 249 do assert.is_true(seen[id], tostring(id)) end
  end)

  it("a cursor of a resumed list goes on from there, read or not", function()
    local client = helper.client()
    local cursor = cursor_after(client, 120)
    local list = client:bookings { provider = 102, resume = cursor }
    assert.equal(cursor, list:cursor())
    for _ = 1, 50 do list:next() end
    local found = resumed(client, list:cursor())
    assert.same({ 80, FIRST + 170 }, { #found, found[1] })
  end)

  it("with filters, details, limit and pages", function()
    local client = helper.client()
    local options = { status = "pending", details = true }
    local all = client:bookings { provider = 102, status = "pending" }:collect()
    local cursor = cursor_after(client, 10, options)
    options.limit = 7
    local found = resumed(client, cursor, options)
    assert.equal(7, #found)
    for i = 1, 7 do assert.equal(all[10 + i].id, found[i]) end
    local list = client:bookings { provider = 102 }
    for page in list:pages() do
      if page == 2 then break end
    end
    found = resumed(client, list:cursor())
    assert.same({ 50, FIRST + 200 }, { #found, found[1] })
  end)

  it("where the record was deleted: from the start of its page", function()
    local client = helper.client()
    local cursor = cursor_after(client, 150)
    local found = resumed((helper.client "delete=1:149"), cursor)
    assert.equal(FIRST + 100, found[1])
    assert.equal(149, #found)
  end)

  it("where it moved on the same page: after it", function()
    local client = helper.client()
    local found = resumed((helper.client "delete=1:110"), (cursor_after(client, 150)))
    assert.equal(FIRST + 150, found[1])
    assert.equal(100, #found)
  end)

  it("where something was inserted before: records may come twice, none is lost", function()
    local client = helper.client()
    local cursor = cursor_after(client, 200)
    local found = resumed((helper.client "insert=1:0"), cursor)
    local has = {}
    for _, each in ipairs(found) do has[each] = true end
    for each = FIRST + 200, FIRST + 249 do assert.is_true(has[each]) end
  end)

  it("with ids that are texts, and with none", function()
    local client = helper.client "strid=1"
    local found = resumed(client, (cursor_after(client, 150)))
    assert.same({ 100, tostring(FIRST + 150) }, { #found, found[1] })
    client = helper.client "noid=1"
    local list = client:bookings { provider = 102, resume = cursor_after(client, 150) }
    assert.equal(150, #list:collect(), "from the start of the page")
  end)

  it("where pages are smaller than the server says", function()
    local scenario = "percap_silent=50"
    for _, count in ipairs { 40, 110, 149, 150, 201 } do
      local client = helper.client(scenario)
      local found, list = resumed(client, (cursor_after(client, count)))
      assert.same({ 250 - count, FIRST + count, "complete", 0 }, { #found, found[1], list:report().verdict, list:report().unseen })
    end
  end)

  it("the verdict is of what was read since, in one pass", function()
    local client = helper.client()
    local cursor = cursor_after(client, 50)
    local drifting = helper.client "delete=2:10"
    local list = drifting:bookings { provider = 102, resume = cursor, lookahead = 0 }
    local count = 0
    local err = helper.failure(function() for _ in list do count = count + 1 end end)
    assert.equal("drift", err.kind)
    assert.same({ "drifted", 1 }, { err.report.verdict, err.report.passes })
    assert.equal(199, count)
  end)

  it("are refused with page, exact and unordered, and there is no cursor of such a list", function()
    local client, id = helper.client()
    local cursor = cursor_after(client, 1)
    local before = helper.stats(id).calls
    for _, options in ipairs { { page = 1 }, { page = 2 }, { exact = true } } do
      options.provider = 102
      assert.is_nil(client:bookings(options):cursor())
      options.resume = cursor
      assert.equal("argument", helper.failure(client.bookings, client, options).kind)
    end
    assert.is_nil(client:bookings { under = 201, unordered = true }:cursor())
    local under = client:bookings { under = 201 }:cursor()
    assert.equal("argument", helper.failure(client.bookings, client, { under = 201, unordered = true, resume = under }).kind)
    assert.is_string(client:bookings { provider = 102, exact = false }:cursor())
    assert.equal(before, helper.stats(id).calls)
  end)

  it("of another list are refused, before anything is sent", function()
    local client, id = helper.client()
    local cursor = cursor_after(client, 5, { status = "pending" })
    local before = helper.stats(id).calls
    local function refused(name, options)
      options.resume = cursor
      local err = helper.failure(client[name], client, options)
      assert.equal("argument", err.kind)
      assert.truthy(err.message:find "^resume")
    end
    refused("bookings", { provider = 103, status = "pending" })
    refused("bookings", { provider = 102 })
    refused("bookings", { provider = 102, status = "confirmed" })
    refused("bookings", { provider = 102, status = "pending", per_page = 50 })
    refused("bookings", { provider = 102, status = "pending", from = "2026-01-01" })
    refused("bookings", { provider = 102, status = "pending", params = { a = 1 } })
    refused("bookings", { status = "pending" })
    refused("bookings", { under = 102, status = "pending" })
    refused("accounts", {})
    refused("equipment", { account = 102 })
    for _, junk in ipairs {
      "", "x", "calira1", cursor .. "x", cursor .. ".i7x", cursor:gsub("%.i%d+$", ".s7"), cursor:gsub("%.i%d+$", ".z7"),
      cursor:gsub("^calira1", "calira2"), cursor:gsub("%.%d+%.", ".0."), cursor:gsub("%.%d+%.", ".-1."),
      cursor:gsub("%.%d+%.", ".99999999999999999999."), 7, true, {}, ("x"):rep(10000), "\0",
    } do
      local err = helper.failure(client.bookings, client, { provider = 102, status = "pending", resume = junk })
      assert.equal("argument", err.kind)
      assert.is_true(#err.message < 300)
    end
    assert.equal(before, helper.stats(id).calls)
  end)

  it("under several labs go on in the lab that was left", function()
    local client = helper.client()
    local all, nodes = client:bookings { under = 201, per_page = 50 }:collect()
    for _, count in ipairs { 0, 1, 60, 250, 500, 799, #all } do
      local list = client:bookings { under = 201, per_page = 50 }
      for _ = 1, count do list:next() end
      local cursor = list:cursor()
      list:close()
      local rest = client:bookings { under = 201, per_page = 50, resume = cursor }
      local found, labs = rest:collect()
      assert.equal(#all - count, #found, count)
      for i, b in ipairs(found) do
        assert.equal(all[count + i].id, b.id)
        assert.equal(nodes[count + i].id, labs[i].id)
      end
      assert.equal("complete", rest:report().verdict)
    end
  end)

  it("under several labs: a lab that is gone is an argument error", function()
    local client = helper.client()
    local list = client:bookings { under = 201 }
    list:next()
    local _, lab = list:next()
    local other = helper.client("hide=" .. lab.id)
    local again = other:bookings { under = 201, resume = list:cursor() }
    assert.equal("argument", helper.failure(again.next, again).kind)
    list:close()
  end)
end)
