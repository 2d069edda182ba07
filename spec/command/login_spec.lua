--- `calira login`, with the sandbox's own page of consent.

local calira = require "calira"
local command = require "spec.support.command"
local helper = require "spec.support.helper"

describe("calira login", function()
  local folder = os.tmpname()
  os.remove(folder)

  --- Runs the command; `answer` makes what is pasted out of the address where the browser was sent.
  local function login(id, answer, options, env)
    local origin = helper.url("", id):gsub("/v1$", "")
    local fifo, out = folder .. ".in", folder .. ".out"
    os.execute(("mkfifo %s"):format(fifo))
    local pipe = assert(io.popen(([[%s CALIRA_CLIENT_ID=app CALIRA_CLIENT_SECRET=secret CALIRA_GRANT_FILE=%s/grant.json \
      lua5.4 bin/calira login --redirect-uri https://example.org/back --authorize-url '%s/oauth/authorize' \
      --token-url '%s/oauth/token' %s <%s 2>&1; echo "status $?"]]):format(env or "", folder, origin, origin, options or "", fifo)))
    local input = assert(io.open(fifo, "w"))
    local address
    repeat address = pipe:read("l"):match "^%s+(http%S+)" until address
    local sent <close> = assert(io.popen(("curl -s -o %s -w '%%{redirect_url}' '%s'"):format(out, address)))
    input:write(answer(sent:read "a"), "\n")
    input:close()
    local rest = pipe:read "a"
    pipe:close()
    os.remove(fifo)
    os.remove(out)
    return rest
  end

  after_each(function() os.execute("rm -rf " .. folder) end)

  it("keeps the grant where the default client looks for it", function()
    local id = helper.id()
    local said = login(id, function(address) return address end)
    assert.matches("status 0", said)
    assert.matches(folder .. "/grant.json", said, 1, true)
    local out = helper.script([[print(require("calira").booking(12345).id)]],
      ("CALIRA_TOKEN= CALIRA_GRANT_FILE=%s/grant.json CALIRA_BASE_URL='%s'"):format(folder, helper.url("", id)))
    assert.equal("12345\n", out)
  end)

  it("keeps whose the grant is, and refreshes there", function()
    local id = helper.id()
    local path = folder .. "/grant.json"
    login(id, function(address) return address end)
    local store = calira.oauth.file_store(path)
    local grant = store.load()
    assert.same({ (helper.url("", id):gsub("/v1$", "/oauth/token")), "app" }, { grant.token_url, grant.client_id })
    helper.control("expire", id)
    local out = helper.script([[print(require("calira").booking(12345).id)]],
      ("CALIRA_TOKEN= CALIRA_CLIENT_SECRET=secret CALIRA_GRANT_FILE=%s CALIRA_BASE_URL='%s'"):format(path, helper.url("", id)))
    assert.equal("12345\n", out)
    assert.equal(1, helper.stats(id).refreshes)
    assert.equal("rt-2", store.load().refresh_token)
  end)

  it("asks for no code where the grant cannot be kept, or would be of another service than CALIRA_BASE_URL", function()
    local function said(env)
      local line = "env -u CALIRA_TOKEN_URL CALIRA_CLIENT_ID=a CALIRA_CLIENT_SECRET=s %s lua5.4 bin/calira login 2>&1 </dev/null"
      local pipe <close> = assert(io.popen(line:format(env)))
      return pipe:read "a"
    end
    local out = said "CALIRA_BASE_URL= CALIRA_GRANT_FILE=/dev/null/grant.json"
    assert.matches("the grant could not be kept", out, 1, true)
    assert.is_nil(out:find("Open this address", 1, true))
    out = said(("CALIRA_BASE_URL=https://api.staging.example.org/v1 CALIRA_GRANT_FILE=%s/grant.json"):format(folder))
    assert.matches("--token-url", out, 1, true)
    assert.is_nil(out:find("Open this address", 1, true))
    assert.matches("HOME is not set", said "CALIRA_BASE_URL= HOME= XDG_CONFIG_HOME= CALIRA_GRANT_FILE=", 1, true)
  end)

  it("refuses an address that belongs to another login", function()
    local said = login(helper.id(), function(address) return (address:gsub("state=%x", "state=z")) end)
    assert.matches("status 1", said)
    assert.matches("does not belong to this login", said, 1, true)
    assert.is_nil(io.open(folder .. "/grant.json"))
  end)

  it("says what to do where the code is refused", function()
    local said = login(helper.id(), function() return "no-such-code" end)
    assert.matches("status 4", said)
    assert.matches("; run 'calira login' again", said, 1, true)
    assert.is_nil(said:find("calira.oauth", 1, true))
  end)

  it("says what it needs", function()
    local _, err, status = command.run("login", { env = { CALIRA_CLIENT_ID = "" } })
    assert.matches("set CALIRA_CLIENT_ID and CALIRA_CLIENT_SECRET", err, 1, true)
    assert.equal(1, status)
    assert.matches("Usage: calira login", (command.out "login --help"), 1, true)
    local file = { CALIRA_CLIENT_ID = "a", CALIRA_CLIENT_SECRET = "b", CALIRA_GRANT_FILE = folder .. "/grant.json", CALIRA_BASE_URL = "" }
    assert.matches("nothing was pasted", select(2, command.run("login", { env = file })), 1, true)
  end)

  it("keeps a profile, which goes before the environment, until logout", function()
    local id = helper.id()
    local origin = helper.url("", id):gsub("/v1$", "")
    local said = login(id, function(address) return address end,
      ("--profile cambridge --base-url %s/v1"):format(origin), "XDG_CONFIG_HOME=" .. folder)
    assert.matches("status 0", said)
    assert.matches("profile cambridge uses it", said, 1, true)
    local env = { XDG_CONFIG_HOME = folder, CALIRA_BASE_URL = "http://127.0.0.1:1/v1", CALIRA_TOKEN = "wrong" }
    assert.equal("id\r\n12345\r\n", (command.out("booking 12345 --profile cambridge --fields id --format csv", { env = env })))
    assert.equal('{"id":12345}\n', (command.out("--profile cambridge get /bookings/12345 --fields id", { env = env })))
    local _, err, status = command.run("tree --profile oxford", { env = env })
    assert.equal(2, status)
    assert.matches("there is no profile \"oxford\"", err, 1, true)
    assert.matches("there are: cambridge", err, 1, true)
    local mode <close> = io.popen(("stat -c %%a %s/calira/profiles.json %s/calira/grant-cambridge.json"):format(folder, folder))
    assert.equal("600\n600\n", mode:read "a")
    env.CALIRA_PROFILE = "cambridge"
    assert.matches("Removed .*grant%-cambridge.json", (command.out("logout", { env = env })))
    assert.equal(2, select(3, command.run("tree", { env = env })))
    assert.is_nil(io.open(folder .. "/calira/grant-cambridge.json"))
  end)

  it("is undone by logout", function()
    login(helper.id(), function(address) return address end)
    local env = { CALIRA_TOKEN = "", CALIRA_GRANT_FILE = folder .. "/grant.json" }
    assert.matches("Removed", (command.out("logout", { env = env })))
    local _, err, status = command.run("tree", { env = env })
    assert.equal(4, status)
    assert.matches("run 'calira login'", err, 1, true)
    assert.matches("There is no", (command.out("logout", { env = env })), 1, true)
  end)
end)
