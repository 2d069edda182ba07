--- cursor() and resume: where another run goes on, and that nothing is lost between the two. CONTRACT section 5.

local calira = require "calira"
local helper = require "spec.support.helper"

local FIRST <const> = 12345      -- lab 102 has 250 bookings, from this id on

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
    for _ = 1, 100 do list:next() end
    assert.equal("forbidden", helper.failure(list.next, list).kind)
    assert.equal(150, #resumed((helper.client()), list:cursor()))
  end)

  it("stay before an array that its caller never got", function()
    local function where(b) return b.id ~= FIRST + 130 or error "mine" end
    for scenario, options in pairs {
      ["failpage=403:2"] = { per_page = 50 }, ["failpath=403:bookings%2F" .. FIRST + 130] = { details = true, per_page = 50 },
      [""] = { where = where, per_page = 50 },
    } do
      for _, before in ipairs { 0, 20 } do
        local _, list = cursor_after(helper.client(scenario), before, options)
        assert.is_false((pcall(list.collect, list)))
        local found = resumed((helper.client()), list:cursor(), { per_page = 50 })
        assert.same({ 250 - before, FIRST + before }, { #found, found[1] })
      end
    end
  end)

  it("stay on the page of the record delivered last, where the array after it is lost", function()
    local seen = {}
    local function note(ids) for _, each in ipairs(ids) do seen[each] = true end end
    for _, resuming in ipairs { false, true } do
      local cursor, list = cursor_after(helper.client "failpage=403:3", 100)
      if resuming then list = helper.client("failpage=403:3"):bookings { provider = 102, resume = cursor } end
      assert.equal("forbidden", helper.failure(list.collect, list).kind)
      note((resumed((helper.client "delete=1:99"), list:cursor())))
      for id = FIRST + 100, FIRST + 249 do assert.is_true(seen[id], id) end
      seen = {}
    end
  end)

  it("stay before an array while it is under way, and go after it when its caller has it", function()
    local client, pages = helper.client "latency=10", 0
    local all = #client:bookings { under = 201 }:collect()
    local list = client:bookings { under = 201, per_page = 50, lookahead = 1, on_page = function() pages = pages + 1 end }
    for _ = 1, 10 do list:next() end
    local before = list:cursor()
    calira.run(function()
      local task = calira.spawn(list.collect, list)
      repeat calira.sleep(0.001) until pages > 2
      task:cancel()
      assert.is_false((pcall(task.wait, task)))
      assert.equal(before, list:cursor())
      list:next()
      assert.equal(before, list:cursor())
      assert.equal(all - 11, #list:collect())
    end)
    assert.equal(0, #client:bookings { under = 201, per_page = 50, resume = list:cursor() }:collect())
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

  it("where its page is gone, whatever the service says beyond the end: from before it", function()
    for _, past in ipairs { "404", "empty", "last", "lastsilent" } do
      for _, count in ipairs { 201, 250 } do
        local cursor = cursor_after((helper.client()), count)
        for bookings = 90, 200, 55 do
          local found, list = resumed(helper.client(("bookings=%d;past=%s"):format(bookings, past)), cursor)
          assert.equal("complete", list:report().verdict)
          assert.is_true(#found == 0 or found[#found] == FIRST + bookings - 1)
        end
        local gone = helper.client("failpath=404:bookings%3F"):bookings { provider = 102, resume = cursor }
        assert.equal("not_found", helper.failure(gone.next, gone).kind)
      end
    end
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

  it("where pages have become larger, or smaller: from where the page began, at the latest", function()
    for before, now in pairs { [20] = 50, [50] = 20, [100] = 30, [30] = 100 } do
      for _, count in ipairs { 15, 60, 119, 180, 249 } do
        local cursor = cursor_after(helper.client("per=" .. before), count)
        for _, change in ipairs { "", ";delete=1:" .. count - 1, ";delete=1:0" } do
          local found, list = resumed((helper.client("per=" .. now .. change)), cursor)
          assert.equal("complete", list:report().verdict)
          assert.is_true(#found < 250 - count + before + now, #found)
          local has = {}
          for _, each in ipairs(found) do has[each] = true end
          for each = FIRST + count, FIRST + 249 do assert.is_true(has[each], each) end
        end
      end
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
      cursor:gsub("^calira1", "calira2"), cursor:gsub("%.%d+p", ".0p"), cursor:gsub("%.%d+p", ".-1p"),
      cursor:gsub("%.%d+p", ".99999999999999999999p"), 7, true, {}, ("x"):rep(10000), "\0",
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
