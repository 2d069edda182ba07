--- Paging, whatever the server does: which pages are asked for, when a pass ends, what is delivered, what the verdict is. CONTRACT section
-- 5, "Paging". The same policy as a table, without a network: spec/paging/pass.c.

local calira = require "calira"
local helper = require "spec.support.helper"
local warnings = require "spec.support.warnings"

local FIRST <const> = 12345 -- lab 102 has 250 bookings, from this id on

--- Reads lab 102's bookings; returns the ids, the report and the error, if one was raised.
local function read(scenario, options)
  local client, id = helper.client(scenario)
  local all = { provider = 102 }
  for name, value in pairs(options or {}) do all[name] = value end
  local list, found = client:bookings(all), {}
  local ok, err = pcall(function()
    for b in list do found[#found + 1] = b.id end
  end)
  local report = list:report()
  local seen = helper.stats(id)
  local again = not ok and err.attempts and err.attempts - 1 or 0
  local given_up = report.requests + again - seen.calls -- a page that was asked for ahead and given up may not have arrived
  assert.is_true(given_up >= 0 and given_up <= (report.passes > 1 and all.lookahead ~= 0 and 8 * report.passes or 0), given_up)
  return found, report, not ok and err or nil, seen
end

local function assert_all(found, count)
  assert.equal(count, #found)
  for i = 1, count do assert.equal(FIRST + i - 1, found[i]) end
end

describe("a clean walk", function()
  for _, case in ipairs {
    { "bookings=0", 1 }, { "bookings=1", 1 }, { "bookings=99", 1 }, { "bookings=100", 1 }, { "bookings=101", 2 }, { "bookings=200", 2 },
    { "bookings=250", 3 }, { "bookings=1000", 10 }, { "bookings=1001", 11 },
  } do
    for _, lookahead in ipairs { 0, 1, 4, 64 } do
      it(("of %s with lookahead %d makes exactly %d calls"):format(case[1], lookahead, case[2]), function()
        local found, report, err = read(case[1], { lookahead = lookahead })
        assert.is_nil(err)
        assert_all(found, tonumber(case[1]:match "%d+"))
        assert.same({ "complete", 1, case[2], case[2], 0 },
          { report.verdict, report.passes, report.pages, report.requests, report.unseen })
      end)
    end
  end

  it("of pages of one makes as many calls as records, without total one more", function()
    local found, report = read("bookings=30", { per_page = 1 })
    assert_all(found, 30)
    assert.equal(30, report.requests)
    found, report = read("bookings=30;total=none", { per_page = 1 })
    assert_all(found, 30)
    assert.equal(31, report.requests)
  end)

  it("asks with page and per_page, each once", function()
    local client, id = helper.client()
    client:bookings { provider = 102, per_page = 90, params = { extra = "a b" } }:collect()
    local paths, count = helper.stats(id).paths, 0
    for path, times in pairs(paths) do
      count = count + 1
      assert.equal(1, times)
      assert.truthy(path:find "provider_account=102" and path:find "per_page=90" and path:find "extra=a[%%+]", path)
    end
    assert.equal(3, count)
  end)
end)

describe("a server that", function()
  -- scenario, options; records, requests, passes, verdict, unseen
  local cases = {
    { "sends no headers", "total=none;perhdr=none;curhdr=none", {}, 250, 4, 1, "complete", 0 },
    { "sends no headers, last page again and again", "total=none;perhdr=none;curhdr=none;past=last", {}, 250, 4, 1, "complete", 0 },
    { "sends no total", "total=none", {}, 250, 4, 1, "complete", 0 },
    { "sends no total, with full pages", "total=none;bookings=200", {}, 200, 3, 1, "complete", 0 },
    { "sends no total, with full pages, last page again", "total=none;bookings=200;past=last", {}, 200, 3, 1, "complete", 0 },
    { "sends no total, with full pages, last again unsaid", "total=none;bookings=200;past=lastsilent", {}, 200, 3, 1, "complete", 0 },
    { "sends no total and has nothing", "total=none;bookings=0", {}, 0, 1, 1, "complete", 0 },
    { "sends no page size", "perhdr=none", {}, 250, 3, 1, "complete", 0 },
    { "sends no page number", "curhdr=none", {}, 250, 3, 1, "complete", 0 },
    { "sends a wrong page number", "curhdr=7", {}, 250, 3, 1, "complete", 0 },
    { "sends a page size that is too small", "perhdr=10", {}, 250, 3, 1, "complete", 0 },
    { "sends a page size that is too large", "perhdr=500", {}, 250, 3, 1, "complete", 0 },
    { "sends zero for a page size", "perhdr=0", {}, 250, 3, 1, "complete", 0 },
    { "caps pages", "per=40", {}, 250, 7, 1, "complete", 0 },
    { "caps pages silently", "percap_silent=40", {}, 250, 7, 1, "complete", 0 },
    { "caps pages silently to a divisor", "percap_silent=50", {}, 250, 5, 1, "complete", 0 },
    { "caps pages silently and says no size", "percap_silent=40;perhdr=none", {}, 250, 7, 1, "complete", 0 },
    { "caps below what is asked", "per=40", { per_page = 90 }, 250, 7, 1, "complete", 0 },
    { "promises a few more", "total=+10", {}, 250, 6, 2, "complete", 10 },
    { "counts records that it does not show", "invisible=10", {}, 250, 6, 2, "complete", 10 },
    { "counts a page of them", "invisible=100", {}, 250, 8, 2, "complete", 100 },
    { "counts many pages of them", "invisible=100000", { lookahead = 0 }, 250, 10, 2, "complete", 100000 },
    { "promises fewer", "total=-20", {}, 250, 3, 1, "complete", 0 },
    { "promises a page fewer", "total=-120", {}, 250, 3, 1, "complete", 0 },
    { "promises fewer, full pages, then empty", "total=-50;bookings=200", {}, 200, 3, 1, "complete", 0 },
    { "promises fewer, full pages, then the last again", "total=-50;bookings=200;past=last", {}, 200, 3, 1, "complete", 0 },
    { "promises fewer, full pages, then 404", "total=-50;bookings=200;past=404", {}, 200, 3, 1, "complete", 0 },
    { "promises nothing", "total=0", {}, 250, 3, 1, "complete", 0 },
    { "promises one", "total=1", {}, 250, 3, 1, "complete", 0 },
    { "has a hole", "emptypage=2", {}, 150, 6, 2, "complete", 100 },
    { "has a hole at the start", "emptypage=1", {}, 150, 6, 2, "complete", 100 },
    { "has a hole at the start and caps silently", "emptypage=1;percap_silent=50", {}, 200, 10, 2, "complete", 50 },
    { "has a hole at the end", "emptypage=3", {}, 200, 6, 2, "complete", 50 },
    { "has two holes apart", "bookings=500;emptypage=2,4", {}, 300, 10, 2, "complete", 200 },
    { "has two holes together", "bookings=500;emptypage=2,3", { lookahead = 0 }, 100, 6, 2, "complete", 400 },
    { "has a hole and sends no total", "total=none;emptypage=2", {}, 100, 2, 1, "complete", 0 },
    { "answers with page 1 always, and it is all", "ignorepage=1;bookings=80", {}, 80, 1, 1, "complete", 0 },
    { "answers with page 1 always", "ignorepage=1", { lookahead = 0 }, 100, 4, 2, "clamped", 150 },
    { "answers with page 1 always, and does not say", "ignorepage=1;curhdr=none", { lookahead = 0 }, 100, 6, 2, "looped", 150 },
    { "gives the last page again before its total", "total=+100;past=last", {}, 250, 8, 2, "clamped", 100 },
    { "does so without saying", "total=+300;past=lastsilent", { lookahead = 0 }, 250, 10, 2, "looped", 300 },
    { "does so for one page", "total=+100;past=lastsilent", { lookahead = 0 }, 250, 10, 2, "looped", 100 },
  }
  for _, case in ipairs(cases) do
    local name, scenario, options, records, requests, passes, verdict, unseen = table.unpack(case)
    it(name, function()
      local found, report, err = read(scenario, options)
      local raised = verdict ~= "complete"
      assert.equal(raised and "drift" or nil, err and err.kind)
      assert.same({ records, requests, passes, verdict, unseen },
        { #found, report.requests, report.passes, report.verdict, report.unseen })
      assert.equal(#found, report.delivered)
      if raised then assert.same(report, err.report) end
      local seen = {}
      for _, id in ipairs(found) do
        assert.is_nil(seen[id])
        seen[id] = true
      end
    end)
    it(name .. ": with lookahead the same comes of it", function()
      for _, lookahead in ipairs { 0, 3, 64 } do
        local found, report = read(scenario, { per_page = options.per_page, lookahead = lookahead, strict = false })
        warnings.take()
        assert.same({ records, passes, verdict, unseen }, { #found, report.passes, report.verdict, report.unseen })
      end
    end)
  end

  it("promises a page that it then does not find: an error after the records before", function()
    local found, report, err = read("total=+100;past=404", {})
    assert.equal("not_found", err.kind)
    assert.equal(250, #found)
    assert.equal("partial", report.verdict)
  end)

  it("promises none and then does not find one: an error, since the lab may have gone", function()
    for scenario, count in pairs { ["total=none;bookings=200;past=404"] = 200, ["total=none;failpage=404:2"] = 100 } do
      local found, report, err = read(scenario, {})
      assert.equal("not_found", err.kind)
      assert.same({ count, "partial" }, { #found, report.verdict })
    end
  end)

  it("tells what may be missing", function()
    local _, _, err = read("ignorepage=1", {})
    assert.truthy(tostring(err):find("150 of 250 records may be missing", 1, true), tostring(err))
    assert.equal("/bookings", err.path)
    assert.equal("clamped", err.report.verdict)
  end)

  it("grows while it is read", function()
    local inserts = {}
    for call = 2, 8 do inserts[#inserts + 1] = call .. ":100000," .. call .. ":100000" end
    local found, report, err = read("bookings=298;insert=" .. table.concat(inserts, ","), { lookahead = 0 })
    assert.is_nil(err)
    assert.equal(304, #found) -- 298, and two before each of three further calls
    assert.same({ "complete", 4, 298, 304 }, { report.verdict, report.requests, report.total_first, report.total_last })
  end)

  it("sends what is no array of objects: an error, never a record", function()
    for _, body in ipairs { "notarray", "object", "huge:10", "deep:3", "empty", "login", "badjson" } do
      local found, _, err = read("bodypage=2;body=" .. body, {})
      assert.equal(100, #found)
      assert.equal("decode", err.kind, body)
    end
  end)
end)

describe("lookahead", function()
  it("keeps so many calls in flight, no more", function()
    for lookahead, most in pairs { [0] = 1, [1] = 2, [3] = 4 } do
      local found, _, _, seen = read("bookings=2000;latency=20", { lookahead = lookahead })
      assert_all(found, 2000)
      assert.is_true(seen.max_in_flight <= most, lookahead .. ": " .. seen.max_in_flight)
      assert.equal(math.max(lookahead, 1), math.min(seen.max_in_flight, math.max(lookahead, 1)))
    end
  end)

  it("is the client's unless the list says otherwise, and bounded by max_in_flight", function()
    local client, id = helper.client("bookings=2000;latency=20", { lookahead = 0 })
    client:bookings { provider = 102 }:collect()
    assert.equal(1, helper.stats(id).max_in_flight)
    client, id = helper.client("bookings=2000;latency=20", { max_in_flight = 2 })
    client:bookings { provider = 102, lookahead = 10 }:collect()
    assert.equal(2, helper.stats(id).max_in_flight)
  end)

  it("asks for no more than so many pages ahead of the reader", function()
    local client, id = helper.client "bookings=5000"
    local list = client:bookings { provider = 102, lookahead = 3 }
    for i = 1, 150 do assert.equal(FIRST + i - 1, list:next().id) end
    calira.sleep(0.1)
    assert.equal(5, helper.stats(id).calls, "two pages read, three ahead")
    assert.equal(5, list:report().requests)
    list:close()
  end)

  it("asks for none before the first page has told, nor without a total", function()
    local client, id = helper.client "bookings=5000;latency=50"
    local request = client:bookings { provider = 102, lookahead = 64 }
    assert.equal(5000, request:total())
    assert.equal(1, helper.stats(id).calls)
    request:close()
    local _, _, _, seen = read("total=none;bookings=1000;latency=5", { lookahead = 64 })
    assert.equal(1, seen.max_in_flight)
  end)
end)

describe("page and per_page", function()
  it("page = 1 is one pass, whatever it sees", function()
    local _, report, err = read("invisible=10", { page = 1 })
    assert.equal("drift", err.kind)
    assert.same({ "drifted", 1, 10 }, { report.verdict, report.passes, report.unseen })
    local found, clean = read("", { page = 1 })
    assert_all(found, 250)
    assert.equal("complete", clean.verdict)
  end)

  it("page = 3 reads from there, once, and leaves the rest unread", function()
    local found, report, err = read("", { page = 3 })
    assert.is_nil(err)
    assert.equal(50, #found)
    assert.equal(FIRST + 200, found[1])
    assert.same({ "partial", 1, 1, 0 }, { report.verdict, report.passes, report.requests, report.unseen })
  end)

  it("a page past the end holds nothing", function()
    local found, report, err = read("", { page = 9 })
    assert.is_nil(err)
    assert.same({}, found)
    assert.equal(1, report.requests)
  end)

  it("a page past the end that is not found is an error", function()
    local _, _, err = read("past=404", { page = 9 })
    assert.equal("not_found", err.kind)
  end)
end)

describe("records without a usable id", function()
  it("are never taken for duplicates", function()
    for _, scenario in ipairs { "noid=10", "bigid=10", "noid=1", "bigid=1" } do
      local client = helper.client(scenario)
      local list = client:bookings { provider = 102 }
      assert.equal(250, #list:collect())
      assert.same({ "complete", 3, 0 }, { list:report().verdict, list:report().requests, list:report().duplicates })
    end
  end)

  it("nor delivered twice by a further pass", function()
    local client = helper.client "noid=10;invisible=5"
    local list = client:bookings { provider = 102 }
    assert.equal(250, #list:collect())
    assert.same({ "complete", 2, 5 }, { list:report().verdict, list:report().passes, list:report().unseen })
  end)

  it("or with a text for an id are told apart by it", function()
    local client = helper.client "strid=1;invisible=5"
    local list, found = client:bookings { provider = 102 }, {}
    for b in list do
      assert.equal("string", type(b.id))
      assert.is_nil(found[b.id])
      found[b.id] = true
    end
    assert.same({ "complete", 2 }, { list:report().verdict, list:report().passes })
  end)
end)
