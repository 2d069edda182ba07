--- The calls of CONTRACT section 4: what each asks for, what it takes and refuses, what it returns.

local calira = require "calira"
local cjson = require "cjson"
local H = require "spec.support.helper"

--- What a call asked for: the paths, without the scenario, that the sandbox counted.
local function asked(id)
  local paths = {}
  for path in pairs(H.stats(id).paths) do paths[#paths + 1] = path:match "^/v1(.*)$" or path end
  table.sort(paths)
  return paths
end

--- The message of a call's argument error; with an id, nothing was sent so far.
local function refused(_, id, f, ...)
  local err = H.failure(f, ...)
  assert.equal("argument", err.kind)
  if id then assert.equal(0, H.stats(id).calls) end
  return err.message
end

describe("the calls", function()
  local function asks(expected, call)
    local client, id = H.client()
    local result = call(client)
    assert.same({ expected }, asked(id))
    return result
  end

  it("of records ask for one path and return the record alone", function()
    local record = { "/accounts/101", "/bookings/12345", "/equipment/1", "/accounts/101/projects/31", "/groups/10101", "/custom_form_response/16" }
    local call = {
      function(c) return c:account(101) end, function(c) return c:booking(12345) end, function(c) return c:equipment(1) end,
      function(c) return c:project(101, 31) end, function(c) return c:group(10101) end, function(c) return c:form_response(16) end,
    }
    for i, path in ipairs(record) do
      local count
      local result = asks(path, function(c)
        local all = table.pack(call[i](c))
        count = all.n
        return all[1]
      end)
      assert.equal(1, count, path)
      assert.equal("table", type(result), path)
      assert.is_nil(getmetatable(result))
    end
  end)

  it("of lists ask for one path with its parameters", function()
    local page = "page=1&per_page=100"
    local list = {
      ["/accounts?" .. page] = function(c) return c:accounts() end,
      ["/bookings?" .. page] = function(c) return c:bookings { lookahead = 0, limit = 1 } end,
      ["/bookings?provider_account=102&" .. page] = function(c) return c:bookings { provider = 102, lookahead = 0, limit = 1 } end,
      ["/equipment?account=103&exclude_parents=true&" .. page] = function(c)
        return c:equipment { account = 103, exclude_parents = true }
      end,
      ["/equipment?exclude_parents=false&" .. page] = function(c)
        return c:equipment { exclude_parents = false, lookahead = 0, limit = 1 }
      end,
      ["/equipment/1/bookings?" .. page] = function(c) return c:equipment_bookings(1, { limit = 1 }) end,
      ["/accounts/101/projects?" .. page] = function(c) return c:projects { account = 101 } end,
      ["/groups?account=102&" .. page] = function(c) return c:groups { account = 102 } end,
    }
    for path, call in pairs(list) do
      local records = asks(path, function(c) return call(c):collect() end)
      assert.is_true(#records > 0, path)
    end
  end)

  it("send nothing before a list is read", function()
    local client, id = H.client()
    client:bookings { provider = 102 }
    assert.equal(0, H.stats(id).calls)
  end)

  it("take a module-level form on the default client", function()
    local client <close>, id = nil, H.id()
    calira.configure { base_url = H.url("", id), token = H.token }
    assert.equal(12345, calira.booking(12345).id)
    assert.same({ "/bookings/12345" }, asked(id))
  end)

  it("equipment is a list, or one record", function()
    asks("/equipment/2", function(c) return c:equipment { id = 2, name = "x" } end)
    asks("/equipment/2", function(c) return c:equipment "2" end)
    asks("/equipment?page=1&per_page=100", function(c)
      assert.equal("userdata", type(c:equipment {}))
      return c:equipment():first()
    end)
    local client, id = H.client()
    assert.matches("equipment{…}", refused(client, id, client.equipment, client, nil), 1, true)
  end)

  it("name the other call where a list is given an id, or a record's call options", function()
    local client, id = H.client()
    assert.matches("booking(id)", refused(client, id, client.bookings, client, 7), 1, true)
    assert.matches("bookings{…}", refused(client, id, client.booking, client, { provider = 7 }), 1, true)
    assert.matches("accounts{…}", refused(client, id, client.account, client, {}), 1, true)
    assert.matches("account(id)", refused(client, id, client.accounts, client, "7"), 1, true)
    assert.matches("projects{…}", refused(client, id, client.project, client, { account = 1 }), 1, true)
    assert.matches("group(id)", refused(client, id, client.groups, client, 7), 1, true)
  end)

  it("projects take one of account and under, project two ids", function()
    local client, id = H.client()
    assert.matches("account and under", refused(client, id, client.projects, client), 1, true)
    assert.matches("under and account", refused(client, id, client.projects, client, { account = 1, under = 1 }), 1, true)
    refused(client, id, client.project, client, 101)
    refused(client, id, client.project, client, nil, 31)
    asks("/accounts/101/projects/31", function(c) return c:project({ id = 101 }, { id = 31 }) end)
  end)

  it("under does not go with provider or account", function()
    local client, id = H.client()
    refused(client, id, client.bookings, client, { under = 201, provider = 102 })
    refused(client, id, client.equipment, client, { under = 201, account = 102 })
    refused(client, id, client.groups, client, { under = 201, account = 102 })
  end)

  it("refuses options that would have no effect", function()
    local client, id = H.client()
    local f = function() end
    assert.matches("on_error goes with under", refused(client, id, client.bookings, client, { on_error = f }), 1, true)
    assert.matches("on_error goes with under", refused(client, id, client.groups, client, { account = 102, on_error = f }), 1, true)
    assert.matches("shard goes with under", refused(client, id, client.bookings, client, { shard = "1/2" }), 1, true)
    assert.matches("unordered goes with under or details", refused(client, id, client.bookings, client, { unordered = true }), 1, true)
    assert.matches("unordered goes with details", refused(client, id, client.accounts, client, { unordered = true }), 1, true)
    refused(client, id, client.projects, client, { account = 101, on_error = f })
    refused(client, id, client.equipment_bookings, client, 1, { unordered = true })
    for _, bad in ipairs { "3", "0/4", "5/4", 3, true } do refused(client, id, client.bookings, client, { under = 201, shard = bad }) end
    client:bookings { unordered = false }:close()
    client:accounts { details = true, unordered = true }:close()
  end)

  it("says where a name belongs that is given as an account's id", function()
    local client, id = H.client()
    for _, name in ipairs { "Optics", "Mass Spectrometry", "NMR-Suite", "Café" } do
      assert.matches("under = name", refused(client, id, client.bookings, client, { provider = name }), 1, true)
      assert.matches("under = name", refused(client, id, client.equipment, client, { account = name }), 1, true)
      refused(client, id, client.groups, client, { account = name })
      refused(client, id, client.projects, client, { account = name })
    end
    for _, good in ipairs { 102, "102", "lab_102", { id = 102 } } do client:bookings { provider = good }:close() end
  end)

  it("form_response takes an entry of custom_form_responses", function()
    asks("/custom_form_response/9001", function(c) return c:form_response { response_id = 9001, custom_form_version_id = 1 } end)
  end)
end)

describe("an id", function()
  it("is a whole number, a word, or a record with one", function()
    local client = H.client()
    for _, id in ipairs { 12345, 12345.0, "12345", { id = 12345 }, { id = "12345" } } do
      assert.equal(12345, client:booking(id).id)
    end
    -- asked for, and not there
    for _, id in ipairs { 0, (1 << 53) - 1, (1 << 53) + 1, math.maxinteger, "a_b-C9" } do
      local err = H.failure(client.booking, client, id)
      assert.equal("not_found", err.kind)
      assert.equal("/bookings/" .. id, err.path)
    end
  end)

  it("is nothing else", function()
    local client, id = H.client()
    for _, bad in ipairs { -1, math.mininteger, 1.5, 2.0 ^ 53, 2.0 ^ 63, 0 / 0, math.huge, "", "../accounts", "1/2", "1 ", "1?x",
       "%2e", "é", "a\n", "1\0", true, { name = "x" } } do
      refused(client, nil, client.booking, client, bad)
      refused(client, nil, client.equipment_bookings, client, bad)
      refused(client, nil, client.bookings, client, { provider = bad })
    end
    refused(client, nil, client.booking, client)
    refused(client, nil, client.booking, client, 2.0 ^ 53)
    refused(client, id, client.booking, client, { id = 2.0 ^ 60 })
  end)
end)

describe("further parameters", function()
  it("are passed as they are", function()
    local client, id = H.client()
    client:bookings { provider = 104, params = { q = "a b&c=d/é", flag = true, n = 3, many = { 1, "x" } } }:collect()
    local path = asked(id)[1]
    local decoded = path:gsub("+", " "):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
    assert.matches("q=a b&c=d/é", decoded, 1, true)
    assert.matches("[?&]flag=true&", path)
    assert.matches("[?&]n=3&", path)
    assert.matches("[?&]many=1&many=x&", path)
    assert.is_nil(path:find("&c=", 1, true), "an ampersand in a value was not encoded")
  end)

  it("may not set what has an option", function()
    local client, id = H.client()
    for name in pairs { page = 1, per_page = 1, provider_account = 1 } do
      local message = refused(client, nil, client.bookings, client, { params = { [name] = 1 } })
      assert.matches(name, message, 1, true)
    end
    refused(client, nil, client.equipment, client, { params = { account = 1 } })
    refused(client, nil, client.equipment, client, { params = { exclude_parents = true } })
    refused(client, nil, client.groups, client, { params = { account = 1 } })
    refused(client, nil, client.list, client, "/bookings", nil, { params = { page = 2 } })
    refused(client, id, client.list, client, "/bookings", { per_page = 2 })
  end)

  it("are texts, numbers and booleans", function()
    local client, id = H.client()
    for _, bad in ipairs { "a\nb", "a\0", 0 / 0, math.huge, print, { {} } } do
      refused(client, nil, client.get, client, "/accounts", { x = bad })
    end
    for _, name in ipairs { "", "a=b", "a&b", "a\nb", 1 } do refused(client, nil, client.get, client, "/accounts", { [name] = "x" }) end
    refused(client, nil, client.get, client, "/accounts", "page=1")
    refused(client, id, client.bookings, client, { params = "page=1" })
  end)
end)

describe("a path", function()
  it("of get, list and request goes as it is", function()
    local client, id = H.client()
    client:get "/accounts/101"
    client:get("/accounts", { page = 2, per_page = 7 })
    client:request("/groups/10101"):wait()
    client:list("/bookings", { provider_account = 105 }, { per_page = 10 }):collect()
    pcall(client.get, client, "/a b/é")
    assert.same({
      "/a%20b/%c3%a9", "/accounts/101", "/accounts?page=2&per_page=7", "/bookings?provider_account=105&page=1&per_page=10", "/groups/10101",
    }, asked(id))
  end)

  it("that leads elsewhere is refused", function()
    local client, id = H.client()
    local bad = {
      "", "accounts", "http://evil.example/", "https://evil.example/v1/accounts", "//evil.example/x", "/https://evil.example",
      "/../x", "/accounts/..", "/accounts/../bookings", "/a/./b", "/.", "/a..b", "/%2e%2e/x", "/a/%2E./x", "/a/.%2e", "/%2e", "/x?y=1",
      "/x#y", "/x\\y", "/x\ny", "/x\ry", "/x\0y", "/x\127", "/x\tz",
    }
    for _, path in ipairs(bad) do
      for _, name in ipairs { "get", "request", "list" } do
        local err = H.failure(client[name], client, path)
        assert.equal("argument", err.kind, path)
      end
    end
    for _, value in ipairs { 7, true, {} } do refused(client, nil, client.get, client, value) end
    refused(client, nil, client.get, client)
    assert.equal(0, H.stats(id).calls)
  end)
end)

describe("a response", function()
  it("says what came", function()
    local client = H.client()
    local body, response = client:get "/accounts/101"
    assert.equal("userdata", type(response))
    assert.equal(200, response.status)
    assert.equal("integer", math.type(response.status))
    assert.equal(1, response.attempts)
    assert.matches("application/json", response.headers["content-type"], 1, true)
    assert.is_nil(response.headers["Content-Type"])
    assert.equal(response.headers["x-request-id"], response.request_id)
    assert.is_true(#response.request_id > 0)
    assert.is_true(response.elapsed > 0 and response.elapsed < 60)
    assert.same(cjson.decode(response:text()).id, body.id)
    assert.equal(response:text(), response.text())
    assert.is_nil(response.nonsense)
  end)

  it("of a list's path has the paging headers", function()
    local body, response = H.client():get("/accounts", { per_page = 5 })
    assert.equal(5, #body)
    assert.equal("45", response.headers["x-total-records"])
  end)

  it("counts the attempts", function()
    local _, response = H.client "firstfail=503:2":get "/accounts/101"
    assert.equal(3, response.attempts)
  end)
end)

describe("a request", function()
  it("does not wait, and is told apart from its answer", function()
    local client, id = H.client "latency=300"
    local first, second = client:request "/accounts/101", client:request "/accounts/102"
    assert.is_false(first:done())
    assert.equal(2, client:stats().in_flight)
    assert.equal(101, first:wait().id)
    local body, response = second:wait()
    assert.equal(102, body.id)
    assert.equal(200, response.status)
    assert.is_true(first:done() and second:done())
    assert.equal(body, (second:wait()), "a second wait gives the same")
    assert.equal(2, H.stats(id).max_in_flight)
  end)

  it("is on the wire before anybody waits for it", function()
    local client, id = H.client "latency=300"
    local request = client:request "/accounts/101"
    os.execute "sleep 0.2"
    assert.equal(1, H.stats(id).calls)
    request:cancel()
  end)

  it("that is cancelled raises so each time", function()
    local client, id = H.client "silence=1"
    local request = client:request "/accounts/101"
    for _ = 1, 100 do
      if H.stats(id).in_flight > 0 then break end
      os.execute "sleep 0.02"
    end
    request:cancel()
    for _ = 1, 2 do assert.equal("cancelled", H.failure(request.wait, request).kind) end
    assert.is_true(request:done())
    request:cancel()
    assert.equal(0, client:stats().in_flight)
    for _ = 1, 50 do
      if H.stats(id).aborted > 0 then break end
      os.execute "sleep 0.05"
    end
    assert.equal(1, H.stats(id).aborted)
  end)

  it("cancelled by another task wakes who waits", function()
    local client = H.client "silence=1"
    local err = calira.run(function()
      local request = client:request "/accounts/101"
      local task = calira.spawn(H.failure, request.wait, request)
      calira.sleep(0.01)
      request:cancel()
      return task:wait()
    end)
    assert.equal("cancelled", err.kind)
    assert.equal("/accounts/101", err.path)
  end)

  it("cancelled after its end keeps its answer", function()
    local request = H.client():request "/accounts/101"
    request:wait()
    request:cancel()
    assert.equal(101, request:wait().id)
  end)

  it("raises the same error each time", function()
    local client = H.client()
    local request = client:request "/accounts/999999"
    local first, second = H.failure(request.wait, request), H.failure(request.wait, request)
    assert.equal("not_found", first.kind)
    assert.equal(first, second)
  end)

  it("lost to the collector is given up", function()
    local client = H.client "silence=1"
    client:request "/accounts/101"
    collectgarbage()
    collectgarbage()
    assert.equal(0, client:stats().in_flight)
  end)
end)

describe("colons and dots", function()
  it("are told apart on a client", function()
    local client = H.client()
    local bad = {
      { "bookings", {} }, { "booking", 7 }, { "equipment", {} }, { "equipment" }, { "accounts" }, { "account", 1 }, { "projects", { account = 1 } },
      { "project", 1, 2 }, { "groups" }, { "group", 1 }, { "equipment_bookings", 1 }, { "form_response", 1 }, { "get", "/x" },
      { "list", "/x" }, { "request", "/x" }, { "tree" }, { "stats" }, { "close" },
    }
    for _, call in ipairs(bad) do
      local err = H.failure(client[call[1]], table.unpack(call, 2))
      assert.equal("argument", err.kind, call[1])
      assert.matches("client:" .. call[1] .. "(", err.message, 1, true)
    end
    client:stats()
  end)

  it("are told apart on the module", function()
    for _, name in ipairs {
      "bookings", "booking", "equipment", "accounts", "get", "list", "request", "tree", "stats", "close", "new", "configure", "default", "time",
      "seconds", "add", "answers", "run", "spawn", "gather", "sleep", "generator",
    } do
      local err = H.failure(calira[name], calira, {})
      assert.equal("argument", err.kind, name)
      assert.matches("calira." .. name .. "(", err.message, 1, true)
    end
    for _, name in ipairs { "authorize_url", "exchange", "file_store" } do
      local err = H.failure(calira.oauth[name], calira.oauth, {})
      assert.matches("calira.oauth." .. name .. "(", err.message, 1, true)
    end
  end)

  it("are told apart on a request", function()
    local request = H.client():request "/accounts/101"
    for _, name in ipairs { "wait", "done", "cancel" } do
      assert.equal("argument", H.failure(request[name]).kind)
    end
    request:wait()
  end)
end)

describe("a client", function()
  it("counts what it did", function()
    local client = H.client "firstfail=503:1"
    local before = client:stats()
    assert.same({ calls = 0, retries = 0, refreshes = 0, bytes = 0, connections = 0, waited = 0.0, in_flight = 0, limit = 8 }, before)
    local _, response = client:get "/accounts/101"
    local after = client:stats()
    assert.equal(2, after.calls)
    assert.equal(1, after.retries)
    assert.equal(0, after.in_flight)
    assert.is_true(after.bytes >= #response:text())
    assert.is_true(after.connections <= 2) -- one may be left from another client of this state
  end)

  it("counts the connections it opened, and keeps them", function()
    local out = H.script(([[
      local calira = require "calira"
      local client = calira.new { base_url = %q, token = %q }
      for _ = 1, 5 do client:get "/accounts/101" end
      print(client:stats().connections)]]):format(H.url(), H.token))
    assert.equal("1\n", out)
  end)

  it("that is closed cancels everything and refuses more", function()
    local client = H.client "silence=1"
    local request, list = client:request "/accounts/101", client:accounts()
    assert.equal(1, client:stats().in_flight)
    client:close()
    client:close()
    assert.equal(0, client:stats().in_flight)
    assert.equal("cancelled", H.failure(request.wait, request).kind)
    assert.equal("closed", H.failure(list.next, list).kind)
    for _, call in ipairs { { "get", "/accounts" }, { "request", "/accounts" }, { "bookings" }, { "booking", 1 }, { "tree" } } do
      assert.equal("closed", H.failure(client[call[1]], client, table.unpack(call, 2)).kind, call[1])
    end
  end)

  it("closes at the end of its scope", function()
    local kept
    do
      local client <close> = H.client "silence=1"
      kept = client:request "/accounts/101"
    end
    assert.equal("cancelled", H.failure(kept.wait, kept).kind)
  end)

  it("closed while somebody waits wakes them", function()
    local client = H.client "silence=1"
    local err = calira.run(function()
      local task = calira.spawn(H.failure, client.get, client, "/accounts/101")
      calira.sleep(0.01)
      client:close()
      return task:wait()
    end)
    assert.equal("cancelled", err.kind)
  end)
end)
