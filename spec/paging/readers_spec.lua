--- Who reads a list: several coroutines, and the functions given to it (where, on_page); and what `strict` makes of its end. CONTRACT
-- section 5.
-- luacheck: ignore 512 (loops that are left at once)

local calira = require "calira"
local helper = require "spec.support.helper"
local warnings = require "spec.support.warnings"

local failure <const> = helper.failure

local FIRST <const> = 12345 -- lab 102 has 250 bookings, from this id on

local ids <const> = helper.ids
local calls <const> = helper.calls
describe("two coroutines", function()
  it("on one list: each record goes to one of them", function()
    local client, id = helper.client("latency=5")
    local list = client:bookings { provider = 102, per_page = 20 }
    local seen, took, count = {}, {}, 0
    local function reader(name)
      return function()
        for b in list do
          assert.is_nil(seen[b.id])
          seen[b.id], took[name], count = true, true, count + 1
          calira.sleep(0)
        end
      end
    end
    calira.gather { reader "a", reader "b", reader "c" }
    assert.equal(250, count)
    assert.is_true(took.a and took.b and took.c)
    assert.equal(13, calls(id))
  end)

  it("on one list of details, and of several labs", function()
    for _, options in ipairs { { provider = 106, details = true }, { under = 211 }, { under = 211, unordered = true } } do
      local client = helper.client("latency=2")
      local list = client:bookings(options)
      local seen, count = {}, 0
      local function reader()
        for b in list do
          assert.is_nil(seen[b.id])
          seen[b.id], count = true, count + 1
        end
      end
      calira.gather { reader, reader }
      assert.equal(options.provider and 99 or 200, count)
    end
  end)

  it("get what a collect() had that was cancelled, however they read on", function()
    local ways = {
      next = function(list, take) for b, node in list do take(b, node) end end,
      collect = function(list, take)
        local all, own = list:collect()
        for i, b in ipairs(all) do take(b, own and own[i]) end
      end,
      pages = function(list, take)
        for _, all, node in list:pages() do
          for _, b in ipairs(all) do take(b, node) end
        end
      end,
    }
    for _, options in ipairs { { provider = 102 }, { under = 201, per_page = 50, limit = 300 }, { provider = 102, details = true, limit = 70 } } do
      for way, read in pairs(ways) do
        local list, pages, seen, count = helper.client("latency=10", { max_in_flight = 2 }):bookings(options), nil, {}, 0
        calira.run(function()
          local tasks = {}
          for i = 1, 2 do tasks[i] = calira.spawn(list.collect, list) end
          repeat
            calira.sleep(0.005)
            pages = list:progress()
          until pages > 50
          for i = 1, 2 do tasks[i]:cancel() end
          read(list, function(b, node)
            assert.is_nil(seen[b.id], way)
            seen[b.id], count = true, count + 1
            assert.equal(options.under ~= nil, node ~= nil)
          end)
        end)
        assert.equal(options.limit or 250, count, way)
        assert.equal(count, list:report().delivered)
      end
    end
  end)

  it("see the same error", function()
    local client = helper.client("failpage=403:1;latency=10")
    local list = client:bookings { provider = 102 }
    local function reader() return select(2, pcall(list.next, list)) end
    local errors = calira.gather { reader, reader }
    assert.equal("forbidden", errors[1].kind)
    assert.equal(errors[1], errors[2])
  end)

  for name, options in pairs {
    ["a plain list"] = { provider = 102 }, ["details"] = { provider = 102, details = true },
    ["details that are under way"] = { provider = 102, details = true, begun = true },
    ["several labs, while the tree is read"] = { under = 201 }, ["several labs"] = { under = 201, node = true },
    ["several labs in any order"] = { under = 201, node = true, unordered = true },
    ["details in any order"] = { under = 201, node = true, unordered = true, details = true },
  } do
    it("of which one closes " .. name .. " under the other, which is told so at once", function()
      local client = helper.client "silence=2" -- the second call, or, where the first is the tree's, the second of these
      local asked = {}
      for key, value in pairs(options) do asked[key] = value end
      asked.begun, asked.node = nil, nil
      if options.node then asked.under = client:tree():find(options.under) end
      local list = client:bookings(asked)
      if options.begun then list:total() end
      if not (options.node or options.begun) then client:account(101) end
      local results = calira.gather {
        function() return select(2, pcall(function() for _ = 1, 1000 do assert(list:next()) end end)) end,
        function()
          calira.sleep(0.05)
          list:close()
        end,
      }
      assert.equal("closed", results[1].kind)
      assert.equal(0, client:stats().in_flight)
    end)
  end

  it("of which one is cancelled while it waits leave the list to the other", function()
    local client = helper.client "latency=30"
    local list = client:bookings { provider = 102 }
    calira.run(function()
      local first = calira.spawn(list.next, list)
      calira.sleep(0)
      local second = calira.spawn(list.next, list)
      calira.sleep(0)
      first:cancel()
      assert.equal(FIRST, second:wait().id)
    end)
    assert.equal(249, #list:collect())
  end)

  it("may walk two lists at the same time", function()
    local client = helper.client()
    local a, b = client:bookings { provider = 102 }, client:bookings { provider = 103 }
    local count = 0
    for record in a do
      count = count + 1
      local other = b:next()
      assert.equal(count <= 140, other ~= nil)
      assert.is_not_nil(record.id)
    end
    assert.equal(250, count)
  end)
end)

describe("where", function()
  it("keeps what any true value says, of the summary", function()
    local client = helper.client()
    local list = client:bookings { provider = 102, details = true, limit = 3, where = function(b)
      assert.is_nil(b.cost)
      return b.id % 2 == 1 and 0
    end }
    assert.same({ FIRST, FIRST + 2, FIRST + 4 }, ids(list:collect()))
  end)

  it("may wait and call this library", function()
    local client = helper.client "latency=1"
    local list = client:bookings { provider = 106, where = function(b)
      if b.id % 20 ~= 0 then return false end
      calira.sleep(0.001)
      return client:booking(b.id).id == b.id
    end }
    local expected = list:collect()
    assert.equal(5, #expected)
    local again = client:bookings { provider = 106, where = function(b) return b.id % 20 == 0 and client:booking(b) end }
    local results = calira.gather { function() return #again:collect() end, function() return client:booking(FIRST).id end }
    assert.same({ 5, FIRST, n = 2 }, results)
  end)

  it("raises its own error unchanged, which closes the list", function()
    local client = helper.client "bookings=1000"
    for _, value in ipairs { "a string", { "a table" }, 42, false } do
      local list = client:bookings { provider = 102, where = function() error(value, 0) end }
      local ok, err = pcall(list.next, list)
      assert.is_false(ok)
      assert.equal(value, err)
      assert.equal("closed", failure(list.next, list).kind)
      assert.equal("partial", list:report().verdict)
    end
    local list = client:bookings { provider = 102, where = function() error() end }
    assert.same({ false, nil }, { pcall(list.next, list) })
    assert.equal("closed", failure(list.next, list).kind)
    assert.equal(0, client:stats().in_flight)
  end)

  it("raises it after the records before", function()
    for _, details in ipairs { false, true } do
      local client = helper.client()
      local mine = { "mine" }
      local list = client:bookings { provider = 102, details = details, where = function(b)
        if b.id == FIRST + 103 then error(mine) end
        return b.id % 2 == 0
      end }
      local found = {}
      local ok, err = pcall(function()
        for b in list do found[#found + 1] = b.id end
      end)
      assert.is_false(ok)
      assert.equal(mine, err)
      assert.equal(51, #found)
      assert.equal(FIRST + 101, found[51])
      assert.equal("closed", failure(list.next, list).kind)
      assert.equal(51, list:report().delivered)
    end
  end)

  it("raises an error of this library unchanged, too", function()
    local client = helper.client()
    local list = client:bookings { provider = 102, where = function() return client:booking(1 << 50) end }
    assert.equal("not_found", failure(list.next, list).kind)
    assert.equal("closed", failure(list.next, list).kind)
  end)

  it("may not read its own list", function()
    local client = helper.client()
    for _, read in ipairs { "next", "collect", "first" } do
      local list
      list = client:bookings { provider = 102, where = function() return list[read](list) end }
      assert.equal("argument", failure(list.next, list).kind)
    end
    local list
    list = client:bookings { provider = 102, where = function()
      for _ in list:pages() do return true end
    end }
    assert.equal("argument", failure(list.next, list).kind)
    list = client:bookings { provider = 102, details = true, where = function() return list:next() end }
    calira.run(function() assert.equal("argument", failure(list.next, list).kind) end)
  end)

  it("may ask how far its list is, and close it", function()
    local client = helper.client()
    local list
    list = client:bookings { provider = 102, where = function()
      return list:total() == 250 and list:progress() == 100 and list:report().verdict == "partial" and tostring(list) ~= ""
    end, limit = 3 }
    assert.equal(3, #list:collect())
    list = client:bookings { provider = 102, where = function() list:close() return true end }
    assert.equal("closed", failure(list.next, list).kind)
  end)

  it("is any callable value", function()
    local client = helper.client()
    local odd = setmetatable({}, { __call = function(_, b) return b.id % 2 == 1 end })
    assert.equal(125, #client:bookings { provider = 102, where = odd }:collect())
  end)
end)

describe("on_page", function()
  it("is told of each page in order", function()
    local client = helper.client()
    local events = {}
    local list = client:bookings { provider = 102, status = "pending", on_page = function(e) events[#events + 1] = e end }
    list:collect()
    assert.same({
      { page = 1, pages = 3, received = 100, total = 250, pass = 1 }, { page = 2, pages = 3, received = 200, total = 250, pass = 1 },
      { page = 3, pages = 3, received = 250, total = 250, pass = 1 },
    }, events)
  end)

  it("is told of the passes and of no total", function()
    local client = helper.client "invisible=10"
    local events = {}
    client:bookings { provider = 102, on_page = function(e) events[#events + 1] = e.pass .. "/" .. e.page end }:collect()
    assert.same({ "1/1", "1/2", "1/3", "2/1", "2/2", "2/3" }, events)
    client = helper.client "total=none"
    events = {}
    client:bookings { provider = 105, on_page = function(e) events[#events + 1] = e end }:collect()
    assert.same({ { page = 1, received = 1, pass = 1 }, { page = 2, received = 1, pass = 1 } }, events)
  end)

  it("is told of the node", function()
    local client = helper.client()
    local names = {}
    client:bookings { under = 211, on_page = function(e) names[#names + 1] = e.node.name end }:collect()
    assert.same({ "Cambridge Graphene Center", "Optics", "Cryogenics Lab", "Attosecond Lab" }, names)
  end)

  it("raises its own error unchanged, which closes the list; may wait; may not read", function()
    local client = helper.client()
    local mine = {}
    local list = client:bookings { provider = 102, on_page = function(e) if e.page == 2 then error(mine) end end }
    for _ = 1, 100 do list:next() end
    local ok, err = pcall(list.next, list)
    assert.is_false(ok)
    assert.equal(mine, err)
    assert.equal("closed", failure(list.next, list).kind)
    list = client:bookings { provider = 102, on_page = function() calira.sleep(0.001) end }
    assert.equal(250, #list:collect())
    list = client:bookings { provider = 102, on_page = function() list:next() end }
    assert.equal("argument", failure(list.next, list).kind)
  end)
end)

describe("strict", function()
  it("is the list's, else the client's", function()
    local scenario = "total=+100;past=last" -- clamped
    local client = helper.client(scenario)
    local list = client:bookings { provider = 102 }
    local count = 0
    local err = failure(function() for _ in list do count = count + 1 end end)
    assert.equal(250, count, "after every record")
    assert.equal("drift", err.kind)
    assert.equal("clamped", err.report.verdict)
    assert.equal(100, err.report.unseen)
    assert.equal("clamped", list:report().verdict)
    local _, again = pcall(list.next, list)
    assert.equal(err, again)

    list = client:bookings { provider = 102, strict = false }
    assert.equal(250, #list:collect())
    assert.equal("clamped", list:report().verdict)
    assert.is_nil(list:next())
    assert.equal(1, #warnings.take())

    local events = {}
    client = helper.client(scenario, { strict = false, trace = function(e) events[#events + 1] = e end })
    assert.equal(250, #client:bookings { provider = 102 }:collect())
    local told = warnings.take()
    assert.equal(1, #told)
    assert.truthy(told[1]:find "100 of 350 records may be missing")
    local verdict = events[#events]
    assert.same({ "verdict", "clamped", "/bookings" }, { verdict.event, verdict.verdict, verdict.path })
    list = client:bookings { provider = 102, strict = true }
    assert.equal("drift", failure(list.collect, list).kind)
  end)
end)
