--- Lists that change while they are read: what is delivered, what the verdict is, what `exact` proves. CONTRACT section 5.
-- The same with thousands of random changes, without a network: spec/paging/pass.c.

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
