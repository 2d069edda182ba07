--- TLS, HTTP/2, redirects, proxies: where the token goes, and where it never does. CONTRACT section 2.

local calira = require "calira"
local H = require "spec.support.helper"
local Server = require "spec.support.server"

local BAD <const> = assert(os.getenv "CALIRA_SANDBOX_BADTLS")

local function secure(options, origin)
  local id = H.id()
  local all = { base_url = H.url("", id, origin or H.tls), token = H.token, backoff = { base = 0 } }
  for name, value in pairs(options) do all[name] = value end
  return calira.new(all), id
end

local function fails(client) return H.failure(client.get, client, "/accounts/101") end

describe("TLS", function()
  it("trusts the authorities of ca_file", function()
    local client, id = secure { ca_file = H.ca }
    assert.equal(101, client:account(101).id)
    assert.same({ "Bearer " .. H.token }, H.stats(id).authorizations)
    local localhost = calira.new { base_url = H.tls:gsub("127%.0%.0%.1", "localhost") .. "/v1", token = H.token, ca_file = H.ca }
    assert.equal(101, localhost:account(101).id)
  end)

  it("refuses others, without a retry, and names the authorities", function()
    local client, id = secure {}
    local err = fails(client)
    assert.same({ "tls", 1 }, { err.kind, err.attempts })
    assert.matches("authorities: the system's", err.message, 1, true)
    assert.same({ 0, 0 }, { H.stats(id).calls, client:stats().retries })
    err = fails((secure({ ca_file = H.ca }, BAD)))
    assert.equal("tls", err.kind)
    assert.matches("authorities: " .. H.ca, err.message, 1, true)
    assert.equal("tls", fails((secure { ca_file = "/nonexistent/ca.pem" })).kind)
    assert.equal("tls", fails((secure { ca_path = "/nonexistent" })).kind)
  end)

  it("names the issuer, asked for on a connection on which nothing is sent", function()
    local client, id = secure {}
    assert.matches("issued by .*Calira sandbox CA", fails(client).message)
    local stats = H.stats(id)
    assert.same({ 0, 0 }, { stats.calls, #stats.authorizations })
    assert.matches("issued by .*wrong.example.org", fails((secure({}, BAD))).message)
    assert.equal(0, client:stats().in_flight)
    local ok = calira.new { base_url = H.url("", id, H.tls), token = H.token, ca_file = H.ca }
    assert.equal(101, ok:account(101).id)
  end)

  it("trusts the authorities of ca_path", function()
    local folder = os.tmpname()
    os.remove(folder)
    os.execute(("mkdir %s && cp %s %s/ca.pem && openssl rehash %s"):format(folder, H.ca, folder, folder))
    assert.equal(101, (secure { ca_path = folder }):account(101).id)
    os.execute("rm -r " .. folder)
  end)

  it("refuses a certificate of another name", function()
    -- the self-signed one as its own authority: then only the name is wrong
    local path = os.tmpname()
    os.execute(("openssl s_client -connect %s </dev/null 2>/dev/null | openssl x509 >%s"):format(BAD:gsub("^https://", ""), path))
    local err = fails((secure({ ca_file = path }, BAD)))
    assert.equal("tls", err.kind)
    os.remove(path)
  end)

  it("checks nothing where insecure says so", function()
    local client = secure({ insecure = true }, BAD)
    assert.equal(101, client:account(101).id)
    assert.equal(101, (secure { insecure = true }):account(101).id)
  end)

  it("of one client is not another's", function()
    assert.equal(101, (secure { ca_file = H.ca }):account(101).id)
    assert.equal("tls", fails((secure {})).kind)
    assert.equal(101, (secure { insecure = true }):account(101).id)
    assert.equal("tls", fails((secure {})).kind)
  end)

  it("to a server that speaks none is an error", function()
    local client = calira.new { base_url = H.origin:gsub("^http:", "https:") .. "/v1", token = H.token, retries = 0 }
    assert.equal("tls", fails(client).kind)
  end)

  it("that is refused is not tried again; one whose connection breaks is, as a network error", function()
    for answer, expected in pairs {
      [ [["\21\3\3\0\2\2\40"]] ] = { "tls", 1 }, -- alerts: handshake failure, internal error, unrecognized name
      [ [["\21\3\3\0\2\2\80"]] ] = { "tls", 1 },
      [ [["\21\3\3\0\2\2\112"]] ] = { "tls", 1 },
      [ [["\255\254\253\252\251"]] ] = { "tls", 1 }, -- no TLS
      [ [["\22\3\3\0\122\2\0"]] ] = { "network", 2 }, -- half a record
      ["nil"] = { "network", 2 },
    } do
      local server <close> = Server.start(("return function() return %s end"):format(answer))
      local client = calira.new {
        base_url = server.origin:gsub("^http:", "https:"), token = H.token, retries = 1, backoff = { base = 0 },
      }
      local err = fails(client)
      assert.same(expected, { err.kind, err.attempts }, answer .. ": " .. err.message)
    end
  end)
end)

describe("HTTP/2", function()
  it("is used, on one connection", function()
    local client, id = secure { ca_file = H.ca }
    calira.run(function()
      local jobs = {}
      for i = 1, 16 do jobs[i] = function() return (client:account(100 + i)) end end
      assert.equal(16, calira.gather(jobs).n)
    end)
    local seen = H.stats(id)
    assert.same({ "HTTP/2.0" }, seen.protocols)
    assert.equal(1, seen.connections)
  end)

  it("sees a cancelled call go", function()
    local id = H.id()
    local client = calira.new { base_url = H.url("silence=1", id, H.tls), token = H.token, ca_file = H.ca }
    local request = client:request "/accounts/101"
    for _ = 1, 200 do
      calira.sleep(0.01)
      if H.stats(id).in_flight == 1 then break end
    end
    request:cancel()
    for _ = 1, 200 do
      if H.stats(id).in_flight == 0 then break end
      calira.sleep(0.01)
    end
    assert.equal(0, H.stats(id).in_flight)
  end)
end)

describe("a redirect", function()
  it("is never followed, and the token goes nowhere else", function()
    local other <close> = Server.start(Server.reply("200 OK", "[]"), "127.0.0.2")
    local port = other.port
    for _, target in ipairs {
      ("http%%3A%%2F%%2F127.0.0.2%%3A%d%%2Fv1"):format(port), ("127.0.0.2:%d"):format(port), ("%%2F%%2F127.0.0.2%%3A%d%%2F"):format(port),
    } do
      local client, id = H.client("redirect=" .. target)
      local list = client:accounts()
      for _, err in ipairs { fails(client), H.failure(list.next, list) } do
        assert.same({ "redirect", 302, 1 }, { err.kind, err.status, err.attempts })
        if not target:find "^%%2F" then assert.matches("http://127.0.0.2:" .. port, err.message, 1, true) end
      end
      assert.equal(2, H.stats(id).calls)
    end
    assert.equal("", other:log())
  end)

  it("of any status, however its target is written, takes no token along", function()
    local other <close> = Server.start(Server.reply("200 OK", "[]"), "127.0.0.2")
    local address = ("127.0.0.2:%d"):format(other.port)
    for _, status in ipairs { "301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent" } do
      for _, target in ipairs { "http://" .. address .. "/v1", "//" .. address .. "/", "http://u:p@" .. address .. "/?x#y" } do
        local moved <close> = Server.start(Server.reply(status, "", ("Location: %s\\r\\n"):format(target)))
        local client = calira.new { base_url = moved.origin .. "/v1", token = H.token }
        local err = fails(client)
        assert.same({ "redirect", math.tointeger(status:match "%d+") }, { err.kind, err.status })
        assert.is_nil(tostring(err):find("u:p", 1, true))
        assert.matches("Bearer " .. H.token, moved:log(), 1, true)
      end
    end
    assert.equal("", other:log())
  end)

  it("to the same host is not followed either", function()
    local client, id = H.client("redirect=" .. (H.origin:gsub("[:/]", { [":"] = "%3A", ["/"] = "%2F" })) .. "%2Fv1%2Faccounts%2F102")
    assert.equal("redirect", fails(client).kind)
    assert.equal(1, H.stats(id).calls)
  end)

  it("of the token endpoint is not followed, nor is the secret sent there", function()
    local other <close> = Server.start(Server.reply("200 OK", "{}"), "127.0.0.2")
    local moved <close> = Server.start(Server.reply("307 Moved", "", ("Location: %s/token\\r\\n"):format(other.origin)))
    local err = H.failure(calira.oauth.exchange, {
      code = "good", client_id = "c", client_secret = "very-secret", redirect_uri = "urn:x", token_url = moved.origin .. "/oauth/token",
    })
    assert.equal("redirect", err.kind)
    assert.matches("very-secret", moved:log(), 1, true)
    assert.equal("", other:log())
  end)
end)

describe("a proxy", function()
  local proxy
  before_each(function() proxy = Server.start(Server.reply("407 Proxy Authentication Required", "")) end)
  after_each(function() proxy:stop() end)

  --- What a script of this base URL does with the proxy in the environment: its error's kind, or the record's id.
  local function asks(base, env, more)
    local out, err = H.script(([[
      local calira = require "calira"
      local client = calira.new { base_url = %q, token = "the-secret-token", retries = 0, ca_file = %q, %s }
      local ok, result = pcall(client.get, client, "/accounts/101")
      print(ok and result.id or result.kind)]]):format(base, H.ca, more or ""), (env:gsub("=PROXY", "=" .. proxy.origin)))
    assert.equal("", err)
    return (out:gsub("\n", ""))
  end

  it("is not used for this machine over http, whoever names it", function()
    local base = H.url()
    assert.equal("unauthorized", asks(base, "http_proxy=PROXY"))
    assert.equal("unauthorized", asks(base, "ALL_PROXY=PROXY"))
    assert.equal("unauthorized", asks(base, "all_proxy=PROXY", ("proxy = %q"):format(proxy.origin)))
    assert.equal("", proxy:log())
  end)

  it("of the environment sees no token: it is asked for a tunnel", function()
    assert.equal("network", asks("https://name.invalid/v1", "https_proxy=PROXY"))
    local log = proxy:log()
    assert.matches("^CONNECT name.invalid:443 ", log)
    assert.is_nil(log:find("the-secret-token", 1, true))
    assert.is_nil(log:lower():find("authorization: bearer", 1, true))
  end)

  it("of the environment is not used where no_proxy says so", function()
    assert.equal("network", asks("https://name.invalid/v1", "https_proxy=PROXY no_proxy=name.invalid"))
    assert.equal("", proxy:log())
  end)

  it("can be an option, which an empty one turns off", function()
    assert.equal("network", asks("https://name.invalid/v1", "env", ("proxy = %q"):format(proxy.origin)))
    assert.matches("CONNECT name.invalid:443", proxy:log(), 1, true)
    proxy:stop()
    proxy = Server.start(Server.reply("407 No", ""))
    assert.equal("network", asks("https://name.invalid/v1", "https_proxy=PROXY", 'proxy = ""'))
    assert.equal("", proxy:log())
  end)

  it("that refuses is not asked again", function()
    local client = calira.new { base_url = "https://name.invalid/v1", token = H.token, proxy = proxy.origin, backoff = { base = 0 } }
    local err = fails(client)
    assert.same({ "network", 1 }, { err.kind, err.attempts })
  end)
end)

describe("plain http", function()
  it("takes no secret to another host for a token endpoint", function()
    local store = { load = function() end, save = function() end }
    for _, url in ipairs { "http://example.org/oauth/token", "http://10.0.0.1/t" } do
      local err = H.failure(calira.new, { oauth = { client_id = "c", refresh_token = "r", token_url = url, store = store } })
      assert.equal("argument", err.kind)
      err = H.failure(calira.oauth.exchange, { code = "good", client_id = "c", redirect_uri = "urn:x", token_url = url })
      assert.equal("argument", err.kind)
    end
  end)
end)
