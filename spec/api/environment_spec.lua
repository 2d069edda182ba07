--- CONTRACT sections 1 and 2: the options of a client, the environment, the default client, traces.

local calira = require "calira"
local H = require "spec.support.helper"
local warnings = require "spec.support.warnings"

local TOKEN <const> = "a-token-that-must-not-be-shown"

local function with(name, value)
  return { token = TOKEN, base_url = H.url(), [name] = value }
end

--- The message of the argument error that making a client of these options raises.
local function refused(options)
  local err = H.failure(calira.new, options)
  assert.equal("argument", err.kind)
  assert.is_nil(tostring(err):find(TOKEN, 1, true), "a message shows the token")
  return err.message
end

-- What an option takes, and what it does not.
local ABOVE_0 <const> = { good = { 0.001, 1, 3600 }, bad = { 0, -1, 0 / 0, math.huge, "1", true, {} } }
local FROM_0 <const> = { good = { 0, 0.5, 1000 }, bad = { -0.1, 0 / 0, math.huge, "1", true } }
local FLAG <const> = { good = { true, false }, bad = { 1, "true", "" } }
local TEXT <const> = { good = { "x" }, bad = { 1, true, {}, "a\nb", "a\0b" } }
local function whole(least, most)
  return { good = { least, most, least + 0.0 }, bad = { least - 1, most + 1, least + 0.5, tostring(least), 0 / 0, true } }
end

local OPTIONS <const> = {
  timeout = ABOVE_0, connect_timeout = ABOVE_0, deadline = ABOVE_0, rate = ABOVE_0, max_wait = FROM_0, retries = whole(0, 100),
  max_in_flight = whole(1, 1000), lookahead = whole(0, 64), max_body = { good = { 1, 1 << 30 }, bad = { 0, -1, 1.5, "9" } },
  backoff = {
    good = { {}, { base = 1 }, { max = 5 }, { base = 0, max = 0 } },
    bad = { 1, { base = -1 }, { max = "x" }, { least = 1 }, { 1, 2 } },
  },
  strict = FLAG, insecure = FLAG, allow_http = FLAG, user_agent = TEXT, proxy = TEXT, ca_file = TEXT, ca_path = TEXT,
  trace = { good = { print, setmetatable({}, { __call = print }) }, bad = { 1, "print", {}, true } },
}

