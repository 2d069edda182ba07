--- Tokens: grants, their refresh; consent. CONTRACT section 3. Stores, and what goes wrong with them, have specs of their own.

local calira = require "calira"
local cjson = require "cjson"
local H = require "spec.support.helper"
local Server = require "spec.support.server"

local grants = require "spec.support.grants"
local granted, grant_of, memory, token_url = grants.client, grants.grant, grants.memory, grants.token_url

describe("a grant", function()
  it("is had by the refresh token, and saved as the endpoint gave it", function()
    local client, id, store = granted ""
    assert.equal(101, client:account(101).id)
    assert.equal(1, #store.saved)
    local grant = store.saved[1]
    assert.same({ "at-1", "rt-1", 7200 }, { grant.access_token, grant.refresh_token, grant.expires_in })
    assert.equal("integer", math.type(grant.created_at))
    assert.equal("string", type(grant.scope))
    client:account(102)
    local seen = H.stats(id)
    assert.same({ 1, 1, 2 }, { seen.token_calls, seen.refreshes, seen.calls })
    assert.equal(1, client:stats().refreshes)
    assert.same({ "Bearer at-1" }, seen.authorizations)
  end)

  it("of the store goes before refresh_token, and is used as it is", function()
    local client, id, store = granted("", grant_of(), nil, { refresh_token = "rt-dead" })
    client:account(101)
    assert.same({ 0, 0 }, { H.stats(id).token_calls, #store.saved })
    assert.same({ "Bearer at-0" }, H.stats(id).authorizations)
  end)

  it("is not asked for before a call needs it", function()
    local client, id, store = granted ""
    client:bookings { provider = 102 }
    assert.same({ 0, 0 }, { H.stats(id).token_calls, store.loads })
  end)

  it("is refreshed ahead of its end", function()
    for _, grant in ipairs { grant_of { created_at = os.time() - 7190 }, grant_of { created_at = os.time() - 8000 } } do
      local client, id = granted("", grant)
      client:account(101)
      assert.same({ ["200"] = 2 }, H.stats(id).by_status) -- no 401 came first
      assert.equal(1, H.stats(id).refreshes)
      assert.same({ "Bearer at-1" }, H.stats(id).authorizations)
    end
  end)

  it("is refreshed ahead of its end by a client that goes on, too", function()
    local client, id = granted "expires=4"
    client:account(101)
    calira.sleep(3.2) -- in its last quarter
    client:account(102)
    local seen = H.stats(id)
    assert.same({ ["200"] = 4 }, seen.by_status)
    assert.equal(2, seen.refreshes)
  end)

  it("that lasts only seconds is used for these", function()
    local client, id = granted("expires=20", nil)
    for _ = 1, 5 do client:account(101) end
    assert.equal(1, H.stats(id).refreshes)
    client, id = granted("expires=0;rotate=use", nil, { timeout = 5, deadline = 5 })
    local err = H.failure(client.account, client, 101)
    assert.equal("unauthorized", err.kind)
    assert.is_true(H.stats(id).token_calls <= 4)
  end)

  it("of a clock that is wrong here is used for as long as it says", function()
    local answer = ('{"access_token":"sandbox-token","expires_in":7200,"created_at":%d}'):format(os.time() - 7198)
    local server <close> = Server.start(Server.reply("200 OK", answer))
    local client = granted("", nil, nil, { token_url = server.origin .. "/t" })
    for _ = 1, 5 do
      client:account(101)
      calira.sleep(0.4)
    end
    assert.equal(1, client:stats().refreshes)
  end)

  it("without an end is used until a 401", function()
    local client, id = granted("", { access_token = "at-0", refresh_token = "rt-0" })
    client:account(101)
    assert.equal(0, H.stats(id).token_calls)
  end)
end)

describe("a 401", function()
  it("brings one refresh, and the call is sent again", function()
    local client, id, store = granted("", grant_of())
    client:account(101)
    H.control("expire", id)
    local record, response = client:get "/accounts/101"
    assert.equal(101, record.id)
    assert.equal(1, response.attempts) -- that was no retry
    local seen = H.stats(id)
    assert.same({ ["200"] = 3, ["401"] = 1 }, seen.by_status)
    assert.same({ 1, 1 }, { seen.refreshes, #store.saved })
    assert.same({ 1, 0 }, { client:stats().refreshes, client:stats().retries })
  end)

  it("of a hundred calls brings one refresh", function()
    for _, rotate in ipairs { "now", "use" } do
      local client, id, store = granted("latency=10;tokenlatency=50;rotate=" .. rotate, grant_of())
      client:account(101)
      H.control("expire", id)
      calira.run(function()
        local jobs = {}
        for i = 1, 100 do jobs[i] = function() return (client:account(101 + i % 30)) end end
        assert.equal(100, calira.gather(jobs).n)
      end)
      assert.same({ 1, 1, 1 }, { H.stats(id).refreshes, H.stats(id).token_calls, #store.saved })
      assert.is_true((H.stats(id).by_status["401"] or 0) <= 8)
    end
  end)

  it("of a call in flight while another refreshed brings no second refresh", function()
    -- the refresh kills the old token at once: what was sent with it comes back 401, late
    local client, id = granted("jitter=200;rotate=now", grant_of())
    client:account(101)
    H.control("expire", id)
    calira.run(function()
      local jobs = {}
      for i = 1, 30 do jobs[i] = function() return (client:account(101 + i % 30)) end end
      calira.gather(jobs)
    end)
    assert.equal(1, H.stats(id).refreshes)
  end)

  it("in a walk is not seen by who reads it", function()
    local client, id = granted("rotate=use;latency=10", grant_of())
    local list, count = client:bookings { provider = 102, per_page = 10 }, 0
    for _ in list do
      count = count + 1
      if count % 60 == 0 then H.control("expire", id) end
    end
    assert.equal(250, count)
    assert.equal("complete", list:report().verdict)
    assert.is_true(H.stats(id).refreshes >= 1)
  end)

  it("that comes again and again is raised, after few tries", function()
    local client, id = granted("fail=401:1", grant_of())
    local err = H.failure(client.account, client, 101)
    assert.same({ "unauthorized", 401, "/accounts/101" }, { err.kind, err.status, err.path })
    assert.is_true(H.stats(id).calls <= 4)
  end)
end)

describe("a refresh", function()
  it("is saved before the new token is used", function()
    local client, id, store
    client, id, store = granted ""
    local inner = store.save
    local calls_then
    store.save = function(new)
      calls_then = H.stats(id).calls
      inner(new)
    end
    client:close()
    client = calira.new { base_url = H.url("", id), oauth = {
      client_id = "app", client_secret = "app-secret", refresh_token = "rt-0", token_url = token_url("", id), store = store,
    } }
    client:account(101)
    assert.same({ 0, 1 }, { calls_then, H.stats(id).calls })
  end)

  it("whose grant cannot be saved is an error, and the token is not used", function()
    local client, id = granted("", nil, nil, {
      store = { load = function() end, save = function() error "disk full" end, lock = function() end },
    })
    local err = H.failure(client.account, client, 101)
    assert.matches("disk full", err.message, 1, true)
    assert.equal("unauthorized", err.kind)
    assert.equal(0, H.stats(id).calls)
  end)

  it("of a dead grant says so, at the line of the call, for every call that waits", function()
    local client, id = granted("", nil, nil, { refresh_token = "rt-dead-grant" })
    local first, second = client:request "/accounts/101", client:request "/accounts/102"
    local ok, one = pcall(first.wait, first)
    local here = debug.getinfo(1, "l").currentline - 1
    assert.is_false(ok)
    local other = H.failure(second.wait, second)
    for _, err in ipairs { one, other } do
      assert.same({ "unauthorized", 400, "POST" }, { err.kind, err.status, err.method })
      assert.matches("grant is not valid any more", err.message, 1, true)
      assert.matches("consent again", err.message, 1, true)
      assert.is_nil(tostring(err):find("rt-dead-grant", 1, true))
    end
    assert.equal("spec/oauth/oauth_spec.lua:" .. here, one.at)
    assert.are_not.equal(one, other)
    assert.equal(0, H.stats(id).calls)
  end)

  it("by a wrong secret says so, and does not show it", function()
    local client = granted("", nil, nil, { client_secret = "wrong-and-secret" })
    local err = H.failure(client.account, client, 101)
    assert.equal("unauthorized", err.kind)
    assert.matches("client_secret", err.message, 1, true)
    assert.is_nil(tostring(err):find("wrong-and-secret", 1, true))
  end)

  it("that fails in passing is tried again", function()
    local client, id = granted "tokenfail=503:2"
    assert.equal(101, client:account(101).id)
    assert.same({ 3, 1 }, { H.stats(id).token_calls, H.stats(id).refreshes })
    client = granted("tokenfail=503:99", nil, { retries = 1 })
    local err = H.failure(client.account, client, 101)
    assert.same({ "server", 503, 2 }, { err.kind, err.status, err.attempts })
  end)

  it("shows no secret that the endpoint sends back", function()
    local server <close> = Server.start([[return function(_, body) body = '{"error":"invalid_grant","error_description":"no: ' .. body .. '"}'
      return "HTTP/1.1 400 No\r\nConnection: close\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body end]])
    local events = {}
    local client = granted("", nil, { trace = function(e) events[#events + 1] = cjson.encode(e) end }, {
      refresh_token = "rt-very/secret+1", client_secret = "app very secret", token_url = server.origin .. "/oauth/token",
    })
    local err = H.failure(client.account, client, 101)
    local text = tostring(err) .. tostring(err.body) .. tostring(err.cause) .. table.concat(events)
    for _, hidden in ipairs { "rt-very", "rt-very%2Fsecret", "app very", "app%20very" } do assert.is_nil(text:find(hidden, 1, true), hidden) end
    assert.matches("grant_type=refresh_token", server:log(), 1, true)
  end)

  it("takes the grant that another process stored meanwhile", function()
    local store = memory(grant_of { access_token = "expired-1" })
    local client, id = granted("", nil, nil, { store = store })
    store.load = function()
      store.loads = store.loads + 1
      return store.loads == 1 and store.grant or grant_of { access_token = "sandbox-token" }
    end
    client:account(101)
    assert.equal(0, H.stats(id).token_calls)
    assert.same({ "Bearer expired-1", "Bearer sandbox-token" }, H.stats(id).authorizations)
  end)
end)

describe("a token function", function()
  it("is asked though what a trace function raises cannot even be told", function()
    local untold = setmetatable({}, { __tostring = function(self) error(self, 0) end })
    local asked = 0
    local client = H.client("", {
      token = function()
        asked = asked + 1
        return asked == 1 and "expired-token" or H.token
      end,
      trace = function(event)
        if event.status == 401 then error(untold, 0) end
      end,
    })
    local request = client:request "/accounts/101"
    local _, err = pcall(request.wait, request)
    assert.is_true(rawequal(untold, err))
    calira.run(function()
      local guard = calira.spawn(function()
        calira.sleep(5)
        request:cancel() -- where nobody asks for a token, it waits for ever
      end)
      assert.equal(101, request:wait().id)
      guard:cancel()
    end)
    assert.equal(2, asked)
  end)

  it("is asked once, and again after a 401", function()
    local count, id = 0, H.id()
    local client = calira.new { base_url = H.url("", id), token = function()
      count = count + 1
      return count == 1 and "expired-token" or "sandbox-token"
    end }
    assert.equal(0, count)
    assert.equal(101, client:account(101).id)
    client:account(102)
    assert.equal(2, count)
    assert.same({ "Bearer expired-token", "Bearer sandbox-token" }, H.stats(id).authorizations)
  end)

  it("that gives the same one again is an error of the call", function()
    local client = H.client("", { token = function() return "expired-token" end })
    local err = H.failure(client.account, client, 101)
    assert.same({ "unauthorized", "GET", "/accounts/101", 401 }, { err.kind, err.method, err.path, err.status })
  end)

  it("that fails, or gives no token, is an error with its cause", function()
    local client = H.client("", { token = function() error("no keyring", 0) end })
    local err = H.failure(client.account, client, 101)
    assert.same({ "unauthorized", "no keyring", "/accounts/101" }, { err.kind, err.cause, err.path })
    for _, bad in ipairs { "", "a b", "a\n", 7, false } do
      client = H.client("", { token = function() return bad end })
      assert.equal("argument", H.failure(client.account, client, 101).kind)
    end
  end)

  it("may call this library, and wait", function()
    local other = H.client "latency=20"
    local client = H.client("", { token = function()
      calira.sleep(0.01)
      return other:account(101).id == 101 and H.token or nil
    end })
    assert.equal(102, client:account(102).id)
    assert.equal(103, calira.run(function() return client:account(103).id end))
  end)
end)

describe("consent", function()
  it("has an address", function()
    local url = calira.oauth.authorize_url {
      client_id = "app&1", redirect_uri = "http://127.0.0.1:8000/cb?x=1", scopes = { "read_accounts", "read_bookings" }, state = "s t",
      code_challenge = "abc-_", url = "https://x.example/oauth/authorize",
    }
    local base, query = url:match "^(.-)%?(.*)$"
    assert.equal("https://x.example/oauth/authorize", base)
    local fields = {}
    for name, value in query:gmatch "([^&=]+)=([^&]*)" do
      fields[name] = value:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
    end
    assert.same({
      response_type = "code", client_id = "app&1", redirect_uri = "http://127.0.0.1:8000/cb?x=1", scope = "read_accounts read_bookings",
      state = "s t", code_challenge = "abc-_", code_challenge_method = "S256",
    }, fields)
    local plain = calira.oauth.authorize_url { client_id = "a", redirect_uri = "urn:x" }
    assert.matches("^https://app%.clustermarket%.com/oauth/authorize%?", plain)
    assert.is_nil(plain:find("state", 1, true) or plain:find("scope", 1, true) or plain:find("challenge", 1, true))
    local more = calira.oauth.authorize_url { client_id = "a", redirect_uri = "u", url = "https://x/authorize?a=b" }
    assert.matches("authorize?a=b&client_id=", more, 1, true)
  end)

  it("needs what it needs, and takes nothing else", function()
    for _, bad in ipairs {
      {}, { client_id = "a" }, { redirect_uri = "u" }, { client_id = "a", redirect_uri = "u", scope = "x" },
      { client_id = "a", redirect_uri = "u", scopes = "read_accounts" }, { client_id = "a", redirect_uri = "u", scopes = { {} } },
      { client_id = 7, redirect_uri = "u" },
    } do
      assert.equal("argument", H.failure(calira.oauth.authorize_url, bad).kind)
    end
    for _, bad in ipairs {
      {}, { code = "good" }, { code = "good", client_id = "a" },
      { code = "c", client_id = "a", redirect_uri = "u", token_url = "x" },
    } do
      assert.equal("argument", H.failure(calira.oauth.exchange, bad).kind)
    end
    local err = H.failure(calira.oauth.exchange, { code = "very\nsecret", client_id = "a", redirect_uri = "u" })
    assert.is_nil(tostring(err):find("very", 1, true))
  end)

  local function exchanged(id, more)
    local all = { client_id = "app", client_secret = "secret-word", redirect_uri = "urn:x", token_url = token_url("", id) }
    for name, value in pairs(more) do all[name] = value end
    return calira.oauth.exchange(all)
  end

  it("gives a code, which is exchanged once for a grant", function()
    local id = H.id()
    local grant = exchanged(id, { code = "good-1" })
    assert.same({ "at-1", "rt-1", 7200 }, { grant.access_token, grant.refresh_token, grant.expires_in })
    local store = memory(grant)
    local client = calira.new { base_url = H.url("", id), oauth = { client_id = "app", store = store } }
    assert.equal(101, client:account(101).id)
    local err = H.failure(exchanged, id, { code = "good-1" })
    assert.same({ "unauthorized", 400 }, { err.kind, err.status })
    assert.is_nil(tostring(err):find("secret-word", 1, true))
    assert.equal(2, H.stats(id).token_calls)
  end)

  it("is proved by a verifier", function()
    local id = H.id()
    -- RFC 7636, appendix B
    local code = "good-2~E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert.equal("unauthorized", H.failure(exchanged, id, { code = code }).kind)
    assert.equal("at-1", exchanged(id, { code = code, code_verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" }).access_token)
  end)

  it("is not asked twice for a code that serves once", function()
    local id = H.id()
    assert.equal("server", H.failure(exchanged, id, { code = "good-1", token_url = token_url("tokenfail=503:1", id) }).kind)
    assert.equal(1, H.stats(id).token_calls)
  end)
end)
