--- CONTRACT section 6: every kind of error with its fields, where it points, and what it never shows.

local calira = require "calira"
local H = require "spec.support.helper"
local Server = require "spec.support.server"

local THIS <const> = "spec/http/errors_spec.lua"

local function line() return debug.getinfo(2, "l").currentline end

--- As H.failure, here, since `at` is the innermost line that is not the library's.
local function failing(f, ...)
  local ok, err = pcall(f, ...)
  assert(not ok and calira.is_error(err), tostring(err))
  return err
end

--- The error of `client:get "/accounts/101"`.
local function failure(scenario, options)
  local client, id = H.client(scenario, options)
  return failing(client.get, client, "/accounts/101"), client, id
end

describe("the kind", function()
  local function kind_of(expected, scenario, options, fields)
    it(("%s: %s"):format(expected, scenario), function()
      local err = failure(scenario, options)
      assert.equal(expected, err.kind)
      assert.is_true(calira.is_error(err))
      assert.equal("GET", err.method)
      assert.equal("/accounts/101", err.path)
      assert.equal("string", type(err.message))
      assert.equal("integer", math.type(err.attempts))
      assert.matches("^" .. THIS:gsub("%p", "%%%0") .. ":%d+$", err.at)
      for name, value in pairs(fields or {}) do assert.equal(value, err[name], name) end
      assert.equal("calira: GET /accounts/101: " .. (err.status and err.status .. ": " or "") .. err.message .. " (" .. err.at .. ")", tostring(err))
    end)
  end

  local ONCE <const> = { retries = 0 }
  kind_of("network", "reset=1", ONCE, { attempts = 1 })
  kind_of("network", "reset=1", { retries = 2 }, { attempts = 3 })
  kind_of("network", "cut=1", ONCE)
  kind_of("network", "chunkcut=1", ONCE)
  kind_of("timeout", "silence=1", { timeout = 0.1, retries = 0 }, { attempts = 1 })
  kind_of("timeout", "silence=1", { timeout = 0.05, retries = 1 }, { attempts = 2 })
  kind_of("timeout", "silence=1", { deadline = 0.1 }, { attempts = 1 })
  kind_of("timeout", "fail=408:1", ONCE, { status = 408 })
  kind_of("unauthorized", "fail=401:1", nil, { status = 401, attempts = 1 })
  kind_of("forbidden", "fail=403:1", nil, { status = 403, attempts = 1 })
  kind_of("not_found", "fail=404:1", nil, { status = 404, attempts = 1 })
  kind_of("rate_limited", "fail=429:1;retry_after=2", ONCE, { status = 429, attempts = 1, retry_after = 2 })
  kind_of("client", "fail=400:1", nil, { status = 400, attempts = 1 })
  kind_of("client", "fail=422:1", nil, { status = 422, attempts = 1 })
  kind_of("server", "fail=500:1", nil, { status = 500, attempts = 5 })
  kind_of("server", "fail=501:1", nil, { status = 501, attempts = 1 })
  kind_of("server", "fail=503:1", { retries = 1 }, { status = 503, attempts = 2 })
  kind_of("decode", "body=login", nil, { status = 200, attempts = 1 })
  kind_of("decode", "body=empty", nil, { status = 200 })
  kind_of("too_large", "body=huge:100000", { max_body = 99999 }, { attempts = 1 })
  kind_of("redirect", "redirect=http%3A%2F%2F127.0.0.2%3A9%2Fx", nil, { status = 302, attempts = 1 })

  it("network: nobody listens, no such name", function()
    for _, base in ipairs { "http://127.0.0.1:1/v1", "https://name.invalid/v1" } do
      local client = calira.new { base_url = base, token = H.token, retries = 1, backoff = { base = 0 } }
      local err = failing(client.get, client, "/accounts")
      assert.same({ "network", 2, "/accounts" }, { err.kind, err.attempts, err.path })
      assert.is_nil(err.status)
    end
  end)

  it("argument: nothing was sent, and there is no method", function()
    local client = H.client()
    local err = failing(client.booking, client, "../x")
    assert.equal("argument", err.kind)
    assert.same({}, { err.method, err.path, err.status, err.attempts })
    assert.matches("^calira: booking: .* %(" .. THIS:gsub("%p", "%%%0") .. ":%d+%)$", tostring(err) .. "")
  end)

  it("drift: with the report", function()
    local client = H.client "total=+300;ignorepage=1"
    local list = client:bookings { provider = 102 }
    local err = failing(list.collect, list)
    assert.equal("drift", err.kind)
    assert.equal(err.report.verdict, list:report().verdict)
    assert.equal("/bookings", err.path)
  end)

  it("closed: a list after close", function()
    local list = H.client():accounts()
    list:close()
    assert.equal("closed", failing(list.next, list).kind)
  end)
end)