describe("an option", function()
  for name, values in pairs(OPTIONS) do
    it(name .. " takes what it says, and nothing else", function()
      for _, good in ipairs(values.good) do calira.new(with(name, good)) end
      for _, bad in ipairs(values.bad) do
        local message = refused(with(name, bad))
        assert.matches(name, message, 1, true)
      end
    end)
  end

  it("that does not exist is named, with those that do", function()
    local message = refused { token = TOKEN, tiemout = 3 }
    assert.matches("tiemout", message, 1, true)
    for _, name in ipairs {
      "base_url", "token", "oauth", "timeout", "connect_timeout", "deadline", "retries", "backoff", "max_wait", "max_in_flight", "rate",
      "lookahead", "max_body", "strict", "user_agent", "proxy", "ca_file", "ca_path", "insecure", "allow_http", "trace",
    } do
      assert.matches("%f[%w_]" .. name .. "%f[^%w_]", message)
    end
    assert.matches("base, max", refused(with("backoff", { least = 1 })), 1, true)
  end)

  it("of a call that does not exist is named, with those that do", function()
    local client, id = H.client()
    for _, name in ipairs { "bookings", "accounts", "equipment", "groups", "projects" } do
      local err = H.failure(client[name], client, { perpage = 5 })
      assert.equal("argument", err.kind)
      assert.matches("perpage", err.message, 1, true)
      assert.matches("per_page", err.message, 1, true)
    end
    for name, bad in pairs {
      per_page = { 0, 101, 500, 1.5, "5" }, page = { 0, -1, 1.5 }, limit = { -1, 1.5, "1" }, lookahead = { -1, 65 }, params = { "x" }, strict = { 1 },
      exact = { 1 }, details = { "yes" }, where = { 1 }, on_page = { "f" }, unordered = { 1 }, on_error = { 1 }, forms = { 1 }, equipment = { 1 },
    } do
      for _, value in ipairs(bad) do
        local err = H.failure(client.bookings, client, { [name] = value })
        assert.equal("argument", err.kind)
        assert.matches(name, err.message, 1, true)
      end
    end
    assert.equal(0, H.stats(id).calls)
  end)

  it("token is a text without white space, or a function; never shown", function()
    for _, bad in ipairs { TOKEN .. "\n", TOKEN .. " x", "", TOKEN .. "\0", 7, true, { TOKEN } } do refused { token = bad } end
    refused {}
    refused()
    assert.equal("argument", H.failure(calira.new, TOKEN).kind)
    assert.is_nil(tostring(H.failure(calira.new, TOKEN)):find(TOKEN, 1, true))
    refused { oauth = TOKEN }
    refused { oauth = { refresh_token = TOKEN } }
    refused { oauth = { refresh_token = TOKEN .. "\n", store = { load = print, save = print } } }
    refused { oauth = { client_secret = TOKEN .. "\n", store = { load = print, save = print } } }
    refused(with("proxy", "http://user:" .. TOKEN .. "@host\n"))
  end)

  it("oauth wants a store with load and save, and knows its fields", function()
    for _, store in ipairs { 1, {}, { load = print }, { save = print } } do refused { oauth = { store = store } } end
    assert.matches("store", refused { oauth = { client_id = "x" } }, 1, true)
    assert.matches("client_id", refused { oauth = { clientid = "x", store = { load = print, save = print } } }, 1, true)
    calira.new { oauth = { store = { load = print, save = print } } }
  end)

  it("goes to the service: user agent, and none", function()
    local client, id = H.client()
    client:get "/accounts/101"
    assert.same({ "calira/0.1.0" }, H.stats(id).user_agents)
    client, id = H.client("", { user_agent = "lab-report/2" })
    client:get "/accounts/101"
    assert.same({ "lab-report/2" }, H.stats(id).user_agents)
  end)
end)

describe("base_url", function()
  it("may have a path and a trailing slash; /v1 is never added", function()
    for _, tail in ipairs { "", "/", "//" } do
      local id = H.id()
      local client = calira.new { token = H.token, base_url = H.url("", id) .. tail }
      client:get "/accounts/101"
      assert.same({ ["/v1/accounts/101"] = 1 }, H.stats(id).paths)
    end
    local id = H.id()
    local client = calira.new { token = H.token, base_url = H.url("", id):gsub("/v1$", "") }
    assert.equal("not_found", H.failure(client.get, client, "/accounts/101").kind)
    assert.same({ ["/accounts/101"] = 1 }, H.stats(id).paths)
  end)

  it("may not be anything else", function()
    for _, bad in ipairs {
      "", "x", "127.0.0.1", "ftp://h/", "file:///etc/passwd", "HTTPS//h", "https://", "https:///v1", "https://h/?a=b", "https://h/v1?",
      "https://h/v1#x", "https://h/#", "https://user@h/",
      "https://user:pw@h/v1", "https://h/v1 ", "https://h/\n", "https://h\\@evil/", "https://h:99999/",
      7, true, {},
    } do
      assert.matches("base_url", refused { token = TOKEN, base_url = bad }, 1, true)
    end
  end)

  it("over plain http is for this machine alone, unless allowed", function()
    for _, host in ipairs { "example.org", "10.0.0.1", "127.0.0.1.example.org", "localhost.example.org", "128.0.0.1", "[::2]" } do
      assert.matches("http", refused { token = TOKEN, base_url = "http://" .. host .. "/v1" }, 1, true)
      assert.matches("allow_http", refused { token = function() return TOKEN end, base_url = "http://" .. host .. "/v1" }, 1, true)
      calira.new { token = TOKEN, base_url = "http://" .. host .. "/v1", allow_http = true }
      calira.new { token = TOKEN, base_url = "https://" .. host .. "/v1" }
    end
    for _, host in ipairs { "127.0.0.1", "127.9.9.9", "localhost", "LOCALHOST", "[::1]", "127.1" } do
      calira.new { token = TOKEN, base_url = "http://" .. host .. ":1/v1" }
    end
  end)
end)

