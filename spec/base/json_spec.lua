--- CONTRACT section 4, "Records", and what is done about bodies that are not what was asked for.

local calira = require "calira"
local cjson = require "cjson"
local H = require "spec.support.helper"
local Server = require "spec.support.server"

--- What `client:get` makes of a body.
local function decoded(body)
  local server <close> = Server.start(([[
    return function() return "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" .. %q end]]):format(#body, body))
  local client = calira.new { base_url = server.origin, token = H.token, retries = 0 }
  return (client:get "/x")
end

describe("a record", function()
  it("has whole numbers as integers, others as floats", function()
    local record = decoded [=[{"a":12345,"b":12345.0,"c":-7,"d":1e3,"e":0.5,"f":9007199254740993,"g":9223372036854775807,"h":9223372036854775808,
      "i":-9223372036854775808,"j":-0.0,"k":0,"deep":[{"n":3.0},[4.0,4.5]]}]=]
    for name, value in pairs { a = 12345, b = 12345, c = -7, d = 1000, f = (1 << 53) + 1, g = math.maxinteger, i = math.mininteger, j = 0, k = 0 } do
      assert.equal("integer", math.type(record[name]), name)
      assert.equal(value, record[name])
    end
    for name, value in pairs { e = 0.5, h = 2.0 ^ 63 } do
      assert.equal("float", math.type(record[name]), name)
      assert.equal(value, record[name])
    end
    assert.equal("12345", tostring(record.b))
    assert.equal("integer", math.type(record.deep[1].n))
    assert.equal("integer", math.type(record.deep[2][1]))
    assert.equal("float", math.type(record.deep[2][2]))
  end)

  it("lacks null fields, keeps nulls in arrays and false", function()
    local record = decoded [[{"gone":null,"kept":[1,null,3],"nested":{"gone":null,"no":false},"empty":[],"object":{},"all":[null]}]]
    assert.is_nil(record.gone)
    assert.is_nil(next(record.nested, next(record.nested)))
    assert.is_false(record.nested.no)
    assert.equal(calira.null, record.kept[2])
    assert.equal(cjson.null, calira.null)
    assert.equal(3, #record.kept)
    assert.same({}, record.empty)
    assert.same({}, record.object)
    assert.is_nil(getmetatable(record.empty))
    assert.same({ calira.null }, record.all)
  end)

  it("keeps money as the string it was, and unknown fields", function()
    local booking = H.client("newfields=1"):booking(12345)
    assert.equal("150.00", booking.cost)
    local plain = H.client():booking(12345)
    local more = 0
    for name in pairs(booking) do more = more + (plain[name] == nil and 1 or 0) end
    assert.is_true(more > 0)
    for name in pairs(plain) do assert.is_not_nil(booking[name]) end
  end)

  it("is a plain table, ready for any encoder", function()
    local booking = H.client():booking(12345)
    assert.is_nil(getmetatable(booking))
    assert.same(booking, cjson.decode(cjson.encode(booking)))
  end)

  it("may hold any text", function()
    local record = decoded '{"a":"\\u00e9\\ud83d\\ude00\\n\\u0000é😀","b\\"":"\\\\"}'
    assert.equal("é😀\n\0é😀", record.a)
    assert.equal("\\", record['b"'])
  end)

  it("takes the last of a key that is there twice", function()
    assert.equal(12346, H.client "body=dup":booking(12345).id)
  end)

  it("with an unpaired surrogate has U+FFFD there", function()
    local client = H.client "body=surrogate"
    assert.equal("\u{FFFD}", client:booking(12345).name)
    assert.equal("\u{FFFD}", client:bookings { provider = 105 }:first().name)
  end)

  it("with an id that fits no integer counts as one without", function()
    local client = H.client "bigid=10"
    local list = client:bookings { provider = 108 } -- a record that has no id is never a duplicate
    assert.equal(101, #list:collect())
    assert.equal(0, list:report().duplicates)
    assert.equal("argument", H.failure(client.booking, client, { id = 2.0 ^ 53 }).kind)
  end)
end)

describe("the host's own cjson", function()
  it("is left as it is", function()
    assert.equal(math.huge, cjson.decode "[1e999]"[1])
    assert.is_true(pcall(cjson.decode, "[NaN]"))
    assert.is_true(pcall(cjson.decode, ("["):rep(500) .. ("]"):rep(500)))
  end)
end)

describe("a body that is not what was asked for", function()
  --- The errors of a record's call and of a list's.
  local function failures(scenario, options)
    local client, id = H.client(scenario, options)
    local list = client:bookings { provider = 105 }
    local record, page = H.failure(client.booking, client, 12345), H.failure(list.collect, list)
    return record, page, id
  end

  local WORDS <const> = {
    login = "login page", empty = "empty", notarray = "expected", badjson = "", nul = "NUL", ctrl = "control character", badutf8 = "UTF-8",
    nan = "", ["deep:1000"] = "", ["deep:100000"] = "", badgzip = "", cutgzip = "", ["encoding:br"] = "gzip",
    ["encoding:deflate"] = "gzip", ["encoding:gzip,gzip"] = "",
  }
  local CUT <const> = { badjson = true, cutgzip = true } -- a server that died while it wrote: twice more
  for kind, words in pairs(WORDS) do
    local attempts = CUT[kind] and 3 or 1
    it(("is a decode error, asked for %d times: %s"):format(attempts, kind), function()
      local record, page, id = failures("body=" .. kind:gsub(",", "%%2C"))
      for _, err in ipairs { record, page } do
        assert.equal("decode", err.kind)
        assert.equal(attempts, err.attempts)
        assert.equal(200, err.status)
        assert.matches(words, err.message, 1, true)
      end
      assert.equal(2 * attempts, H.stats(id).calls)
    end)
  end

  it("is an object where a list is asked, an array where a record is", function()
    local client = H.client "body=object"
    local list = client:bookings { provider = 105 }
    local err = H.failure(list.next, list)
    assert.equal("decode", err.kind)
    assert.matches("array", err.message, 1, true)
    client = H.client()
    err = H.failure(client.booking, client, "12345/..")
    assert.equal("argument", err.kind)
    local server <close> = Server.start(Server.reply("200 OK", "[]"))
    client = calira.new { base_url = server.origin, token = H.token }
    assert.equal("decode", H.failure(client.booking, client, 1).kind)
    assert.same({}, (client:get "/x"))
    assert.same({}, client:bookings():collect())
  end)

  it("is an array whose elements are no records", function()
    local server <close> = Server.start(Server.reply("200 OK", "[1,2]"))
    local client = calira.new { base_url = server.origin, token = H.token }
    local list = client:bookings()
    assert.equal("decode", H.failure(list.next, list).kind)
    assert.same({ 1, 2 }, (client:get "/x"))
  end)

  it("is too large", function()
    for _, scenario in ipairs { "body=huge:3000000", "body=bomb:300" } do
      local record, page = failures(scenario, { max_body = 1 << 20 })
      for _, err in ipairs { record, page } do
        assert.equal("too_large", err.kind)
        assert.equal(1, err.attempts)
      end
    end
  end)

  it("fills max_body exactly, and is one byte beyond it", function()
    local size = #select(2, H.client():get "/accounts/101"):text()
    assert.equal(101, H.client("", { max_body = size }):account(101).id)
    local client = H.client("", { max_body = size - 1 })
    assert.equal("too_large", H.failure(client.account, client, 101).kind)
  end)

  it("on a later page is raised after the records before it", function()
    local client = H.client "body=badjson;bodypage=2"
    local list, count = client:bookings { provider = 102 }, 0
    local err = H.failure(function()
      for _ in list do count = count + 1 end
    end)
    assert.equal("decode", err.kind)
    assert.matches("page 2", err.message, 1, true)
    assert.equal(100, count)
  end)
end)