describe("an error", function()
  it("has the server's words, its request id and the body", function()
    local err = failure "fail=404:1"
    assert.matches("The record was not found", err.message, 1, true)
    assert.is_true(#err.request_id > 8)
    assert.equal('{"error":"not_found","error_description":"The record was not found"}', err.body)
    err = failure "fail=401:1;emptyerr=1"
    assert.matches("The access token is invalid", err.message, 1, true)
    assert.is_nil(err.body)
  end)

  it("names the scope that lacks", function()
    local err = failure("", { token = "sandbox-token:read_bookings" })
    assert.same({ "forbidden", "the application lacks the scope read_accounts" }, { err.kind, err.message })
    local client = H.client("", { token = "sandbox-token:read_accounts" })
    err = failing(client.booking, client, 7)
    assert.equal("the application lacks the scope read_bookings", err.message)
    assert.matches("^calira: GET /bookings/7: 403: the application lacks the scope read_bookings %(", tostring(err))
  end)

  it("says when the server wants to be asked again", function()
    local err = failure("fail=503:1;retry_after=3600", { max_wait = 5 })
    assert.same({ "server", 503, 1, 3600 }, { err.kind, err.status, err.attempts, err.retry_after })
    assert.matches("3600 s, at %d%d:%d%d:%d%d", err.message)
    err = failure("fail=429:1;retry_after=90000", { max_wait = 5 })
    assert.matches("90000 s, at %d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d", err.message)
  end)

  it("of a list names the page", function()
    local client = H.client "failpage=404:2"
    local list = client:bookings { provider = 102 }
    local err = failing(list.collect, list)
    assert.same({ "not_found", "/bookings" }, { err.kind, err.path })
    assert.matches("page 2", err.message, 1, true)
  end)

  it("names a redirect's origin, not its path", function()
    local err = failure "redirect=https%3A%2F%2Fuser%3Apw%40sso.example.org%3A444%2Flogin%3Ftoken%3Dabc"
    assert.matches("https://sso.example.org:444", err.message, 1, true)
    for _, hidden in ipairs { "login", "abc", "pw@" } do assert.is_nil(tostring(err):find(hidden, 1, true)) end
  end)

  it("of too large a body names the bound", function()
    local err = failure("body=huge:100000", { max_body = 50000 })
    assert.matches("50000 bytes", err.message, 1, true)
    err = failure("body=bomb:64", { max_body = 1000000 })
    assert.equal("too_large", err.kind)
    err = failure("bigheaders=400000", { retries = 0 })
    assert.is_true(err.kind == "too_large" or err.kind == "network")
  end)

  it("keeps 2 KiB of the body", function()
    local server <close> = Server.start('return function() local b = ("x"):rep(5000) return "HTTP/1.1 400 No\\r\\nContent-Length: 5000\\r\\n'
      .. 'Connection: close\\r\\n\\r\\n" .. b end')
    local client = calira.new { base_url = server.origin, token = H.token }
    assert.equal(("x"):rep(2048), failing(client.get, client, "/x").body)
  end)

  it("of a deadline counts the attempts that were made", function()
    local err, _, id = failure("fail=503:1;retry_after=5", { deadline = 0.2 })
    assert.same({ "rate_limited", 1, 5 }, { err.kind, err.attempts, err.retry_after })
    assert.equal(1, H.stats(id).calls)
    err, _, id = failure("silence=1", { deadline = 0.2 })
    assert.same({ "timeout", 1 }, { err.kind, err.attempts })
    assert.equal(1, H.stats(id).calls)
  end)

  it("is no error of others", function()
    for _, value in ipairs { "x", {}, 7, { kind = "network" }, setmetatable({}, { __name = "calira.error" }), calira } do
      assert.is_false(calira.is_error(value))
    end
    assert.is_false(calira.is_error())
    assert.is_false(calira.is_error(nil))
  end)
end)

describe("at", function()
  local client
  before_each(function() client = H.client "fail=404:1" end)

  local function at(f, ...)
    local err = failing(f, ...)
    return err.at, err
  end

  it("is the line of the call", function()
    local expected
    local where = at(function()
      expected = line() + 1
      local result = client:booking(7)
      return result
    end)
    assert.equal(THIS .. ":" .. expected, where)
  end)

  it("is the innermost line of the user's, through functions, lists and callbacks", function()
    local expected
    local function inner()
      expected = line() + 1
      local record = client:get "/accounts"
      return record
    end
    local function outer()
      local record = inner()
      return record
    end
    local where = at(outer)
    assert.equal(THIS .. ":" .. expected, where)
    where = at(function()
      local list = client:bookings { details = true }
      expected = line() + 1
      for _ in list do error "not reached" end -- luacheck: ignore
    end)
    assert.equal(THIS .. ":" .. expected, where)
    where = at(function()
      expected = line() + 1
      local made = calira.new { token = 7 }
      return made
    end)
    assert.equal(THIS .. ":" .. expected, where)
  end)

  it("is right in coroutines and tasks", function()
    local expected
    local function work()
      expected = line() + 1
      local record = client:get "/accounts"
      return record
    end
    local function ways()
      return {
        coroutine = coroutine.wrap(work), run = function() return calira.run(work) end,
        gather = function() return calira.gather { work, work } end,
        generator = function()
          for _ in calira.generator(work) do error "not reached" end -- luacheck: ignore
        end,
        in_run = function() return calira.run(coroutine.wrap(work)) end,
        request = function()
          local request = client:request "/accounts"
          expected = line() + 1
          local record = request:wait()
          return record
        end,
      }
    end
    for name in pairs(ways()) do
      local where = at(ways()[name])
      assert.equal(THIS .. ":" .. expected, where, name)
    end
  end)

  it("is the line that waits where a tail call left none", function()
    local where = at(function()
      local all = calira.gather { function() return client:get "/accounts" end }
      return all
    end)
    assert.matches("^" .. THIS:gsub("%p", "%%%0") .. ":%d+$", where)
  end)
end)

describe("a secret", function()
  local SECRET <const> = "top-secret-token-4711"

  --- Fails where the secret is anywhere in the value.
  local function clean(value, where)
    if type(value) == "table" then
      for k, v in pairs(value) do clean(v, where .. "." .. tostring(k)) end
    end
    assert.is_nil(tostring(value):find(SECRET, 1, true), where)
  end

  --- Asks a server that answers with what it was sent.
  local function echoed(status, options)
    local server <close> = Server.start(([[
      return function(head)
        local token = head:match "[Bb]earer (%%S+)" or "none"
        local body = ('{"error":"%%s","error_description":"bad token %%s","pad":"%%s%%s"}'):format(token, token, ("x"):rep(1940), token)
        return ("HTTP/1.1 %s\r\nX-Request-Id: id-%%s\r\nLocation: http://%%s.example/%%s\r\nContent-Length: %%d\r\nConnection: close\r\n"
          .. 'WWW-Authenticate: Bearer error="insufficient_scope", scope="%%s"\r\n\r\n%%s'):format(token, token, token, #body, token, body)
      end]]):format(status))
    local events = {}
    local all = { base_url = server.origin, token = SECRET, retries = 1, backoff = { base = 0 }, trace = function(e) events[#events + 1] = e end }
    for name, value in pairs(options or {}) do all[name] = value end
    local client = calira.new(all)
    local err = failing(client.get, client, "/accounts")
    assert.matches(SECRET, server:log(), 1, true) -- it was sent
    clean(err, "error")
    clean(events, "events")
    clean({ tostring(err), tostring(client) }, "text")
    return err
  end

  for _, status in ipairs { "200 OK", "302 Found", "400 Bad", "401 No", "403 No", "404 No", "429 Slow", "500 Oops" } do
    it("is not shown though the server sends it back: " .. status, function()
      local err = echoed(status, status == "200 OK" and { max_body = 100 } or nil)
      if status == "400 Bad" then
        assert.matches("***", err.body, 1, true)
        assert.matches("bad token ***", err.message, 1, true)
        assert.is_true(#err.body <= 2048)
        assert.is_nil(err.body:find("top-secret", 1, true), "a part of it is shown")
      end
    end)
  end

  it("that a function gave, or gave before, is not shown", function()
    local server <close> = Server.start [[
      local last
      return function(head)
        local now = head:match "[Bb]earer (%S+)"
        local body = (last or "none") .. " was replaced"
        last = now
        return ("HTTP/1.1 401 No\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"):format(#body, body)
      end]]
    local count = 0
    local client = calira.new { base_url = server.origin, token = function()
      count = count + 1
      return count .. SECRET .. count
    end }
    local err = failing(client.get, client, "/accounts")
    assert.same({ "unauthorized", 401, "*** was replaced" }, { err.kind, err.status, err.body })
    clean(err, "error")
    assert.equal(3, count)
  end)

  it("of a proxy's address is not shown", function()
    for _, proxy in ipairs { "bad://me:" .. SECRET .. "@127.0.0.1:1", "http://me:" .. SECRET .. "@127.0.0.1:1", "http://me:" .. SECRET .. "@:x" } do
      local options = { base_url = "https://127.0.0.1:1", token = "some-token", proxy = proxy, retries = 0 }
      local made, client = pcall(calira.new, options)
      if made then clean(failing(client.get, client, "/x"), "error") else clean(client, "error") end
      assert.equal(proxy:find("^http://.*127") ~= nil, made, "a malformed address is refused at once")
    end
  end)
end)
