--- A refresh is an irreversible step: it is taken only where the new grant can be kept, and by one at a time. CONTRACT section 3.

local calira = require "calira"
local core = require "calira.core"
local H = require "spec.support.helper"
local grants = require "spec.support.grants"
local warnings = require "spec.support.warnings"

local expired = function() return grants.grant { created_at = os.time() - 8000 } end

describe("before a refresh", function()
  it("the store is asked whether it can save; where it cannot, nothing is sent", function()
    local client, id, store = grants.client("", expired())
    local asked = 0
    store.check = function()
      asked = asked + 1
      assert.is_true(store.locked)
      if asked < 3 then return false, "the disk is full" end
      return true
    end
    for _ = 1, 2 do
      local err = H.failure(client.account, client, 101)
      assert.equal("unauthorized", err.kind)
      assert.matches("the disk is full", err.message, 1, true)
    end
    assert.equal(0, H.stats(id).token_calls)
    assert.equal(101, client:account(101).id)
    assert.same({ 3, 1, "at-1" }, { asked, H.stats(id).refreshes, store.grant.access_token })
  end)

  it("the store is not asked while the token is good", function()
    local client, _, store = grants.client("", grants.grant())
    store.check = function() error "not now" end
    assert.equal(101, client:account(101).id)
    assert.equal(0, store.locks)
  end)
end)

