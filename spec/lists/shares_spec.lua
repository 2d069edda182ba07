--- shard = "3/16": lists over shares of the accounts, for several machines. CONTRACT section 8.

local helper = require "spec.support.helper"
local server = require "spec.support.server"

local function ids(list)
  local found = {}
  for record in list do found[#found + 1] = record.id end
  return found
end

describe("shares", function()
  for _, count in ipairs { 1, 2, 3, 16 } do
    it(("of %d are disjoint and complete"):format(count), function()
      local client, id = helper.client()
      local tree = client:tree()
      local node = tree:find(201)
      local seen, accounts = {}, 0
      for number = 1, count do
        local options = { under = node, shard = ("%d/%d"):format(number, count), unordered = number % 2 == 0 }
        local list = client:bookings(options)
        for b, lab in list do
          assert.is_nil(seen[b.id])
          seen[b.id] = lab.id
        end
        accounts = accounts + list:report().accounts
        assert.equal("complete", list:report().verdict)
      end
      assert.equal(#tree:labs(201), accounts)
      for b in client:bookings { under = node } do
        assert.is_not_nil(seen[b.id])
        seen[b.id] = nil
      end
      assert.is_nil(next(seen))
      assert.truthy(id)
    end)
  end

  it("are of accounts, too, and those that lists under an account ask", function()
    local client = helper.client()
    local tree, of_account = client:tree(), {}
    local all = 0
    for number = 1, 4 do
      local list = client:accounts { shard = number .. "/4" }
      for _, id in ipairs(ids(list)) do
        assert.is_nil(of_account[id])
        of_account[id], all = number, all + 1
      end
      local report = list:report()
      assert.same({ 45, "complete" }, { report.received, report.verdict })
      assert.equal(45, report.delivered + report.filtered)
    end
    assert.equal(45, all)
    for number = 1, 4 do
      local list = client:projects { under = tree:find(201), shard = number .. "/4" }
      list:collect()
      for _, part in ipairs(list:report().parts) do assert.equal(number, of_account[part.node.id]) end
    end
    assert.equal(2, #client:accounts { shard = "1/2", limit = 2 }:collect())
  end)

  it("with nothing in them are traced", function()
    local messages = {}
    local client = helper.client("", { trace = function(event)
      if event.event == "under" then messages[#messages + 1] = event.message end
    end })
    local node = client:tree():find(105)
    local empty = 0
    for number = 1, 3 do
      local list = client:bookings { under = node, shard = number .. "/3" }
      if #list:collect() == 0 then empty = empty + 1 end
    end
    assert.same({ 2, 2 }, { empty, #messages })
    assert.matches("^there is no lab to ask under Optics %(id 105%) in the share %d/3$", messages[1])
  end)

  it("are in cursors", function()
    local client = helper.client()
    local node = client:tree():find(201)
    local all = ids(client:bookings { under = node, shard = "2/2" })
    local list = client:bookings { under = node, shard = "2/2" }
    for _ = 1, 120 do list:next() end
    local cursor = list:cursor()
    list:close()
    local rest = ids(client:bookings { under = node, shard = "02/2", resume = cursor })
    assert.same({ table.unpack(all, 121) }, rest)
    for _, shard in ipairs { "1/2", "2/3", false } do
      local err = helper.failure(client.bookings, client, { under = node, shard = shard or nil, resume = cursor })
      assert.equal("argument", err.kind)
      assert.matches("other parameters", err.message, 1, true)
    end
  end)
end)

describe("unreadable starts", function()
  it("are delivered and counted under from and to", function()
    local bookings = '[{"id":1,"start_time":"soon"},{"id":2,"start_time":"2024-03-01T00:00Z"},{"id":3},'
      .. '{"id":4,"start_time":"2023-01-01T00:00:00Z"},{"id":5,"start_time":""}]'
    local fake <close> = server.start(server.reply("200 OK", bookings, "X-Total-Records: 5\\r\\nX-Per-Page: 100\\r\\n"))
    local client <close> = require("calira").new { base_url = fake.origin, token = "t" }
    local list = client:bookings { from = "2024-01-01" }
    assert.same({ 1, 2, 3, 5 }, ids(list))
    assert.same({ 3, 1, 4, "complete" }, { list:report().unreadable, list:report().filtered, list:report().delivered, list:report().verdict })
    list = client:bookings { from = "2024-01-01", where = function(b) return b.id > 2 end }
    assert.same({ 3, 5 }, ids(list))
    assert.equal(2, list:report().unreadable)
    list = client:bookings { where = function(b) return b.id > 2 end }
    assert.same({ 3, 4, 5 }, ids(list))
    assert.equal(0, list:report().unreadable)
  end)
end)
