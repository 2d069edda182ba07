--- What goes to PostgreSQL is quoted: whatever is in a value, it is read back the same, and never runs.

local H = require "spec.support.helper"
local json = require "calira.values.json"
local host = require "spec.support.host"
local postgres = require "spec.support.postgres"
local session = require "calira.postgres.session"
local writer = require "calira.export.postgres.writer"

local database = postgres.start()

local HOSTILE <const> = {
  "", "'", "''", "\\", "\\'", "'\\", "\\\\'", "'; DROP TABLE calira_bookings; --", "\\'; DROP TABLE calira_bookings; --", "/* ", "*/", "--",
  "$$", "$1", "?", "%s", "%", "%%1", "\n", "\r\n", "\t", "\b", "\x01", "\x1b[31m", "\x7f", "\u{80}", "\u{FFFD}", "\u{10FFFF}", "\u{FEFF}",
  "\u{2019}", "E'", " E'\\''", "U&'\\0041'", "\\x41", "\\101", "\\u0041", "NULL", "null", "{}", "\"", "`", ";", ("'"):rep(1000), ("\\"):rep(1001),
}

describe("values for PostgreSQL", function()
  local open
  lazy_setup(function() open = session.open(database.dsn, { what = "the database", seconds = 10 }) end)
  lazy_teardown(function()
    open:close()
    database:stop()
  end)

  --- Reads values back, several in one statement, as they stand beside each other in a real one.
  local function echo(...)
    local row = open:run("SELECT ? AS a, ?::text AS b, 'x' AS c", ...)[1]
    assert.equal("x", row.c)
    return row.a, row.b
  end

  for _, setting in ipairs { "on", "off" } do
    it("are read back as they were, with standard_conforming_strings " .. setting, function()
      open:run("SET standard_conforming_strings = " .. setting .. "; SET escape_string_warning = off")
      for _, one in ipairs(HOSTILE) do
        for _, other in ipairs { "", "'", "\\", "ok" } do
          local a, b = echo(one, other)
          assert.equal(one, a)
          assert.equal(other, b)
        end
      end
      open:run "SET standard_conforming_strings = on"
    end)
  end

  it("are read back as they were, of random pieces", function()
    math.randomseed(20261127)
    local pieces = { "'", "\\", "\"", ";", "--", "$", "E", "?", "%", "\n", "ü", "\u{1F52C}", " ", "a", "0", "/*", "*/" }
    for _ = 1, 2000 do
      local parts = {}
      for i = 1, math.random(0, 12) do parts[i] = pieces[math.random(#pieces)] end
      local value = table.concat(parts)
      local a, b = echo(value, value)
      assert.equal(value, a)
      assert.equal(value, b)
    end
  end)

  it("are refused where PostgreSQL cannot hold them", function()
    for _, value in ipairs { "\0", "a\0b", "\xff", "\xc3", "\xed\xa0\x80", "\xc0\x80" } do
      assert.equal("argument", H.failure(session.quote, value).kind)
    end
    for _, value in ipairs { {}, print } do assert.equal("argument", H.failure(session.quote, value).kind) end
  end)

  it("are numbers, truth values and NULL", function()
    for _, value in ipairs { 0, 1, -1, math.maxinteger, math.mininteger } do
      assert.equal(tostring(value), open:run("SELECT 1 -? + 1 AS minus, ?::bigint AS a", 0, value)[1].a)
    end
    assert.equal("2", open:run("SELECT 1-? AS a", -1)[1].a)
    for _, value in ipairs { 0.1, -0.5, 1e300, 5e-324, math.pi } do
      assert.equal(value, tonumber(open:run("SELECT ?::float8 AS a", value)[1].a))
    end
    assert.equal("Infinity", open:run("SELECT ?::float8 AS a", math.huge)[1].a)
    assert.equal("NaN", open:run("SELECT ?::float8 AS a", 0 / 0)[1].a)
    local row = open:run("SELECT ? AS yes, ? AS no, ?::text AS nothing", true, false, nil)[1]
    assert.same({ yes = "t", no = "f" }, row)
  end)

  it("become jsonb and columns, whatever a record holds", function()
    local record = { id = 1 << 62, a = "x\0y\\u0000\\\0'", b = { "\\", "'", 0.1, 2 ^ 60 }, ["k'\0\\"] = "\u{1F52C}\x01", c = {}, d = 1e300 }
    local row = open:run("SELECT j->>'a' AS a, j->'b'->>0 AS b, j->>'id' AS id, j->>? AS k FROM (SELECT ?::jsonb AS j) t",
      "k'\u{FFFD}\\", writer.raw(json.encode(record)))[1]
    assert.same({ a = "x\u{FFFD}y\\u0000\\\u{FFFD}'", b = "\\", id = tostring(1 << 62), k = "\u{1F52C}\x01" }, row)
    local function column(name, value) return open:run("SELECT " .. writer.literal(name, value) .. " AS a")[1].a end
    assert.equal("150.00", column("cost", "150.00"))
    assert.equal("123456789012345678901234567890.12", column("cost", "123456789012345678901234567890.12"))
    assert.equal("0.2", column("cost", 0.2))
    for _, odd in ipairs { "1e5", "NaN", "'", "12,50", "0x10", " 1", ("1"):rep(300), true } do assert.is_nil(column("cost", odd)) end
    assert.equal("2024-01-15 08:00:00.25+00", column("start_time", "2024-01-15T09:00:00.250+01:00"))
    for _, odd in ipairs { "infinity", "yesterday", "2024-13-01", "'", 7 } do assert.is_nil(column("end_time", odd == 7 and {} or odd)) end
    assert.equal("a\u{FFFD}'\\", column("note", "a\0'\\"))
    assert.equal("7", column("equipment_id", 7))
  end)

  it("of the wrong number are an error of the program", function()
    assert.has_error(function() session.fill("? ?", 1) end)
    assert.has_error(function() session.fill("?", 1, 2) end)
  end)

  it("stay out of messages where they are the address", function()
    local err = H.failure(session.open, "postgresql://someone:s3cret@/nothing?host=" .. database.folder, { what = "the database", seconds = 2 })
    assert.equal("network", err.kind)
    assert.is_nil(err.message:find("s3cret", 1, true))
  end)

  it("of a parent go on after a child has closed its session", function()
    local mine = session.open(database.dsn, { what = "the database", seconds = 10 })
    local child = host.fork()
    if child == 0 then host.exit(pcall(mine.close, mine) and 0 or 1) end
    assert.equal(0, host.wait(child))
    assert.equal("1", mine:run("SELECT 1 AS one")[1].one)
    mine:close()
  end)
end)
