--- The C programs of examples/embed: a host with a loop of its own, a limit of memory and scripts that it does not trust; and a state for
-- each of four threads. They find no file of the library on disk.

local helper = require "spec.support.helper"

local PROGRAMS <const> = assert(os.getenv "CALIRA_TREE") .. "/examples/"

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

--- Runs one: its stdout, stderr and status.
local function program(name, words, scenario)
  local out, err = os.tmpname(), os.tmpname()
  local command <const> = "env -u LUA_PATH CALIRA_BASE_URL='%s' CALIRA_TOKEN=%s timeout 100 '%s%s' %s >%s 2>%s </dev/null"
  local _, _, status = os.execute(command:format(helper.url(scenario), helper.token, PROGRAMS, name, words, out, err))
  local texts = { read(out), read(err) }
  os.remove(out)
  os.remove(err)
  return texts[1], texts[2], status
end

--- Runs a script in embed.
local function embed(script)
  local path <const> = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(script)
  file:close()
  local out, err, status = program("embed", path)
  os.remove(path)
  return out, err, status
end

describe("embed", function()
  it("prints a lab's bookings", function()
    local out, err, status = program("embed", "", "latency=5")
    assert.equal("", err)
    assert.equal(0, status)
    assert.matches("^12345\tConfirmed\tAdvanced Microscope\n", out)
    assert.equal(10, select(2, out:gsub("\n", "")))
  end)

  it("says what went wrong", function()
    local _, err, status = program("embed", "", "failpage=403:1")
    assert.equal(1, status)
    assert.matches("^embed: calira: GET /bookings: 403: ", err)
    _, err, status = program("embed", "/no/such/script.lua")
    assert.equal(1, status)
    assert.matches("^embed: /no/such/script.lua: No such file", err)
    _, err, status = embed "x x"
    assert.equal(1, status)
    assert.matches("syntax error", err)
  end)

  it("gives a script so much memory and no more, and survives it", function()
    local out, err, status = embed [[
      local kept = {}
      local ok, why = pcall(function()
        for b in calira.bookings{ provider = 102 } do kept[#kept + 1] = string.rep(b.id, 1000000) end
      end)
      print(ok, why, #kept)
      kept = nil
      local n = 0
      for _ in calira.bookings{ provider = 102 } do n = n + 1 end
      print(n)]]
    assert.equal("", err)
    assert.equal(0, status)
    assert.matches("^false\tnot enough memory\t[1-6]\n250\n$", out)
  end)

  it("shows a script nothing but the reader's calls", function()
    local out, err, status = embed [[
      for _, name in ipairs{ "io", "os", "require", "load", "loadfile", "dofile", "debug", "package", "getmetatable", "setmetatable",
        "rawset", "collectgarbage", "coroutine", "warn", "_G" } do assert(_ENV[name] == nil, name) end
      for _, name in ipairs{ "new", "configure", "default", "oauth", "get", "list", "request", "step" } do
        assert(calira[name] == nil, name)
      end
      string.format = nil
      print(("%d"):format(calira.booking(12345).id), calira.account(102).name)]]
    assert.equal("", err)
    assert.equal(0, status)
    assert.equal("12345\tEquipment Sharing Lab\n", out)
    out, err, status = embed(string.dump(load "print(1)"))
    assert.equal("", out)
    assert.matches("attempt to load a binary chunk", err)
    assert.equal(1, status)
  end)
end)

describe("threads", function()
  it("reads a lab in each of four threads, at the same time", function()
    local out, err, status = program("threads", "101 102 103 102", "latency=20")
    assert.equal("", err)
    assert.equal(0, status)
    assert.equal("lab 101: 320 bookings\nlab 102: 250 bookings\nlab 103: 140 bookings\nlab 102: 250 bookings\n", out)
  end)

  it("says which failed", function()
    local out, err, status = program("threads", "102 103", "failpage=403:1")
    assert.equal(1, status)
    assert.equal("", out)
    assert.matches("^calira: GET /bookings: 403: [^\n]+\ncalira: GET /bookings: 403: [^\n]+\n$", err)
    out, err, status = program("threads", "")
    assert.equal(1, status)
    assert.equal("", out)
    assert.matches("^usage: threads", err)
  end)
end)