describe("the environment", function()
  --- What a script prints on the default client with these variables.
  local function under(env, text)
    local assignments = "env -u CALIRA_TOKEN -u CALIRA_BASE_URL -u CALIRA_GRANT_STORE -u CALIRA_TOKEN_URL"
    for name, value in pairs(env) do assignments = ("%s %s='%s'"):format(assignments, name, value) end
    return H.script('local calira = require "calira"\n' .. text, assignments)
  end
  local SHOW <const> = [[
    local ok, err = pcall(function() return calira.account(101).id end)
    print(ok and err or err.kind .. ": " .. tostring(err))
  ]]

  it("gives the token and the address", function()
    local id = H.id()
    assert.equal("101\n", under({ CALIRA_TOKEN = H.token, CALIRA_BASE_URL = H.url("", id) }, SHOW))
    assert.same({ "Bearer " .. H.token }, H.stats(id).authorizations)
  end)

  it("without a token is an error of the first call, which says what to do", function()
    local expected = "argument: calira: no token: set CALIRA_TOKEN, run 'calira login', or call calira.configure{ token = … } ("
    for _, env in ipairs { {}, { CALIRA_TOKEN = "" } } do
      env.CALIRA_BASE_URL = H.url()
      local out = under(env, SHOW)
      assert.equal(expected, out:sub(1, #expected))
    end
    assert.equal("calira 0.1.0\n", under({}, "print(calira._VERSION)"))
  end)

  it("gives the file of a grant, after the token", function()
    local path = os.tmpname()
    local file <close> = assert(io.open(path, "w"))
    file:write(('{"access_token":"%s","refresh_token":"rt","expires_in":7200,"created_at":%d}'):format(H.token, os.time()))
    file:flush()
    local id = H.id()
    local env = { CALIRA_GRANT_FILE = path, CALIRA_BASE_URL = H.url("", id) }
    assert.equal("101\n", under(env, SHOW))
    env.CALIRA_TOKEN = "sandbox-token:read_accounts"
    assert.equal("101\n", under(env, SHOW))
    assert.same({ "Bearer " .. H.token, "Bearer sandbox-token:read_accounts" }, H.stats(id).authorizations)
    os.remove(path)
  end)

  it("gives the file of a grant by the folder for settings", function()
    local folder = os.tmpname()
    os.remove(folder)
    os.execute(("mkdir -p %s/calira"):format(folder))
    local file = assert(io.open(folder .. "/calira/grant.json", "w"))
    file:write(('{"access_token":"%s"}'):format(H.token))
    file:close()
    assert.equal("101\n", under({ XDG_CONFIG_HOME = folder, CALIRA_BASE_URL = H.url() }, SHOW))
    os.execute("rm -r " .. folder)
  end)

  it("says what is missing, and not what is there", function()
    local seed = { CALIRA_REFRESH_TOKEN = "rt-0", HOME = "", XDG_CONFIG_HOME = "" }
    assert.matches("no token: CALIRA_REFRESH_TOKEN is set, but HOME is not: set CALIRA_GRANT_FILE", (under(seed, SHOW)), 1, true)
    local homeless = under({ HOME = "", XDG_CONFIG_HOME = "" }, SHOW)
    assert.matches("no token: set CALIRA_TOKEN", homeless, 1, true)
    assert.matches("HOME is not set", homeless, 1, true)
    local elsewhere = under({ CALIRA_TOKEN = TOKEN }, ("print(pcall(calira.configure, { base_url = %q }))"):format(H.url()))
    assert.matches("no token: that of the environment is not sent to another base_url", elsewhere, 1, true)
    assert.is_nil(elsewhere:find("set CALIRA_TOKEN", 1, true) or elsewhere:find(TOKEN, 1, true))
  end)

  it("gives a grant its token endpoint and application; one of another service, or of none that is known, goes nowhere", function()
    local path, id = os.tmpname(), H.id()
    local function write(fields)
      local file <close> = assert(io.open(path, "w"))
      file:write('{"access_token":"at-dead","refresh_token":"rt-0","expires_in":7200,"created_at":1', fields, "}")
    end
    local url = H.url("", id):gsub("/v1$", "/oauth/token")
    local env = { CALIRA_GRANT_FILE = path, CALIRA_BASE_URL = H.url("", id), CALIRA_CLIENT_SECRET = "s" }
    write(',"token_url":"https://app.clustermarket.com/oauth/token","client_id":"c"')
    local out = under(env, SHOW)
    assert.matches("^argument: .*of another service.*; run 'calira login'", out)
    write ""
    env.CALIRA_CLIENT_ID = "c"
    assert.matches("^argument: .*takes the token_url", (under(env, SHOW)))
    write((',"token_url":"%s","client_id":"c"'):format(url))
    env.CALIRA_CLIENT_ID = "another"
    assert.matches("^argument: .*of another application", (under(env, SHOW)))
    assert.same({ 0, 0 }, { H.stats(id).calls, H.stats(id).token_calls })
    env.CALIRA_CLIENT_ID = nil
    assert.equal("101\n", under(env, SHOW))
    assert.equal(1, H.stats(id).refreshes)
    env.CALIRA_GRANT_FILE = path .. ".seeded"
    env.CALIRA_CLIENT_ID, env.CALIRA_TOKEN_URL, env.CALIRA_REFRESH_TOKEN = "c", url, "rt-dead"
    out = under(env, SHOW)
    assert.matches("^unauthorized: .*grant is not valid any more.*; run 'calira login'", out)
    assert.is_nil(out:find("consent", 1, true))
    os.execute(("rm -f %s*"):format(path))
  end)

  it("that names a grant which cannot be read is told so, not that there is none", function()
    local out = under({ CALIRA_GRANT_FILE = "/", CALIRA_BASE_URL = H.url() }, SHOW)
    assert.matches("the grant file / cannot be read", out, 1, true)
    out = under({ CALIRA_GRANT_STORE = "redis://x", CALIRA_BASE_URL = H.url() }, SHOW)
    assert.matches("CALIRA_GRANT_STORE takes the address of a database", out, 1, true)
    out = under({ CALIRA_GRANT_STORE = "postgresql://127.0.0.1:1/x", CALIRA_BASE_URL = H.url() }, SHOW)
    assert.matches("^network: .*database of the grant cannot be reached", out)
  end)

  it("says which application an oauth of configure is, where that does not", function()
    local id = H.id()
    local configure = ([[
      local grant
      calira.configure { base_url = %q, oauth = { refresh_token = "rt-0", token_url = %q, %%s
        store = { load = function() return grant end, save = function(g) grant = g end, lock = function() end } } }
      print(calira.account(101).id, grant.client_id)]]):format(H.url("", id), H.url("", id):gsub("/v1$", "/oauth/token"))
    local env = { CALIRA_CLIENT_ID = "of-the-environment", CALIRA_CLIENT_SECRET = "s" }
    assert.equal("101\tof-the-environment\n", (under(env, configure:format "")))
    H.control("reset", id)
    assert.equal("101\tmine\n", (under(env, configure:format 'client_id = "mine",')))
  end)

  it("is not read by calira.new", function()
    local out = under({ CALIRA_TOKEN = H.token, CALIRA_BASE_URL = H.url() }, "print(pcall(calira.new, {}))")
    assert.matches("^false\tcalira: a client takes a token", out)
    out = under({ CALIRA_TOKEN = H.token, CALIRA_BASE_URL = H.url() }, 'print(calira.new{ token = "x" })')
    assert.matches("https://api.clustermarket.com/v1", out, 1, true)
  end)

  it("fills what configure leaves out: the token only for its own address", function()
    local mine, theirs = H.id(), H.id()
    local env = { CALIRA_TOKEN = H.token, CALIRA_BASE_URL = H.url("", mine) }
    assert.equal("101\n", under(env, "calira.configure{ retries = 0 }" .. SHOW))
    assert.equal("101\n", under(env, "assert(calira.configure() == calira.default())" .. SHOW))
    assert.equal(2, H.stats(mine).calls)
    local out = under(env, ("calira.configure{ base_url = %q }"):format(H.url("", theirs)) .. SHOW)
    assert.equal("", out)
    out = under(env, ("print(pcall(calira.configure, { base_url = %q }))"):format(H.url("", theirs)))
    assert.matches("^false\tcalira: no token", out)
    out = under(env, ("calira.configure{ base_url = %q, token = 'sandbox-token:read_accounts' }"):format(H.url("", theirs)) .. SHOW)
    assert.equal("101\n", out)
    assert.same({ "Bearer sandbox-token:read_accounts" }, H.stats(theirs).authorizations)
  end)

  it("CALIRA_TRACE=1 prints a line for each event", function()
    local out, err = under({ CALIRA_TRACE = "1", CALIRA_TOKEN = H.token, CALIRA_BASE_URL = H.url "firstfail=503:1" }, SHOW)
    assert.equal("101\n", out)
    local events = {}
    for line in err:gmatch "[^\n]+" do events[#events + 1] = line:match "^calira: (%w+)" or line end
    assert.same({ "request", "response", "retry", "wait", "request", "response" }, events)
    assert.matches("GET /accounts/101", err, 1, true)
    assert.is_nil(err:find(H.token, 1, true))
    out, err = under({ CALIRA_TRACE = "0", CALIRA_TOKEN = H.token, CALIRA_BASE_URL = H.url() }, SHOW)
    assert.same({ "101\n", "" }, { out, err })
  end)
end)

describe("configure", function()
  it("makes a new default client; open lists keep theirs", function()
    local before, after = H.id(), H.id()
    local first = calira.configure { base_url = H.url("", before), token = H.token }
    assert.equal(first, calira.default())
    local list = calira.accounts { per_page = 20, lookahead = 0 }
    list:next()
    local second = calira.configure { base_url = H.url("", after), token = H.token }
    assert.are_not.equal(first, second)
    assert.equal(second, calira.default())
    assert.equal(44, #list:collect())
    assert.same({ 3, 0 }, { H.stats(before).calls, H.stats(after).calls })
    calira.account(101)
    assert.equal(1, H.stats(after).calls)
  end)

  it("takes a table of options", function()
    assert.equal("argument", H.failure(calira.configure, "token").kind)
    assert.equal("argument", H.failure(calira.configure, { token = "x", bese_url = "" }).kind)
  end)
end)

describe("a trace function", function()
  it("is told each request, response, retry, wait and verdict", function()
    local events = {}
    local client = H.client("firstfail=429:1;retry_after=0", { trace = function(e) events[#events + 1] = e end })
    client:accounts():collect()
    local names = {}
    for i, event in ipairs(events) do
      names[i] = event.event
      assert.equal("table", type(event))
      if event.event == "request" or event.event == "response" then
        assert.equal("GET", event.method)
        assert.equal("/accounts?page=1&per_page=100", event.path)
      end
      for name, value in pairs(event) do
        assert.is_nil(tostring(value):find(H.token, 1, true), name)
      end
    end
    table.sort(names)
    assert.same({ "request", "request", "response", "response", "retry", "verdict", "wait" }, names)
    assert.equal(429, events[2].status)
    assert.equal("complete", events[#events].verdict)
  end)

  it("is told of a call before it returns", function()
    local told = 0
    local client = H.client("", { trace = function() told = told + 1 end })
    for i = 1, 50 do
      client:account(101)
      assert.equal(2 * i, told)
    end
  end)

  it("is told a refresh", function()
    local id, events = H.id(), {}
    local client = calira.new {
      base_url = H.url("", id), trace = function(e) events[e.event] = (events[e.event] or 0) + 1 end,
      oauth = {
        client_id = "c", client_secret = "s", refresh_token = "rt-0", token_url = H.url("", id):gsub("/v1$", "/oauth/token"),
        store = { load = function() end, save = function() end, lock = function() end },
      },
    }
    client:get "/accounts/101"
    assert.equal(1, events.refresh)
  end)

  it("that fails becomes a warning, and the call goes on", function()
    local client = H.client("", { trace = function() error "oops" end })
    assert.equal(101, client:account(101).id)
    client:accounts():collect()
    local told = warnings.take()
    assert.equal(5, #told, table.concat(told, "\n"))
    for _, text in ipairs(told) do assert.matches("calira: .*oops", text) end
  end)
end)
