--- limit and first(): what is delivered, and that no page is asked for that is not needed. CONTRACT section 5.

local helper = require "spec.support.helper"

local failure <const> = helper.failure

local FIRST <const> = 12345 -- lab 102 has 250 bookings, from this id on

local ids <const> = helper.ids
local range <const> = helper.range
local calls <const> = helper.calls
local pages_asked <const> = helper.pages_asked

describe("limit", function()
  it("0 sends nothing", function()
    local client, id = helper.client()
    local list = client:bookings { provider = 102, limit = 0 }
    assert.is_nil(list:next())
    assert.same({}, list:collect())
    assert.is_nil(list:first())
    for _ in client:bookings { provider = 102, limit = 0 }:pages() do error "a page" end
    for _ in client:bookings { under = 201, limit = 0 } do error "a record" end
    assert.equal(0, calls(id))
    assert.equal("partial", list:report().verdict)
  end)

  for _, case in ipairs {
    { 1, { 1 } }, { 99, { 1 } }, { 100, { 1 } }, { 101, { 1, 2 } }, { 200, { 1, 2 } }, { 201, { 1, 2, 3 } }, { 250, { 1, 2, 3 } },
    { 251, { 1, 2, 3 } }, { math.maxinteger, { 1, 2, 3 } },
  } do
    it(("%d asks for pages %s"):format(case[1], table.concat(case[2], ", ")), function()
      local client, id = helper.client()
      local list = client:bookings { provider = 102, limit = case[1], lookahead = 64 }
      local count = math.min(case[1], 250)
      assert.same(range(FIRST, FIRST + count - 1), ids(list:collect()))
      assert.is_nil(list:next(), "a reached limit is the natural end")
      list:close()
      assert.is_nil(list:next())
      assert.same(case[2], pages_asked(id))
      assert.equal(count, list:report().delivered)
    end)
  end

  it("with small pages asks for no more of them than it needs", function()
    local client, id = helper.client()
    assert.equal(35, #client:bookings { provider = 102, per_page = 10, limit = 35, lookahead = 64 }:collect())
    assert.same({ 1, 2, 3, 4 }, pages_asked(id))
  end)

  it("counts what the filters let pass", function()
    local client = helper.client()
    local all = client:bookings { provider = 102 }:collect()
    local expected = {}
    for _, b in ipairs(all) do
      if b.status == "Pending" and b.id % 2 == 0 and #expected < 7 then expected[#expected + 1] = b.id end
    end
    assert.equal(7, #expected)
    local list = client:bookings { provider = 102, status = "pending", where = function(b) return b.id % 2 == 0 end, limit = 7 }
    assert.same(expected, ids(list:collect()))
    assert.equal(7, list:report().delivered)
  end)

  it("ends a pages() loop in the middle of a page", function()
    local client = helper.client()
    local seen = {}
    for page, records in client:bookings { provider = 102, limit = 150 }:pages() do seen[page] = #records end
    assert.same({ 100, 50 }, seen)
  end)

  it("that leaves something unread is partial, one that does not is complete", function()
    local client = helper.client()
    for limit, verdict in pairs { [150] = "partial", [249] = "partial", [250] = "complete", [300] = "complete" } do
      local list = client:bookings { provider = 102, limit = limit }
      list:collect()
      assert.equal(verdict, list:report().verdict, limit)
    end
  end)
end)

describe("first()", function()
  it("is next() and close(), for one page", function()
    local client, id = helper.client("bookings=1000")
    local list = client:bookings { provider = 102, lookahead = 64 }
    assert.equal(FIRST, list:first().id)
    assert.equal("closed", failure(list.next, list).kind)
    assert.equal("closed", failure(list.first, list).kind)
    assert.same({ 1 }, pages_asked(id))
  end)

  it("looks no further than the first record that passes", function()
    local client, id = helper.client("bookings=1000")
    local list = client:bookings { provider = 102, where = function(b) return b.id >= FIRST + 150 end }
    assert.equal(FIRST + 150, list:first().id)
    assert.same({ 1, 2 }, pages_asked(id))
  end)

  it("asks for one detail", function()
    local client, id = helper.client()
    local record = client:bookings { provider = 102, details = true }:first()
    assert.equal("150.00", record.cost)
    assert.equal(2, calls(id))
  end)

  it("of nothing is nil, and a natural end", function()
    local client = helper.client()
    local list = client:bookings { provider = 104 }
    assert.is_nil(list:first())
    assert.is_nil(list:next())
  end)
end)