describe("a save that fails", function()
  it("raises, keeps the grant in memory, and is tried again at the next call", function()
    local client, id, store = grants.client("", expired())
    local save, left = store.save, 2
    store.save = function(new)
      left = left - 1
      if left >= 0 then error("no space left", 0) end
      save(new)
    end
    for _ = 1, 2 do
      local err = H.failure(client.account, client, 101)
      assert.matches("no space left", err.message, 1, true)
      assert.same({ 1, 0 }, { H.stats(id).refreshes, H.stats(id).calls })
    end
    assert.equal(101, client:account(101).id)
    assert.same({ 1, 1, "at-1", "rt-1" }, { H.stats(id).refreshes, H.stats(id).token_calls, store.grant.access_token, store.grant.refresh_token })
    assert.same({ "Bearer at-1" }, H.stats(id).authorizations)
  end)

  it("may say so as functions of io do", function()
    local client, _, store = grants.client("", expired())
    store.save = function() return nil, "no space left" end
    assert.matches("no space left", H.failure(client.account, client, 101).message, 1, true)
  end)

  it("gives way to a grant that somebody got by consent meanwhile", function()
    local client, id, store = grants.client("", expired())
    store.save = function() error "no" end
    H.failure(client.account, client, 101)
    store.grant = grants.grant { access_token = H.token, refresh_token = "rt-of-a-new-consent" }
    assert.equal(101, client:account(101).id)
    assert.same({ "Bearer " .. H.token }, H.stats(id).authorizations)
  end)

  it("is not made by an interrupt: the answer on its way is taken by the next call", function()
    local client, id, store = grants.client("tokenlatency=300", expired())
    local task
    store.check = function()
      task = coroutine.running() -- the library's own, in which the refresh waits
      return true
    end
    local request = client:request "/accounts/101"
    calira.sleep(0.1)
    assert.equal(1, H.stats(id).token_calls)
    debug.sethook(task, function() -- between the answer and what is made of it
      debug.sethook(task)
      error("interrupted!", 0)
    end, "", 1)
    local err = H.failure(request.wait, request)
    assert.same({ "unauthorized", "interrupted!" }, { err.kind, err.cause })
    assert.equal(0, #store.saved)
    assert.equal(101, client:account(101).id)
    assert.same({ 1, 1, "rt-1" }, { H.stats(id).token_calls, H.stats(id).refreshes, store.grant.refresh_token })
  end)
end)

describe("what the token endpoint answers", function()
  it("replaces no good refresh token by an empty one", function()
    local client, id, store = grants.client("norefresh=1", expired())
    client:account(101)
    assert.equal("rt-0", store.grant.refresh_token)
    H.control("expire", id)
    assert.equal(102, client:account(102).id)
    assert.same({ 2, "at-2", "rt-0" }, { H.stats(id).refreshes, store.grant.access_token, store.grant.refresh_token })
  end)

  it("with an expires_in of 0 brings no refresh for every call", function()
    local client, id, store = grants.client("says=0", expired())
    for i = 101, 110 do client:account(i) end
    assert.same({ 1, 0 }, { H.stats(id).refreshes, store.grant.expires_in })
    local other = calira.new { base_url = H.url("says=0", id), oauth = {
      client_id = "app", client_secret = "s", token_url = grants.token_url("says=0", id), store = store,
    } }
    other:account(101)
    assert.equal(1, H.stats(id).refreshes)
  end)

  it("as a success with an error shows the server's words", function()
    local client, id = grants.client("tokenerror=invalid_grant", expired())
    local err = H.failure(client.account, client, 101)
    assert.equal("unauthorized", err.kind)
    assert.matches("The authorization server says: invalid_grant", err.message, 1, true)
    assert.matches("consent again", err.message, 1, true)
    assert.equal(1, H.stats(id).token_calls)
    client = grants.client("tokenerror=temporarily_unavailable", expired())
    err = H.failure(client.account, client, 101)
    assert.matches("says: temporarily_unavailable", err.message, 1, true)
    assert.is_nil(err.message:find("consent", 1, true))
  end)

  it("with an access token that holds control characters is refused; its refresh token is kept", function()
    local client, id, store = grants.client("badtoken=1", expired())
    local err = H.failure(client.account, client, 101)
    assert.same({ "decode", 0 }, { err.kind, H.stats(id).calls })
    assert.is_nil(tostring(err):find("[%c]"))
    assert.same({ nil, "rt-1" }, { store.grant.access_token, store.grant.refresh_token })
  end)

  it("is told in the trace, without what is secret", function()
    local events = {}
    local client = grants.client("tokenfail=503:1", expired(), { trace = function(e) events[#events + 1] = e end })
    client:account(101)
    local told, all = {}, ""
    for i, e in ipairs(events) do
      told[i] = e.event .. " " .. (e.method or "") .. " " .. (e.path or ""):gsub("^/~[^/]*", "") .. " " .. (e.status or "")
      for _, value in pairs(e) do all = all .. tostring(value) .. "\n" end
    end
    for _, line in ipairs { "request POST /oauth/token ", "response POST /oauth/token 503", "response POST /oauth/token 200" } do
      local found = false
      for _, each in ipairs(told) do found = found or each:find(line, 1, true) ~= nil end
      assert.is_true(found, line .. " is not in\n" .. table.concat(told, "\n"))
    end
    for _, hidden in ipairs { "app-secret", "rt-0", "at-1", "rt-1" } do assert.is_nil(all:find(hidden, 1, true), hidden) end
  end)
end)

describe("a grant in the store", function()
  it("with an access token that holds control characters is refused, and not sent", function()
    for _, bad in ipairs { "at-0\r\nX: y", "at 0", "", 7 } do
      local client, id = grants.client("", grants.grant { access_token = bad })
      assert.equal("argument", H.failure(client.account, client, 101).kind)
      assert.same({ 0, 0 }, { H.stats(id).calls, H.stats(id).token_calls })
    end
    local client = grants.client("", "at-0")
    assert.equal("argument", H.failure(client.account, client, 101).kind)
  end)

  it("remembers whose it is, and another service's or application's is refused", function()
    local client, id, store = grants.client("", expired())
    client:account(101)
    assert.same({ grants.token_url("", id), "app" }, { store.grant.token_url, store.grant.client_id })
    for what, other in pairs {
      service = { token_url = "https://app.clustermarket.com/oauth/token" }, application = { client_id = "another" },
    } do
      local refused, refused_id = grants.client("", grants.grant(other))
      local err = H.failure(refused.account, refused, 101)
      assert.equal("argument", err.kind)
      assert.matches("of another " .. what, err.message, 1, true)
      assert.same({ 0, 0 }, { H.stats(refused_id).calls, H.stats(refused_id).token_calls })
    end
  end)

  it("says where its refresh goes and for which application", function()
    local id = H.id()
    local store = grants.memory(grants.grant { created_at = 1, token_url = grants.token_url("", id), client_id = "app" })
    local client = calira.new { base_url = H.url("", id), oauth = { client_secret = "s", store = store } }
    assert.equal(101, client:account(101).id)
    assert.equal(1, H.stats(id).refreshes)
  end)

  it("of Calira's own service is not used elsewhere, nor another's there; a token endpoint is not guessed", function()
    local own = "https://app.clustermarket.com/oauth/token"
    local function refused(base_url, grant)
      local client = calira.new { base_url = base_url, retries = 0, oauth = { client_id = "app", store = grants.memory(grant) } }
      local err = H.failure(client.account, client, 101)
      assert.equal("argument", err.kind)
      return err.message
    end
    local id = H.id()
    assert.matches("of another service", refused(H.url("", id), grants.grant { token_url = own }), 1, true)
    assert.matches("of another service", refused(nil, grants.grant { token_url = grants.token_url("", id) }), 1, true)
    assert.matches("takes the token_url", refused(H.url("", id), expired()), 1, true)
    assert.equal(0, H.stats(id).calls)
  end)
end)

describe("oauth.token_url", function()
  it("that cannot be used is called by its name", function()
    for _, bad in ipairs { "x", "https://h", "ftp://h/t", "https://h/t?a=b", "https://u@h/t", "http://example.org/t", "https://h\\@evil/t" } do
      local err = H.failure(calira.new, { oauth = { client_id = "a", store = grants.memory(), token_url = bad } })
      assert.equal("argument", err.kind)
      assert.is_nil(err.message:find("base_url", 1, true), err.message)
      assert.is_true(err.message:find("token_url", 1, true) ~= nil or err.message:find("plain http", 1, true) ~= nil, err.message)
    end
  end)
end)

describe("a 401 for a token that was issued a moment ago", function()
  it("is sent again after a pause with the same token, not with another", function()
    local client, id = grants.client("lag=400", expired())
    calira.run(function()
      local jobs = {}
      for i = 1, 20 do jobs[i] = function() return (client:account(100 + i)) end end
      assert.equal(20, calira.gather(jobs).n)
    end)
    local seen = H.stats(id)
    assert.same({ 1, 1 }, { seen.refreshes, seen.token_calls })
    assert.is_true(seen.by_status["401"] <= 20, seen.by_status["401"])
    assert.same({ "Bearer at-1" }, seen.authorizations)
  end)

  it("that another process got too", function()
    local client, id, store = grants.client("lag=400", grants.grant { access_token = "at-dead" })
    local other = calira.new { base_url = H.url("lag=400", id), oauth = {
      client_id = "app", client_secret = "s", refresh_token = "rt-0", token_url = grants.token_url("lag=400", id), store = store,
    } }
    calira.gather {
      function() return (client:account(101)) end, function() return (other:account(102)) end, function() return (client:account(103)) end,
    }
    assert.equal(1, H.stats(id).refreshes)
  end)
end)

describe("a store without lock", function()
  it("is warned about once, and another's grant is waited for", function()
    local path = os.tmpname()
    os.remove(path)
    local id = H.id()
    local text = "warn '@on'\n" .. grants.script(id, ("(function() local s = calira.oauth.file_store(%q)\n%s end)()"):format(path, [[
      return { load = s.load, save = function(g) calira.sleep(0.3); s.save(g) end } ]]), "latency=10") .. [[
      for i = 1, 30 do client:account(100 + i) end
      print(client:stats().refreshes) ]]
    local file = os.tmpname()
    local script <close> = assert(io.open(file, "w"))
    script:write(text)
    script:flush()
    local pipe <close> = assert(io.popen(("lua5.4 %s 2>&1 & lua5.4 %s 2>&1 & wait"):format(file, file)))
    local out = pipe:read "a"
    os.remove(file)
    os.remove(path)
    local refreshes, warned = 0, select(2, out:gsub("the store of the grant has no lock", ""))
    for count in out:gmatch "%f[^\n\0](%d+)\n" do refreshes = refreshes + tonumber(count) end
    assert.same({ 1, 2 }, { refreshes, warned }, out)
    assert.same({ 60, 1 }, { H.stats(id).by_status["200"] - 1, H.stats(id).refreshes })
  end)

  it("is not warned about before it matters", function()
    local client = grants.client("", nil, nil, { store = { load = function() return grants.grant() end, save = function() end } })
    client:account(101)
    assert.same({}, warnings.take())
  end)
end)

describe("a process that is forked during a refresh", function()
  it("neither waits for itself nor frees the lock: one refresh, both go on", function()
    local host = require "spec.support.host"
    local path = os.tmpname()
    os.remove(path)
    local store, parent = calira.oauth.file_store(path), core.process_id()
    local save = store.save
    store.save = function(grant) -- the child hears of a dead grant before the new one is there
      if core.process_id() == parent then calira.sleep(0.5) end
      save(grant)
    end
    local client, id = grants.client("tokenlatency=400", nil, nil, { store = store })
    local request = client:request "/accounts/101"
    calira.sleep(0.1)
    assert.equal(1, H.stats(id).token_calls)
    io.stdout:flush()
    local child = host.fork()
    if child == 0 then
      local ok, err = pcall(function()
        assert(client:account(102).id == 102)
        assert(client:account(103).id == 103)
      end)
      if not ok then io.stderr:write("in the child: ", tostring(err), "\n") end
      host.exit(ok and 0 or 1)
    end
    assert.equal(101, request:wait().id)
    assert.equal(0, host.wait(child))
    assert.equal(1, H.stats(id).refreshes)
    local free = calira.oauth.file_store(path).lock()
    getmetatable(free).__close(free)
    os.execute(("rm -f %s %s.lock"):format(path, path))
  end)
end)

describe("a lock over a fork", function()
  local host = require "spec.support.host"
  local path
  before_each(function()
    path = os.tmpname()
    io.stdout:flush()
  end)
  after_each(function() os.remove(path) end)

  local function close(lock) getmetatable(lock).__close(lock) end

  --- Runs `f` in a child, which ends with status 0 where it returns true; the child's number.
  local function forked(f)
    local child = host.fork()
    if child ~= 0 then return child end
    local ok, fine = pcall(f)
    host.exit(ok and fine and 0 or 1)
  end

  it("is free once the parent lets go, whatever the child still holds", function()
    local lock = core.try_lock(path)
    local child = forked(function()
      calira.sleep(0.6)
      return true
    end)
    close(lock)
    local again = core.try_lock(path)
    assert.is_userdata(again)
    close(again)
    assert.equal(0, host.wait(child))
  end)

  it("is the parent's, whatever the child closes", function()
    local lock <close> = core.try_lock(path)
    local child = forked(function()
      close(lock)
      return core.try_lock(path) == false
    end)
    assert.equal(0, host.wait(child))
    assert.is_false(core.try_lock(path))
  end)

  it("ends with the process that took it, though its child lives on and wants it", function()
    local child = forked(function()
      local held = core.try_lock(path)
      local grandchild = forked(function()
        local till = H.now() + 3
        local got
        repeat
          calira.sleep(0.05)
          got = core.try_lock(path)
        until got or H.now() > till
        local file <close> = assert(io.open(path .. ".got", "w"))
        file:write(tostring(got and true))
        return held ~= nil
      end)
      return grandchild
    end)
    assert.equal(0, host.wait(child))
    local till = H.now() + 5
    local file
    repeat
      calira.sleep(0.05)
      file = io.open(path .. ".got")
      local text = file and file:read "a"
      if file then file:close() end
    until text and text ~= "" or H.now() > till
    assert.is_truthy(file)
    file = assert(io.open(path .. ".got"))
    assert.equal("true", file:read "a")
    file:close()
    os.remove(path .. ".got")
  end)
end)

describe("whatever fails while a token is fetched", function()
  it("the calls that wait for it end, and later ones ask again", function()
    local times = 0
    local client = H.client("", { token = function()
      times = times + 1
      if times == 1 then error(setmetatable({}, { __tostring = function() error "no text" end })) end
      if times == 2 then error(nil) end
      return H.token
    end })
    for _ = 1, 2 do assert.equal("unauthorized", H.failure(client.account, client, 101).kind) end
    assert.equal(101, client:account(101).id)
  end)
end)
