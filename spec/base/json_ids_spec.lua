--- Ids of 64 bits are exact wherever an id goes: in records, paths, parameters, cursors; neighbours are never taken for each other.

local calira = require "calira"
local core = require "calira.core"
local H = require "spec.support.helper"
local Server = require "spec.support.server"

local FIRST <const> = math.maxinteger - 9

-- A list of ten bookings with the largest ids there are, in pages of as many as asked; a record of each.
local ANSWER <const> = [=[
local FIRST <const> = math.maxinteger - 9
local function reply(status, body)
  return ("HTTP/1.1 %s\r\nContent-Type: application/json\r\nX-Total-Records: 10\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s")
    :format(status, #body, body)
end
return function(head)
  local id = head:match "^GET /bookings/(%d+) "
  if id then return reply("200 OK", ('{"id":%s,"cost":"%s"}'):format(id, id)) end
  local page, size = tonumber(head:match "[?&]page=(%d+)" or 1), tonumber(head:match "per_page=(%d+)" or 100)
  local rows = {}
  for i = (page - 1) * size, math.min(page * size, 10) - 1 do
    rows[#rows + 1] = ('{"id":%d,"equipment":{"id":9007199254740993}}'):format(FIRST + i)
  end
  return reply("200 OK", "[" .. table.concat(rows, ",") .. "]")
end]=]

describe("an id of 64 bits", function()
  local server, client

  setup(function()
    server = Server.start(ANSWER)
    client = calira.new { base_url = server.origin, token = H.token, retries = 0 }
  end)

  teardown(function()
    client:close()
    server:stop()
  end)

  it("is exact, and none is a duplicate of its neighbour", function()
    local list = client:bookings { provider = math.maxinteger, per_page = 3 }
    assert.same(H.range(FIRST, math.maxinteger), H.ids(list:collect()))
  end)

  it("is not taken for another", function()
    local seen = core.seen()
    for _, id in ipairs { math.maxinteger, math.maxinteger - 1, 1 << 53, (1 << 53) + 1, 0, math.mininteger, -1, "9223372036854775807" } do
      local records = { { id = id }, { id = id } }
      assert.same({ 2, 1 }, { seen:dedup(records) })
      assert.equal(1, #records)
    end
  end)

  it("serves in paths and parameters, as a number, a text and a record", function()
    for _, id in ipairs { math.maxinteger, "9223372036854775807", { id = math.maxinteger } } do
      assert.equal(math.maxinteger, client:booking(id).id)
      client:bookings({ provider = id }):first()
    end
    local _, asked = server:log():gsub("provider_account=9223372036854775807", "")
    assert.is_true(asked >= 3)
  end)

  it("serves for details", function()
    local count = 0
    for b in client:bookings { provider = 1, per_page = 4, limit = 9, details = true } do
      assert.equal(tostring(b.id), b.cost)
      assert.equal((1 << 53) + 1, b.equipment.id)
      count = count + 1
    end
    assert.equal(9, count)
  end)

  it("is in a cursor", function()
    local list = client:bookings { provider = 1, per_page = 4 }
    for _ = 1, 5 do list:next() end
    local rest = client:bookings { provider = 1, per_page = 4, resume = list:cursor() }
    assert.equal(FIRST + 5, rest:next().id)
    list:close()
    rest:close()
  end)
end)
