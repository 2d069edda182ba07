--- Stores that processes share: in a file, and in PostgreSQL. CONTRACT section 3. The same specs run over both.

local calira = require "calira"
local H = require "spec.support.helper"
local grants = require "spec.support.grants"
local host = require "spec.support.host"
local postgres = require "spec.support.postgres"

local grant_of = grants.grant

local database = postgres.start()

local function output(command)
  local pipe <close> = assert(io.popen(command))
  return (pipe:read "a":gsub("%s+$", ""))
end

--- Runs the same script in several processes at once: what they print.
local function together(text, count)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
  file:flush()
  local out = output(("lua5.4 %s 2>&1 & "):format(path):rep(count) .. "wait")
  os.remove(path)
  return out
end

local count = 0

-- Each kind: a fresh place, and the Lua expression that makes its store.
local KINDS <const> = {
  file = function(folder) return ("calira.oauth.file_store %q"):format(folder .. "/deep/grant.json") end,
  PostgreSQL = function()
    count = count + 1
    return ("calira.oauth.postgres_store { dsn = %q, name = %q }"):format(database.dsn, "it's " .. count)
  end,
}

for name, place in pairs(KINDS) do
  describe("a store in " .. name, function()
    local folder, expression
    before_each(function()
      folder = os.tmpname()
      os.remove(folder)
      expression = place(folder)
    end)
    after_each(function() os.execute("rm -rf " .. folder) end)

    local function open() return load("local calira = ...; return " .. expression)(calira) end

    it("keeps a grant", function()
      local store = open()
      assert.is_nil(store.load())
      assert.is_true(store.check())
      assert.is_nil(store.load())
      local first, second = grant_of { scope = "it's \"quoted\" \\ 100% ü" }, grant_of { access_token = "at-9" }
      store.save(first)
      assert.same(first, store.load())
      store.save(second)
      assert.is_true(store.check())
      assert.same(second, open().load())
    end)

    it("is never seen half written", function()
      local store = open()
      store.save { access_token = "0", pad = ("0"):rep(5000) }
      local path = os.tmpname()
      local file <close> = assert(io.open(path, "w"))
      file:write(([[
        local calira = require "calira"
        local store = %s
        for i = 1, 200 do store.save { access_token = tostring(i), pad = (tostring(i)):rep(5000) } end]]):format(expression))
      file:flush()
      local done <close> = assert(io.popen(("lua5.4 %s; echo done"):format(path)))
      local seen = {}
      repeat
        local grant = store.load()
        assert.equal(grant.access_token:rep(5000), grant.pad)
        seen[grant.access_token] = true
      until grant.access_token == "200"
      assert.equal("done", done:read "l")
      os.remove(path)
      assert.is_true(next(seen, next(seen)) ~= nil, "the two did not overlap")
    end)

    it("is locked while one refreshes: three processes, one refresh", function()
      local id = H.id()
      local out = together(grants.script(id, expression, "tokenlatency=300") .. "print(client:account(101).id, client:stats().refreshes)", 3)
      local refreshes = 0
      for record, made in out:gmatch "(%d+)\t(%d+)" do
        assert.equal("101", record)
        refreshes = refreshes + tonumber(made)
      end
      assert.equal(1, refreshes, out)
      local seen = H.stats(id)
      assert.same({ 1, 1, 3 }, { seen.token_calls, seen.refreshes, seen.calls })
      assert.equal("at-1", open().load().access_token)
    end)

    it("is locked for the clients of one process, too", function()
      local id = H.id()
      local store = open()
      local function client_of(own)
        local url = grants.token_url("tokenlatency=100", id)
        return calira.new { base_url = H.url("", id), oauth = {
          client_id = "a", client_secret = "s", refresh_token = "rt-0", token_url = url, store = own,
        } }
      end
      local one, two, three = client_of(store), client_of(store), client_of(open())
      calira.gather {
        function() return (one:account(101)) end, function() return (two:account(102)) end, function() return (three:account(103)) end,
      }
      assert.equal(1, H.stats(id).token_calls)
    end)

    it("lets other tasks go on while it waits for a lock", function()
      local lock <close> = open().lock()
      local ticks = 0
      local client, id = grants.client("", nil, nil, { store = open() })
      calira.run(function()
        local task = calira.spawn(function() return (client:account(101)) end)
        for _ = 1, 5 do
          calira.sleep(0.02)
          ticks = ticks + 1
        end
        assert.is_false(task:done())
        assert.equal(0, H.stats(id).token_calls)
        getmetatable(lock).__close(lock)
        assert.equal(101, task:wait().id)
      end)
      assert.equal(5, ticks)
    end)

    it("is free again when the process that holds the lock is killed", function()
      local pipe = assert(io.popen(([[exec lua5.4 -e 'local calira = require "calira"; local lock <close> = %s.lock()
        io.write(require("calira.core").process_id(), "\n"); io.flush(); calira.sleep(60)']]):format(
        (expression:gsub("'", [['\'']]):gsub("(%b{})", "(%1)")))))
      local process = pipe:read "l"
      local ticks, got = 0, false
      calira.run(function()
        local task = calira.spawn(function()
          local lock <close> = open().lock()
          got = lock ~= nil
        end)
        repeat
          calira.sleep(0.05)
          ticks = ticks + 1
        until ticks > 3
        assert.is_false(got)
        os.execute("kill -9 " .. process)
        task:wait()
      end)
      pipe:close()
      assert.is_true(got)
    end)

    it("serves processes while the grant expires again and again: a refresh for each time, and no call fails", function()
      local id, expiries <const>, processes <const> = H.id(), 4, 4
      local path = os.tmpname()
      local file <close> = assert(io.open(path, "w"))
      file:write(grants.script(id, expression, "latency=5") .. [[
        local till = calira.time "2000-01-01" and os.time() + 30
        local n = 0
        while os.time() < till and not io.open(arg[1]) do
          assert(client:account(101 + n % 30).id)
          n = n + 1
        end
        print("calls", n)]])
      file:flush()
      local stop = path .. ".stop"
      local pipe <close> = assert(io.popen(("lua5.4 %s %s 2>&1 & "):format(path, stop):rep(processes) .. "wait"))
      for i = 1, expiries do
        local late = H.now() + 20
        while H.stats(id).refreshes < i and H.now() < late do calira.sleep(0.05) end
        calira.sleep(0.1)
        if i < expiries then H.control("expire", id) end
      end
      calira.sleep(0.2)
      assert(io.open(stop, "w")):close()
      local out = pipe:read "a"
      os.remove(path)
      os.remove(stop)
      assert.equal(processes, select(2, out:gsub("calls\t%d+\n", "")), out)
      assert.equal(expiries, H.stats(id).refreshes)
      assert.equal("at-" .. expiries, open().load().access_token)
    end)
  end)
end

describe("file_store", function()
  local folder, path
  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    path = folder .. "/deep/grant.json"
  end)
  after_each(function() os.execute("rm -rf " .. folder) end)

  --- Writes a file as it is.
  local function write(name, text)
    os.execute("mkdir -p " .. folder .. "/deep")
    local file <close> = assert(io.open(name, "w"))
    file:write(text)
  end

  it("is readable by its owner alone, whatever the umask, and leaves nothing beside", function()
    local store = calira.oauth.file_store(path)
    store.save(grant_of())
    assert.equal("600", output("stat -c %a " .. path))
    assert.equal("700", output("stat -c %a " .. folder .. "/deep"))
    os.execute("chmod 644 " .. path)
    store.check()
    store.save(grant_of { access_token = "at-9" })
    assert.equal("600", output("stat -c %a " .. path))
    assert.equal("grant.json", output("ls -A " .. folder .. "/deep"))
  end)

  it("that holds something else is an error, not an empty one", function()
    for _, text in ipairs { "", "{", "7", "hello" } do
      write(path, text)
      assert.equal("argument", H.failure(calira.oauth.file_store(path).load).kind)
    end
    assert.equal("argument", H.failure(calira.oauth.file_store(folder).load).kind)
    assert.equal("argument", H.failure(calira.oauth.file_store("/proc/nope/x").save, grant_of()).kind)
    for _, bad in ipairs { "", 7, {} } do assert.equal("argument", H.failure(calira.oauth.file_store, bad).kind) end
  end)

  it("follows a symbolic link, for the lock too, also one that points to nothing yet", function()
    os.execute(("mkdir -p %s/links; ln -s ../deep/grant.json %s/links/a; ln -s a %s/links/b"):format(folder, folder, folder))
    local linked, plain = calira.oauth.file_store(folder .. "/links/b"), calira.oauth.file_store(path)
    assert.is_nil(linked.load())
    linked.save(grant_of { access_token = "at-7" })
    assert.equal("at-7", plain.load().access_token)
    assert.equal("symbolic link", output(("stat -c %%F %s/links/b"):format(folder)))
    local lock <close> = linked.lock()
    assert.is_false(require "calira.core".try_lock(path .. ".lock"))
    os.execute(("ln -s c %s/links/d; ln -s d %s/links/c"):format(folder, folder))
    assert.equal("argument", H.failure(calira.oauth.file_store(folder .. "/links/c").save, grant_of()).kind)
  end)

  it("says before a refresh that it cannot save: the folder is none, or the disk is full", function()
    write(folder .. "/file", "x")
    local client, id = grants.client("", nil, nil, { store = calira.oauth.file_store(folder .. "/file/grant.json") })
    assert.matches("Not a directory", H.failure(client.account, client, 101).message, 1, true)
    assert.equal(0, H.stats(id).token_calls)
    -- writing beyond the limit of a file's size fails as on a full disk, where the signal is ignored
    local store = calira.oauth.file_store(path)
    store.save(grant_of { created_at = os.time() - 8000 })
    local script = grants.script(H.id(), ("calira.oauth.file_store(%q)"):format(path)) .. [[
      local ok, err = pcall(client.account, client, 101)
      print(ok, err.kind, err.message)]]
    local name = os.tmpname()
    write(name, script)
    local out = output(("sh -c 'trap \"\" XFSZ; ulimit -f 8; exec lua5.4 %s' 2>&1"):format(name))
    os.remove(name)
    assert.matches("^false\tunauthorized\tthe grant is not refreshed.*File too large", out)
    assert.equal("at-0", store.load().access_token)
    assert.equal("grant.json\ngrant.json.lock", output("ls -A " .. folder .. "/deep"))
  end)

  it("that cannot be written after the refresh is written by the next call", function()
    local store = calira.oauth.file_store(path)
    store.save(grant_of { created_at = os.time() - 8000 })
    local client, id = grants.client("tokenlatency=300", nil, nil, { store = store })
    local request = client:request "/accounts/101"
    calira.sleep(0.1)
    assert.equal(1, H.stats(id).token_calls)
    os.execute(("mv %s/deep %s/away; touch %s/deep"):format(folder, folder, folder))
    local err = H.failure(request.wait, request)
    assert.matches("Not a directory", err.message, 1, true)
    assert.equal(0, H.stats(id).calls)
    os.execute(("rm %s/deep; mv %s/away %s/deep"):format(folder, folder, folder))
    assert.equal(102, client:account(102).id)
    assert.same({ 1, "at-1", "rt-1" }, { H.stats(id).token_calls, store.load().access_token, store.load().refresh_token })
  end)

  it("that is a mount point is written in place, with a copy beside", function()
    -- a name space of its own, where anybody may mount
    local mount = ("unshare -rm sh -c 'mount --bind %s/deep/outer.json %s && exec lua5.4 %%s'"):format(folder, path)
    write(path, "")
    write(folder .. "/deep/outer.json", '{"access_token":"at-dead","refresh_token":"rt-0","expires_in":7200,"created_at":1}')
    local id, name = H.id(), os.tmpname()
    write(name, grants.script(id, ("calira.oauth.file_store(%q)"):format(path)) .. "print(client:account(101).id)")
    local out = output(mount:format(name) .. " 2>&1")
    os.remove(name)
    assert.equal("101", out)
    local outer = calira.oauth.file_store(folder .. "/deep/outer.json")
    assert.equal("rt-1", outer.load().refresh_token)
    assert.equal("600", output(("stat -c %%a %s.copy"):format(path)))
    assert.equal("rt-1", calira.oauth.file_store(path .. ".copy").load().refresh_token)
  end)

  it("that was cut short while it was written in place is read from the copy, an older copy is not", function()
    local store, copy = calira.oauth.file_store(path), calira.oauth.file_store(path .. ".copy")
    copy.save(grant_of { access_token = "at-copied" })
    assert.is_nil(store.load())
    for _, torn in ipairs { "", '{"access_token":"at-2","ref' } do
      write(path, torn)
      assert.equal("at-copied", store.load().access_token)
    end
    write(path, '{"access_token":"at-2"}')
    assert.equal("at-2", store.load().access_token)
    os.execute(("touch -d '2001-01-01' %s"):format(path))
    assert.equal("at-copied", store.load().access_token)
    store.save(grant_of { access_token = "at-3" })
    assert.equal("at-3", store.load().access_token)
    assert.equal("grant.json", output("ls -A " .. folder .. "/deep"))
  end)
end)

describe("postgres_store", function()
  it("takes an address and a name, and shows no password", function()
    for _, bad in ipairs { {}, { dsn = 7 }, { dsn = "a", name = 7 }, { dsn = "x", table = "y" }, "postgresql://x" } do
      assert.equal("argument", H.failure(calira.oauth.postgres_store, bad).kind)
    end
    for _, dsn in ipairs { "postgresql://u:very-secret@127.0.0.1:1/x", "host=127.0.0.1 port=1 password=very-secret", "very-secret" } do
      local store = calira.oauth.postgres_store { dsn = dsn }
      local err = H.failure(store.load)
      assert.equal("network", err.kind)
      assert.is_nil(tostring(err):find("very-secret", 1, true))
      assert.is_false(store.check())
    end
  end)

  it("that is lost during the refresh keeps the new grant in memory, and saves it when the database is back", function()
    local store = calira.oauth.postgres_store { dsn = database.dsn, name = "lost" }
    store.save(grant_of { created_at = os.time() - 8000 })
    local client, id = grants.client("tokenlatency=500", nil, nil, { store = store })
    local request = client:request "/accounts/101"
    calira.sleep(0.2)
    assert.equal(1, H.stats(id).token_calls)
    database:pause()
    local err = H.failure(request.wait, request)
    assert.matches("cannot be reached", err.message, 1, true)
    assert.equal("network", H.failure(client.account, client, 101).kind)
    database:resume()
    assert.equal("rt-0", store.load().refresh_token)
    assert.equal(102, client:account(102).id)
    assert.same({ 1, "rt-1" }, { H.stats(id).token_calls, store.load().refresh_token })
  end)

  it("keeps a lock that a forked child lets go", function()
    local store = calira.oauth.postgres_store { dsn = database.dsn, name = "forked" }
    local held <close> = store.lock()
    local child = host.fork()
    if child == 0 then
      local ok = pcall(function() local inherited <close> = held end) -- luacheck: ignore
      host.exit(ok and 0 or 1)
    end
    assert.equal(0, host.wait(child))
    assert.equal("1", held:run("select count(*) as n from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()")[1].n)
  end)

  it("keeps a row for each name", function()
    for _, name in ipairs { "a", "b" } do
      calira.oauth.postgres_store { dsn = database.dsn, name = name }.save { access_token = "at-" .. name }
    end
    assert.equal("at-a", calira.oauth.postgres_store { dsn = database.dsn, name = "a" }.load().access_token)
    assert.equal("2", database:sql "select count(*) from calira_grants where name in ('a', 'b')")
    database:sql "insert into calira_grants values ('odd', '7')"
    assert.equal("argument", H.failure(calira.oauth.postgres_store { dsn = database.dsn, name = "odd" }.load).kind)
  end)

  it("is ended", function() -- the last of this file
    database:stop()
    assert.is_nil(io.open(database.folder))
  end)
end)
