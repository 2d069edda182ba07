--- The list object: its methods, its states, how it ends. CONTRACT section 5. Who may read it, and the functions given to it:
-- readers_spec.lua.
-- luacheck: ignore 512 (loops that are left at once are what much of this is about)

local calira = require "calira"
local helper = require "spec.support.helper"

local failure <const> = helper.failure

local ids <const> = helper.ids
local range <const> = helper.range
local FIRST <const> = 12345 -- lab 102 has 250 bookings, from this id on

local calls <const> = helper.calls
local pages_asked <const> = helper.pages_asked

--- Waits until the sandbox has no call of the id under way any more.
local function quiet(id)
  for _ = 1, 200 do
    if helper.stats(id).in_flight == 0 then return helper.stats(id) end
    calira.sleep(0.01)
  end
  error "calls are still in flight"
end

describe("a list", function()
  it("sends nothing until it is read", function()
    local client, id = helper.client()
    local list = client:bookings { provider = 102, limit = 5, details = true }
    assert.equal(0, calls(id))
    assert.equal("partial", list:report().verdict)
    assert.equal(0, list:report().requests)
    list:close()
    assert.equal(0, calls(id))
  end)

  it("is four values for a loop: the list, nil, nil, the list", function()
    local client = helper.client()
    for _, values in ipairs {
      table.pack(client:bookings { provider = 102 }), table.pack(client:accounts()), table.pack(client:equipment { account = 102 }),
      table.pack(client:equipment_bookings(789)), table.pack(client:projects { account = 101 }), table.pack(client:groups {}),
      table.pack(client:list("/accounts")),
    } do
      assert.equal(4, values.n)
      assert.equal("userdata", type(values[1]))
      assert.is_nil(values[2])
      assert.is_nil(values[3])
      assert.equal(values[1], values[4])
    end
    local values = table.pack(client:bookings { provider = 102 }:pages())
    assert.equal(4, values.n)
    assert.is_nil(values[2])
    assert.is_nil(values[3])
  end)

  it("delivers every record in order, then nil, again and again", function()
    local client, id = helper.client()
    local list = client:bookings { provider = 102 }
    local found = {}
    for b in list do found[#found + 1] = b.id end
    assert.same(range(FIRST, FIRST + 249), found)
    assert.is_nil(list:next())
    assert.is_nil(list:next())
    assert.same({}, list:collect())
    assert.is_nil(list:first())
    assert.equal(3, calls(id))
    list:close()
    assert.is_nil(list:next(), "the natural end came first")
    assert.same("complete", list:report().verdict)
  end)

  it("of nothing ends at once", function()
    local client, id = helper.client()
    assert.same({}, client:bookings { provider = 104 }:collect())
    assert.is_nil(client:bookings { provider = 104 }:first())
    for _ in client:bookings { provider = 104 } do error "a record of nothing" end
    assert.equal(3, calls(id))
  end)

  it("goes on where the loop before stopped, also by next() and collect()", function()
    local client, id = helper.client()
    local list = client:bookings { provider = 102 }
    for b in list do
      if b.id == FIRST + 9 then break end
    end
    for b in list do
      assert.equal(FIRST + 10, b.id)
      break
    end
    assert.equal(FIRST + 11, list:next().id)
    local rest, nodes = list:collect()
    assert.same(range(FIRST + 12, FIRST + 249), ids(rest))
    assert.is_nil(nodes)
    assert.equal(3, calls(id))
    assert.equal(250, list:report().delivered)
  end)

  for name, leave in pairs {
    ["break"] = function(client, kept)
      for _ in kept(client:bookings { provider = 102 }) do break end
    end,
    ["return"] = function(client, kept)
      local function f()
        for b in kept(client:bookings { provider = 102 }) do return b end
      end
      assert.equal(FIRST, f().id)
    end,
    ["an error"] = function(client, kept)
      local ok, err = pcall(function()
        for _ in kept(client:bookings { provider = 102 }) do error "mine" end
      end)
      assert.is_false(ok)
      assert.truthy(err:find "mine")
    end,
    ["coroutine.close"] = function(client, kept)
      local co = coroutine.create(function()
        for _ in kept(client:bookings { provider = 102 }) do coroutine.yield() end
      end)
      assert.is_true(coroutine.resume(co))
      assert.is_true(coroutine.close(co))
    end,
    ["goto"] = function(client, kept)
      for _ in kept(client:bookings { provider = 102 }) do goto out end
      ::out::
    end,
  } do
    it("is closed and cancels what is in flight when a loop is left by " .. name, function()
      local client, id = helper.client("bookings=1000;latency=30")
      local list
      leave(client, function(...)
        list = ...
        return ...
      end)
      assert.equal("closed", failure(list.next, list).kind)
      assert.equal("partial", list:report().verdict)
      assert.equal(0, client:stats().in_flight)
      local seen = quiet(id)
      assert.is_true(seen.calls <= 5, "page 1, and at most four ahead")
    end)
  end

  it("raises closed after close(), twice or in a <close> variable, with a report still", function()
    local client = helper.client()
    local list = client:bookings { provider = 102 }
    list:next()
    list:close()
    list:close()
    for _, read in ipairs { "next", "collect", "first" } do assert.equal("closed", failure(list[read], list).kind) end
    assert.equal("closed", failure(function() for _ in list do error "a record" end end).kind)
    assert.equal("closed", failure(function() for _ in list:pages() do error "a page" end end).kind)
    local report = list:report()
    assert.equal("partial", report.verdict)
    assert.equal(1, report.delivered)
    local other
    do
      local scoped <close> = client:bookings { provider = 102 }
      other = scoped
      scoped:next()
    end
    assert.equal("closed", failure(other.next, other).kind)
  end)

  it("that is closed before it is read sends nothing", function()
    local client, id = helper.client()
    local list = client:bookings { provider = 102 }
    list:close()
    assert.equal("closed", failure(list.next, list).kind)
    assert.is_nil(list:total())
    assert.equal(0, calls(id))
  end)

  it("that is left to the collector cancels what is in flight", function()
    local client, id = helper.client("bookings=1000;latency=50")
    client:bookings { provider = 102 }:next()
    collectgarbage()
    collectgarbage()
    assert.equal(0, client:stats().in_flight)
    quiet(id)
  end)
end)

describe("where a page fails", function()
  it("every record before it comes, then the same error at every read", function()
    local client, id = helper.client("failpage=403:2")
    local list = client:bookings { provider = 102 }
    local found = {}
    local ok, err = pcall(function()
      for b in list do found[#found + 1] = b.id end
    end)
    assert.is_false(ok)
    assert.same(range(FIRST, FIRST + 99), found)
    assert.equal("forbidden", err.kind)
    assert.equal(403, err.status)
    assert.equal("/bookings", err.path)
    for _, read in ipairs { "next", "collect", "first", "next" } do
      local _, again = pcall(list[read], list)
      assert.equal(err, again)
    end
    local before = calls(id)
    pcall(list.next, list)
    assert.equal(before, calls(id))
    list:close()
    local _, again = pcall(list.next, list)
    assert.equal(err, again, "the error came first")
    assert.equal("partial", list:report().verdict)
    assert.equal(100, list:report().delivered)
  end)

  it("pages() and collect() raise it too", function()
    local client = helper.client("failpage=403:3")
    local seen = {}
    local err = failure(function()
      for page, records in client:bookings { provider = 102 }:pages() do seen[page] = #records end
    end)
    assert.equal("forbidden", err.kind)
    assert.same({ 100, 100 }, seen)
    local list = client:bookings { provider = 102 }
    assert.equal("forbidden", failure(list.collect, list).kind)
  end)

  it("a page that is promised and not found is an error as well", function()
    local client = helper.client("failpage=404:2")
    local list = client:bookings { provider = 102 }
    local err = failure(list.collect, list)
    assert.equal("not_found", err.kind)
    assert.equal(100, list:report().delivered)
  end)

  it("total() raises what the first page has, and so does the read after it", function()
    local client = helper.client("failpage=403:1")
    local list = client:bookings { provider = 102 }
    assert.equal("forbidden", failure(list.total, list).kind)
    assert.equal("forbidden", failure(list.next, list).kind)
  end)
end)

describe("total() and progress()", function()
  it("total() asks for the first page, once, whatever the filters", function()
    local client, id = helper.client()
    local list = client:bookings { provider = 102, status = "no such", limit = 3 }
    assert.equal(250, list:total())
    assert.equal(250, list:total())
    assert.equal(1, calls(id))
    assert.same({}, list:collect())
    assert.equal(250, list:total())
    assert.equal(3, calls(id))
    list:close()
    assert.equal(250, list:total())
  end)

  it("total() is nil where the server does not say", function()
    local client = helper.client("total=none")
    local list = client:bookings { provider = 102 }
    assert.is_nil(list:total())
    assert.equal(250, #list:collect())
    assert.is_nil(list:total())
  end)

  it("progress(): received before filters, total, lists finished, lists in all", function()
    local client = helper.client()
    local list = client:bookings { provider = 102, status = "no such" }
    assert.same({ 0, nil, 0, 1 }, { list:progress() })
    assert.is_nil(list:next())
    assert.same({ 250, 250, 1, 1 }, { list:progress() })
    list = client:bookings { provider = 102, lookahead = 0 }
    list:next()
    assert.same({ 100, 250, 0, 1 }, { list:progress() })
    list:close()
    assert.same({ 100, 250, 0, 1 }, { list:progress() })
  end)
end)

describe("report()", function()
  it("tells of a clean walk", function()
    local client = helper.client()
    local list = client:bookings { provider = 102, status = "pending" }
    local kept = #list:collect()
    assert.same({
      verdict = "complete", received = 250, delivered = kept, filtered = 250 - kept, unseen = 0, duplicates = 0,
      gone = 0, undetailed = 0, unreadable = 0, accounts = 0,
      passes = 1, pages = 3, requests = 3, total_first = 250, total_last = 250,
    }, list:report())
  end)

  it("works while running, with nothing unseen before the end", function()
    local client = helper.client()
    local list = client:bookings { provider = 102, lookahead = 0 }
    list:next()
    local report = list:report()
    assert.same({ "partial", 100, 1, 0, 1 }, { report.verdict, report.received, report.delivered, report.unseen, report.pages })
    list:collect()
    assert.equal("complete", list:report().verdict)
  end)

  it("counts retries among the requests", function()
    local client, id = helper.client("firstfail=503:2")
    local list = client:bookings { provider = 102 }
    assert.equal(250, #list:collect())
    assert.equal(5, list:report().requests)
    assert.equal(5, calls(id))
  end)

  it("is partial while records of the last page are unread", function()
    local client = helper.client()
    local list = client:bookings { provider = 105 } -- one booking
    list:total()
    assert.equal("partial", list:report().verdict)
    list:next()
    list:close()
    assert.equal("complete", list:report().verdict, "all was delivered before it was closed")
    list = client:bookings { provider = 106 }
    list:next()
    assert.equal("partial", list:report().verdict)
    list:close()
    assert.equal("partial", list:report().verdict)
  end)
end)

describe("pages()", function()
  it("brings page numbers and records", function()
    local client = helper.client()
    local numbers, found = {}, {}
    for page, records, node in client:bookings { provider = 102 }:pages() do
      numbers[#numbers + 1] = page
      assert.is_nil(node)
      for _, b in ipairs(records) do found[#found + 1] = b.id end
    end
    assert.same({ 1, 2, 3 }, numbers)
    assert.same(range(FIRST, FIRST + 249), found)
  end)

  it("brings pages that add nothing", function()
    local client = helper.client()
    local seen = {}
    for page, records in client:bookings { provider = 102, where = function(b) return b.id >= FIRST + 100 end }:pages() do
      seen[page] = #records
    end
    assert.same({ 0, 100, 50 }, seen)
    for page, records in client:bookings { provider = 104 }:pages() do
      assert.equal(1, page)
      assert.same({}, records)
    end
  end)

  it("follows next(), with what is left of the page", function()
    local client = helper.client()
    local list = client:bookings { provider = 102 }
    list:next()
    list:next()
    local seen = {}
    for page, records in list:pages() do seen[#seen + 1] = { page, #records, records[1].id } end
    assert.same({ { 1, 98, FIRST + 2 }, { 2, 100, FIRST + 100 }, { 3, 50, FIRST + 200 } }, seen)
    assert.is_nil(list:next())
  end)

  it("closes its list when the loop is left", function()
    local client = helper.client()
    local list = client:bookings { provider = 102 }
    for _ in list:pages() do break end
    assert.equal("closed", failure(list.next, list).kind)
  end)

  it("starts where it is told", function()
    local client, id = helper.client()
    local seen = {}
    local list = client:bookings { provider = 102, page = 2, per_page = 60 }
    for page, records in list:pages() do seen[#seen + 1] = { page, #records, records[1].id } end
    assert.same({ { 2, 60, FIRST + 60 }, { 3, 60, FIRST + 120 }, { 4, 60, FIRST + 180 }, { 5, 10, FIRST + 240 } }, seen)
    assert.equal("partial", list:report().verdict)
    assert.equal(0, list:report().unseen)
    assert.same({ 2, 3, 4, 5 }, pages_asked(id))
  end)
end)

describe("what a list is not", function()
  it("has no other fields, no length", function()
    local client = helper.client()
    local list = client:bookings { provider = 102 }
    for _, misuse in ipairs {
      function() return list[1] end, function() return list.cost end, function() return list.Next end, function() return #list end,
      function() return list[nil] end, function() return list[{}] end, function() return ipairs(list)(list, 0) end,
    } do
      local err = failure(misuse)
      assert.equal("argument", err.kind)
      assert.truthy(err.message:find "collect%(%)", err.message)
    end
  end)

  it("wants a colon", function()
    local client = helper.client()
    local list = client:bookings { provider = 102 }
    local err = failure(list.next)
    assert.equal("argument", err.kind)
    assert.truthy(err.message:find ":")
    assert.equal("argument", failure(list.collect, {}).kind)
  end)

  it("tells what it is and how far", function()
    local client = helper.client("failpage=403:2")
    local list = client:bookings { provider = 102 }
    assert.equal("calira.list: GET /bookings (open, 0 delivered)", tostring(list))
    list:next()
    assert.equal("calira.list: GET /bookings (open, 1 delivered)", tostring(list))
    pcall(list.collect, list)
    assert.equal("calira.list: GET /bookings (failed, 100 delivered)", tostring(list))
    list = client:bookings { provider = 105 }
    list:collect()
    assert.equal("calira.list: GET /bookings (ended, 1 delivered)", tostring(list))
    list = client:bookings { provider = 102 }
    list:close()
    assert.equal("calira.list: GET /bookings (closed, 0 delivered)", tostring(list))
  end)

  it("collects what an interrupted collect() had, too", function()
    for _, span in ipairs { { provider = 102 }, { under = "Faculty of Physics" } } do
      local pages = 0
      span.per_page, span.on_page = 10, function()
        pages = pages + 1
        if pages ~= 6 then return end
        local function interrupt() -- in the library's own code, which runs after this function
          if debug.getinfo(2, "S").short_src:find "_spec" then return end
          debug.sethook()
          error("interrupted!", 0)
        end
        debug.sethook(interrupt, "", 10)
      end
      local list = helper.client("latency=5"):bookings(span)
      assert.equal("interrupted!", select(2, pcall(list.collect, list)))
      debug.sethook()
      local records, nodes = list:collect()
      assert.equal(list:report().delivered, #records)
      assert.is_true(#records >= 200)
      if nodes then assert.equal(#records, #nodes) end
    end
  end)

  it("takes no option that does not exist, nor one out of range, and sends nothing", function()
    local client, id = helper.client()
    for _, wrong in ipairs {
      { per_page = 0 }, { per_page = 101 }, { per_page = "10" }, { page = 0 }, { page = 1.5 }, { limit = -1 }, { lookahead = 65 },
      { lookahead = -1 }, { where = "x" }, { on_page = 1 }, { exact = "yes" }, { strict = 1 }, { pages = 1 }, { details = 1 },
      { params = { page = 1 } }, { params = { per_page = 1 } }, { params = { provider_account = 1 } }, { resume = 7 },
    } do
      wrong.provider = 102
      local err = failure(client.bookings, client, wrong)
      assert.equal("argument", err.kind)
    end
    local err = failure(client.bookings, client, { provder = 102 })
    assert.truthy(err.message:find "provder" and err.message:find "provider")
    assert.equal(0, calls(id))
  end)
end)
