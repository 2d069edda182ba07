--- The commands that list records: filters, times, formats, and hostile data.

local calira = require "calira"
local cjson = require "cjson"
local command = require "spec.support.command"
local helper = require "spec.support.helper"
local server = require "spec.support.server"

local function lines_of(text)
  local lines = {}
  for line in text:gmatch "[^\r\n]+" do lines[#lines + 1] = line end
  return lines
end

--- The ids that a list prints.
local function ids(words, options)
  local list = {}
  for line in command.out(words .. " --format ndjson --fields id", options):gmatch "[^\n]+" do list[#list + 1] = cjson.decode(line).id end
  return list
end

local function expected_ids(options, keep)
  local list = {}
  for b, node in (helper.client()):bookings(options) do
    if not keep or keep(b, node) then list[#list + 1] = b.id end
  end
  return list
end

describe("filters of the command", function()
  it("are a lab, an account and a span in a time zone", function()
    assert.same(expected_ids { provider = 102 }, ids "bookings --lab 102")
    assert.same(expected_ids { provider = 102 }, ids "bookings --lab 'equipment sharing lab'")
    assert.same(expected_ids { under = 201 }, ids "bookings --under 'University of Cambridge'")
    assert.same(expected_ids { provider = 102, from = "2026-03-01", to = "2026-04-01" }, ids "bookings --lab 102 --month 2026-03")
    assert.same(expected_ids { provider = 102, from = "2026-03-01T05:00:00Z", to = "2026-04-01T04:00:00Z" },
      ids "bookings --lab 102 --month 2026-03 --tz America/New_York")
    assert.same(expected_ids { provider = 102, from = "2026-02-28T23:00:00Z", to = "2026-03-01T07:30:00Z" },
      ids("bookings --lab 102 --from 2026-03-01 --to '2026-03-01 08:30'", { env = { TZ = "Europe/Berlin" } }))
    assert.same(expected_ids { provider = 102, from = "2025-12-01", to = "2026-01-01" }, ids "bookings --lab 102 --month 2025-12")
    assert.same(expected_ids { provider = 102, from = "2026-01-05T09:00:00+02:00" }, ids "bookings --lab 102 --from 2026-01-05T09:00:00+02:00")
  end)

  it("end at the end of the calendar", function()
    for _, span in ipairs { "--month 9999-12", "--from 9999-12-31", "--to 9999-12-31T23:00", "--to '9999-12-31 24:00' --tz America/New_York",
      "--month 0000-01 --tz Asia/Tokyo" } do
      local _, err, status = command.run("bookings --lab 102 --format json " .. span)
      assert.equal(0, status, span .. err)
    end
    command.out "report utilisation --lab 102 --month 9999-12 --tz CET-1CEST"
  end)

  it("count relative times from today's midnight in the zone", function()
    local today = os.time() // 86400 * 86400
    for text, from in pairs { ["-30d"] = today - 30 * 86400, ["+1w"] = today + 7 * 86400, today = today, yesterday = today - 86400 } do
      local expected = expected_ids { provider = 102, from = from }
      if os.time() // 86400 * 86400 == today then assert.same(expected, ids("bookings --lab 102 --from " .. text), text) end
    end
  end)

  it("are values of fields", function()
    local function is(field, value) return function(b) return (b[field] or ""):lower() == value end end
    assert.same(expected_ids({ provider = 102 }, is("status", "declined")), ids "bookings --lab 102 --status DECLINED")
    assert.same(expected_ids { provider = 102, status = { "Pending", "Booked" } }, ids "bookings --lab 102 --status pending --status Booked")
    assert.same(expected_ids({ provider = 102 }, is("booking_type", "external")), ids "bookings --lab 102 --type external")
    assert.same(expected_ids({ provider = 102 }, function(b) return b.equipment.name == "Spectrometer" end),
      ids "bookings --lab 102 --where equipment.name=spectrometer")
    assert.same(expected_ids({ provider = 102 }, function(b) return not b.end_time end), ids "bookings --lab 102 --where end_time=")
    assert.same({ 12345 }, ids "bookings --lab 102 --where id=12345")
    assert.same({ 12345, 12347 }, ids "bookings --lab 102 --where id=12345 --where id=12347 --where id=12347")
    assert.same({ 12345 }, ids "bookings --lab 102 --where id=12345 --where status=confirmed --limit 1")
    local expected = expected_ids({ provider = 106, details = true }, function(b)
      local found
      for _, project in ipairs(b.projects or {}) do found = found or project.name == "Project 106001" end
      return found
    end)
    assert.is_true(#expected > 3 and #expected < 99)
    assert.same(expected, ids "bookings --lab 106 --details --where 'projects.name=project 106001'")
    assert.same({ expected[1], expected[2] }, ids "bookings --lab 106 --details --where 'projects.name=Project 106001' --limit 2")
  end)

  it("are values of the lab's fields, whether a record tells its lab or the list does", function()
    local optics = expected_ids { under = 105 }
    for _, scope in ipairs { "--under 211", "--lab 105", "--under 211 --details" } do
      assert.same(optics, ids("bookings --where lab.name=Optics " .. scope), scope)
    end
    local two = { optics[1], optics[2] }
    assert.same(two, ids "bookings --where lab.name=Optics --limit 2 --under 211")
  end)

  it("drop records before their details are asked for, where the summary tells", function()
    local id = helper.id()
    assert.same({ 12346 }, ids("bookings --lab 102 --details --where id=12346", { id = id }))
    assert.equal(1 + 3 + 1, helper.calls(id)) -- the tree, the pages, one booking
  end)

  it("end with 5 where a value was never seen in the whole list, and say which were", function()
    local out, err, status = command.run "bookings --lab 102 --status confirmd --format csv"
    assert.equal(5, status)
    assert.matches("no record has status \"confirmd\"; there are: Booked, Completed, Confirmed, Pending, Requested, declined", err, 1, true)
    assert.equal(1, #lines_of(out))
    local cases = {
      ["bookings --lab 102 --type extern"] = "external, internal, maintenance",
      ["bookings --lab 102 --where foo=1"] = "no record has a field foo",
      ["bookings --lab 102 --where cost=1"] = "--details may", ["equipment --lab 102 --status gone"] = "there are: ",
      ["accounts --type faculty"] = "department, lab, organisation", ["bookings --lab 102 --status Booked --status Bookd"] = "\"Bookd\"",
      ["groups --lab 101 --where name=x"] = "Team Birch 3, Team Willow 2",
    }
    local _
    for line, said in pairs(cases) do
      _, err, status = command.run(line)
      assert.equal(5, status, line)
      assert.matches(said, err, 1, true)
    end
    -- seen, but not in the span; nothing there at all; a limit that left the rest unread
    for _, line in ipairs { "--lab 102 --status declined --month 1999-01", "--lab 104 --status x",
      "--lab 102 --status Confirmed --status x --limit 1" } do
      _, err, status = command.run("bookings " .. line)
      assert.equal(0, status, line .. err)
    end
  end)

  it("narrow the other lists", function()
    assert.equal("789", command.out "equipment --lab 102 --limit 1 --fields id --format csv":match "\n(%d+)")
    assert.same({ 201 }, ids "accounts --under 201 --type organisation")
    local count = 0
    for _ in (helper.client()):equipment { under = 201, exclude_parents = true } do count = count + 1 end
    assert.equal(count, #ids "equipment --under 201 --no-parents")
    local all, expected = ids "projects", {}
    for _, top in ipairs { "organisations", "independent_labs" } do
      for _, node in ipairs((helper.client()):tree()[top]) do
        for project in (helper.client()):projects { under = node } do expected[#expected + 1] = project.id end
      end
    end
    assert.is_true(#all > 150)
    assert.same(expected, all)
    assert.is_true(#ids "groups --under 201" > 5)
  end)
end)

describe("formats of the command", function()
  it("keep every record as the API gives it, in json and ndjson", function()
    local list = (helper.client()):bookings { provider = 102 }:collect()
    local array = cjson.decode((command.out "bookings --lab 102 --format json"))
    assert.same(#list, #array)
    for i, b in ipairs(list) do
      assert.equal(b.id, array[i].id)
      assert.equal(b.equipment.name, array[i].equipment.name)
      assert.equal(b.last_public_note and b.last_public_note.message, array[i].last_public_note and array[i].last_public_note.message)
    end
    assert.equal(250, #lines_of((command.out "bookings --lab 102 --format ndjson")))
    assert.equal("[]\n", (command.out "bookings --lab 104 --format json"))
    assert.equal("", (command.out "bookings --lab 104 --format ndjson"))
    assert.matches('"projects":%[%]', (command.out "bookings --lab 106 --details --format json"))
  end)

  it("name the zone of a table's times", function()
    local out = command.out("bookings --lab 102 --limit 1", { env = { TZ = "America/New_York" } })
    assert.matches("START (America/New_York)", out, 1, true)
    assert.matches("2024-01-15 04:00", out, 1, true)
    assert.matches("START (UTC)", (command.out "bookings --lab 102 --limit 1"), 1, true)
  end)

  it("are CSV that Python reads as the library does", function()
    local out = command.out "bookings --under 201 --details --format csv --fields id,start_time,cost,lab.name,requester.name,projects.name"
    local said = command.python([[
import csv, io
rows = list(csv.reader(io.StringIO(text, newline=''), strict=True))
for r in rows: print("\x1f".join(r))
]], out)
    local expected = { "id\31start_time\31cost\31lab.name\31requester.name\31projects.name" }
    for b, node in (helper.client()):bookings { under = 201, details = true } do
      local names = {}
      for i, project in ipairs(b.projects or {}) do names[i] = project.name end
      expected[#expected + 1] = table.concat({ b.id, b.start_time or "", b.cost or "", node.name, b.requester and b.requester.name or "",
        table.concat(names, "; ") }, "\31")
    end
    assert.equal(table.concat(expected, "\n") .. "\n", said)
    assert.equal(#expected, select(2, out:gsub("\r\n", "")))
  end)

  it("are a calendar that python3-icalendar reads", function()
    local out = command.out "bookings --lab 102 --details --format ics"
    for line in out:gmatch "([^\n]*)\n" do
      assert.matches("\r$", line)
      assert.is_true(#line - 1 <= 75, line)
      assert.is_truthy(utf8.len(line))
    end
    local said = command.python([[
from icalendar import Calendar
c = Calendar.from_ical(text)
for e in c.walk("VEVENT"):
    assert not e.errors, e.errors
    end = e.get("DTEND")
    last = int(end.dt.timestamp()) if end else "-"
    print(e["UID"], int(e["DTSTART"].dt.timestamp()), last, e["SUMMARY"], e["LOCATION"], e["DTSTAMP"].dt.tzname(), sep="|")
]], out)
    local expected = {}
    for b in (helper.client()):bookings { provider = 102 } do
      local last = calira.time(b.end_time)
      expected[#expected + 1] = ("booking-%d@calira|%d|%s|%s|Equipment Sharing Lab|UTC")
        :format(b.id, calira.time(b.start_time), last and ("%d"):format(last) or "-", b.equipment.name)
    end
    assert.same(expected, lines_of(said))
    assert.matches("BEGIN:VCALENDAR.*END:VCALENDAR\r\n$", (command.out "bookings --lab 104 --format ics"))
  end)

  it("fit a table to the terminal, and only there", function()
    local function on_terminal(columns, words)
      local line = ("stty cols %d; exec %s"):format(columns, command.line(words))
      return lines_of((command.shell("SHELL=/bin/sh script -qec " .. command.quoted(line) .. " /dev/null")))
    end
    for _, columns in ipairs { 96, 106 } do
      local rows = on_terminal(columns, "bookings --under 202 --limit 5")
      assert.equal(6, #rows)
      for _, row in ipairs(rows) do assert.is_true(utf8.len(row) <= columns, row) end
      assert.matches("…", table.concat(rows))
    end
    local rows = on_terminal(80, "bookings --lab 102 --limit 1 --details --tz Europe/London")
    assert.matches("^calira: the terminal is too narrow for .*FUNDING; ", rows[1]) -- stderr is the same terminal
    assert.matches("^ *12345  2024%-01%-15 09:00 ", rows[3]) -- what is shown of numbers and times is whole
    assert.is_nil(table.concat(on_terminal(250, "bookings --under 202 --limit 5")):find("…", 1, true))
    assert.matches("^id  +12345", on_terminal(80, "booking 12345")[1])
    assert.is_nil((command.out "bookings --lab 102"):find("…", 1, true))
  end)
end)

-- A service whose every text is an attack, or is not there.
local EVIL <const> = "=cmd\\u001b]0;owned\\u0007\\u009b2J\\nrow\\u202eevil,\\\"q\\\"; 質量"
local HOSTILE <const> = ([[ [{"id":9007199254740991,"name":"EVIL","start_time":"2026-01-01T00:00:00Z","end_time":null,"status":"EVIL",
  "booking_type":null,"equipment":null,"cost":12,"account_type":"lab","organisation":null,"big":1e300,"empty":[],
  "last_public_note":{"message":"EVIL"}},
  {"id":2,"name":null,"start_time":"soon","status":null,"equipment":{"name":null},"account_type":"lab"},
  {"id":3,"name":"+1-1","start_time":"2026-01-01T00:00:00Z","end_time":"2026-01-01T01:30:00Z","status":"ok","equipment":{"name":"質量 🔬"},
  "account_type":"lab"}] ]])
  :gsub("EVIL", (EVIL:gsub("%%", "%%%%"))):gsub("\n", "")

describe("hostile data", function()
  local reply = ("return function() return %q end"):format(("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Total-Records: 3\r\n"
    .. "X-Current-Page: 1\r\nX-Per-Page: 100\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"):format(#HOSTILE, HOSTILE)):gsub("\\\n", "\\n")

  local function hostile(words)
    local evil <close> = server.start(reply)
    return command.run(words, { env = { CALIRA_BASE_URL = evil.origin } })
  end

  it("commands no terminal and makes no second row, in any format", function()
    for _, words in ipairs {
      "bookings", "bookings --format csv", "bookings --format json", "bookings --format ndjson", "bookings --format ics", "equipment", "accounts",
      "tree", "get /bookings", "get /bookings --format table", "bookings --status nope", "bookings --lab nope", "tree --format json", "doctor",
      "bookings --where last_public_note.message=x --fields last_public_note.message",
    } do
      local out, err = hostile(words)
      for _, code in utf8.codes(out .. err) do
        local bad = code < 32 and code ~= 10 and code ~= 13 or code >= 127 and code < 160 or code >= 0x202A and code <= 0x202E
        assert.is_false(bad, ("%s: U+%04X in %s"):format(words, code, out))
      end
      assert.is_true(#out + #err > 20, words)
    end
    local rows = lines_of((hostile "bookings"))
    assert.equal(4, #rows)
    assert.matches("ok .*質量 🔬", rows[4])
    assert.matches(" %- ", rows[3])
    assert.equal(4, #lines_of((hostile "bookings --format ndjson")) + 1)
  end)

  it("keeps integers exact, and floats as they were", function()
    local json = require "calira.values.json"
    assert.equal("[9223372036854775807,-9223372036854775808,0.1,1e+300,12,null,true]",
      json.encode { math.maxinteger, math.mininteger, 0.1, 1e300, 12.0, calira.null, true })
    assert.equal('{"a":[],"b":null}', json.encode({ a = {} }, { "a", "b" }))
    for _ = 1, 2000 do
      local float = math.random() * 10.0 ^ math.random(-30, 30)
      assert.equal(float, tonumber(json.number(float)))
    end
    local out = hostile "bookings --format ndjson"
    assert.matches('"id":9007199254740991', out, 1, true)
    assert.matches('"empty":[]', out, 1, true)
    assert.matches('"big":1e+300', out, 1, true)
  end)

  it("is harmless in a spreadsheet, and as it was with --raw", function()
    local script = [[
import csv, io
for r in csv.reader(io.StringIO(text, newline=''), strict=True): print(ascii(r[0]))
]]
    local safe = lines_of(command.python(script, (hostile "equipment --format csv --fields name")))
    assert.same({ "'name'", [['\'=cmd\\x1B]0;owned\\x07\\x9B2J\nrow\\u202Eevil,"q"; \u8cea\u91cf']], "''", [["'+1-1"]] }, safe)
    local raw = lines_of(command.python(script, (hostile "equipment --format csv --fields name --raw")))
    assert.same({ "'name'", [['=cmd\x1b]0;owned\x07\x9b2J\nrow\u202eevil,"q"; \u8cea\u91cf']], "''", "'+1-1'" }, raw)
  end)

  it("commands no terminal with --raw either", function()
    local evil <close> = server.start(reply)
    local line = ("SHELL=/bin/sh script -qec %s /dev/null"):format(command.quoted(command.line "equipment --format csv --fields name --raw"))
    local out = command.shell(line, { env = { CALIRA_BASE_URL = evil.origin } })
    assert.matches('"=cmd\\x1B]0;owned\\x07', out, 1, true)
    assert.is_nil(out:find "[\27\7]")
  end)

  it("says what it could not read", function()
    local out, err, status = hostile "bookings --from 2026-01-01 --to 2026-01-02"
    assert.equal(0, status)
    assert.matches("1 bookings have no readable start", err, 1, true)
    assert.equal(4, #lines_of(out))
    out, err, status = hostile "bookings --format ics"
    assert.equal(3, status)
    assert.equal(2, select(2, out:gsub("BEGIN:VEVENT", "")))
    assert.matches("1 bookings are not in the calendar", err, 1, true)
  end)
end)

describe("one record", function()
  it("is json where stdout is no terminal, else a table", function()
    local b = cjson.decode((command.out "booking 12345"))
    assert.equal("150.00", b.cost)
    assert.matches("\nprojects%[1%].funding_codes%[2%].code +INDUSTRY%-2026%-02\n", (command.out "booking 12345 --format table"))
    assert.matches("\nstart_time +2024%-01%-15 10:00 Europe/Berlin\n", (command.out "booking 12345 --format table --tz Europe/Berlin"))
    assert.equal('{"equipment.name":"Advanced Microscope","id":12345}\n', (command.out "booking 12345 --fields equipment.name,id"))
    assert.equal(16, cjson.decode((command.out "form 16")).custom_form_response_id)
    local rows = command.out "form 16 --format csv"
    assert.matches("^id,question,answer\r\n16,", rows)
    assert.matches("\r\n16,Project code,PRJ%-2026%-0042\r\n", rows)
    local said = command.python([[
import csv, io, json
r = next(csv.DictReader(io.StringIO(text, newline='')))
print(json.loads(r["projects"])[0]["funding_codes"][1]["code"], json.loads(r["custom_form_responses"]) != [], r["id"])
]], (command.out "booking 12345 --format csv"))
    assert.equal("INDUSTRY-2026-02 True 12345\n", said)
    assert.matches("Project code +PRJ%-2026%-0042\n", (command.out "form 16 --format table"))
  end)

  it("has every column in csv that any record has", function()
    local out = command.out "get /equipment account=103 --format csv"
    assert.matches("^id,[^\n]*parent_id,parent_name", out)
  end)

  it("is whatever a path gives", function()
    assert.equal(2, #cjson.decode((command.out "get /equipment per_page=2 page=2")))
    assert.matches("^id,.*name.*\r\n101001,", (command.out "get equipment per_page=1 --format csv"))
    assert.equal(12345, cjson.decode((command.out "get /bookings/12345")).id)
  end)
end)

describe("calira tree", function()
  it("draws the accounts and names what is missing", function()
    assert.equal(tostring((helper.client()):tree()) .. "\n", (command.out "tree"))
    local out = command.out("tree --missing", { scenario = "labs=101,102" })
    assert.matches("\n25 labs that the application cannot see:\n104  University of Cambridge", out, 1, true)
    local list = cjson.decode((command.out("tree --missing --format json", { scenario = "labs=101,102" })))
    local missing = 0
    for _, account in ipairs(list) do missing = missing + (account.missing and 1 or 0) end
    assert.equal(25, missing)
  end)
end)
