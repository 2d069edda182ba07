--- Every example runs as it stands, and prints what a slow, plain script finds that reads everything with curl and filters at the end.

local cjson = require "cjson"
local helper = require "spec.support.helper"
local server = require "spec.support.server"

-- ── Running ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local function quoted(text) return "'" .. tostring(text):gsub("'", "'\\''") .. "'" end

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

--- A path for a file that is not there yet.
local function fresh()
  local path = os.tmpname()
  os.remove(path)
  return path
end

--- Runs an example: its stdout, stderr and status. `env`: `url`, `token`, `out` (a file that stays), and any variable.
local function run(env, name, ...)
  local out, err = os.tmpname(), os.tmpname()
  local words = { "env", "CALIRA_BASE_URL=" .. quoted(env.url or helper.url()), "CALIRA_TOKEN=" .. quoted(env.token or helper.token) }
  for variable, value in pairs(env) do
    if variable:find "^%u" then words[#words + 1] = variable .. "=" .. quoted(value) end
  end
  for _, word in ipairs { "timeout", 60, "lua5.4", ("examples/%s.lua"):format(name), ... } do words[#words + 1] = quoted(word) end
  local _, _, status = os.execute(("%s >%s 2>%s </dev/null"):format(table.concat(words, " "), env.out or out, err))
  local stdout, stderr = read(out), read(err)
  os.remove(out)
  os.remove(err)
  return stdout, stderr, status
end

--- The same, where it has to succeed: its stdout.
local function output(env, name, ...)
  local stdout, stderr, status = run(env, name, ...)
  assert.equal("", stderr)
  assert.equal(0, status)
  return stdout
end

local function lines_of(text)
  local lines = {}
  for line in text:gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
  return lines
end

-- ── Reading everything, without the library ───────────────────────────────────────────────────────────────────────────────────────

--- The answers at some paths, each read by curl.
local function fetch(paths)
  local config = os.tmpname()
  local file = assert(io.open(config, "w"))
  for _, path in ipairs(paths) do file:write(('url = "%s/v1%s"\n'):format(helper.origin, path)) end
  file:close()
  local pipe <close> = assert(io.popen(("curl -s -w '\\n' -H 'Authorization: Bearer %s' -K %s"):format(helper.token, config)))
  local answers = {}
  for line in pipe:lines() do answers[#answers + 1] = cjson.decode(line) end
  os.remove(config)
  assert(#answers == #paths)
  return answers
end

local function fetch_list(path)
  local records, page = {}, 0
  repeat
    page = page + 1
    local found = fetch({ ("%s%spage=%d&per_page=100"):format(path, path:find("?", 1, true) and "&" or "?", page) })[1]
    table.move(found, 1, #found, #records + 1, records)
  until #found == 0
  return records
end

--- The ids of the labs of an organisation.
local function labs_of(organisation)
  local labs = {}
  for _, account in ipairs(fetch_list "/accounts") do
    if account.account_type == "lab" and account.organisation == organisation then labs[#labs + 1] = math.tointeger(account.id) end
  end
  return labs
end

local function of_labs(labs, path)
  local records = {}
  for _, lab in ipairs(labs) do
    local found = fetch_list(path:format(lab))
    table.move(found, 1, #found, #records + 1, records)
  end
  return records
end

local function details_of(records, path)
  local paths = {}
  for i, record in ipairs(records) do paths[i] = path:format(math.tointeger(record.id)) end
  return fetch(paths)
end

--- Epoch seconds, by way of days since 1970.
local function instant(text)
  if text == cjson.null then return nil end
  local y, mo, d, h, mi, s, sign, oh, om = text:match "^(%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+)%.000([Z+-])(%d*):?(%d*)$"
  y, mo = tonumber(y), tonumber(mo)
  if mo <= 2 then y, mo = y - 1, mo + 12 end
  local days = 365 * y + y // 4 - y // 100 + y // 400 + (153 * mo - 457) // 5 + d - 719469
  local offset = sign == "Z" and 0 or tonumber(sign .. "1") * (oh * 3600 + om * 60)
  return math.tointeger(days * 86400 + h * 3600 + mi * 60 + s - offset)
end

local function cents(text)
  local whole, part = text:match "^(%d+)%.(%d%d)$"
  return math.tointeger(whole * 100 + part)
end

--- Bookings that touch a span.
local function within(bookings, from, to)
  local kept = {}
  for _, b in ipairs(bookings) do
    local first, last = instant(b.start_time), instant(b.end_time)
    if (not to or first < to) and (not from or first >= from or last and last > from) then kept[#kept + 1] = b end
  end
  return kept
end

local MARCH <const>, APRIL <const> = 1772323200, 1775001600 -- 2026, UTC

-- ── The examples ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local ARGUMENTS <const> = {                                 -- a call of each
  bookings = { "--provider", 102 }, tree = {}, inventory = { 102 }, idle = { 102, "--since", "2026-01-01" },
  utilisation = { 102, "--month", "2026-03" }, funding = { 102 }, export_csv = { "--provider", 102 },
  export_sqlite = { "/nonexistent/x.db", "--provider", 102 }, forms = { "--booking", 12345 }, watch = { 102, "--looks", 1 },
}

describe("the example", function()
  local listing <close> = assert(io.popen "ls examples/*.lua")
  for path in listing:lines() do
    local name = path:match "(%w+_?%w*)%.lua$"
    if name == "support" then goto continue end

    it(name .. " says how it is used", function()
      local text = read(path)
      assert.is_truthy(text:find("\n-- Usage: lua5.4 " .. path, 1, true))
      local help = output({}, name, "--help")
      assert.is_truthy(help:find("^Usage: " .. name .. "%.lua"))
      local _, err, status = run({}, name, "--no-such-option")
      assert.is_truthy(err:find "Usage:" and status ~= 0)
    end)

    it(name .. " fails with a message and a status", function()
      local arguments = assert(ARGUMENTS[name], "spec/project/examples_spec.lua has no call of " .. name)
      if name == "export_sqlite" then arguments = { fresh(), "--provider", 102 } end
      local _, err, status = run({ token = "expired-1" }, name, table.unpack(arguments))
      if name == "export_sqlite" then os.remove(arguments[1]) end
      assert.is_truthy(err:find("401", 1, true), err)
      assert.is_nil(err:find("stack traceback", 1, true), err)
      assert.is_true(status ~= 0)
      local _, missing = run({ token = "" , url = "" }, name, table.unpack(arguments))
      assert.is_truthy(missing:find("set CALIRA_TOKEN", 1, true) or missing:find("Usage", 1, true), missing)
    end)

    it(name .. " is a screen or two, and fails where its output cannot be written", function()
      assert.is_true(select(2, read(path):gsub("\n", "")) <= 70)
      local arguments = { table.unpack(ARGUMENTS[name]) }
      if name == "watch" then return end                    -- prints nothing at its first look
      if name == "export_sqlite" then arguments[1] = fresh() end
      local _, err, status = run({ out = "/dev/full" }, name, table.unpack(arguments))
      if name == "export_sqlite" then os.remove(arguments[1]) end
      assert.equal(("%s.lua: the output cannot be written: No space left on device\n"):format(name), err)
      assert.equal(1, status)
    end)

    it(name .. " ends with 130 and no traceback on Ctrl-C", function()
      local arguments = { table.unpack(ARGUMENTS[name]) }
      if name == "export_sqlite" then arguments[1] = fresh() end
      local id = helper.id()
      local words = {}
      for i, word in ipairs(arguments) do words[i] = quoted(word) end
      local err = os.tmpname()
      local line <const> = "CALIRA_BASE_URL=%s CALIRA_TOKEN=%s lua5.4 examples/%s.lua %s >/dev/null 2>%s & echo $!; wait $!; echo $?"
      local pipe <close> = assert(io.popen(line:format(quoted(helper.url("silence=1", id)), helper.token, name, table.concat(words, " "), err)))
      local pid = pipe:read "l"
      local late = helper.now() + 20
      repeat os.execute "sleep 0.05" until helper.stats(id).in_flight > 0 or helper.now() > late
      os.execute("kill -INT " .. pid)
      assert.equal("130", pipe:read "l")
      assert.equal(name .. ".lua: interrupted\n", read(err))
      os.remove(err)
      if name == "export_sqlite" then os.remove(arguments[1]) end
    end)
    ::continue::
  end

  it("bookings prints each booking of a lab", function()
    local bookings = fetch_list "/bookings?provider_account=102"
    local lines = lines_of(output({}, "bookings", "--provider", 102))
    assert.equal(251, #lines)
    assert.is_truthy(lines[1]:find "^ID +START +END +HOURS +STATUS +INSTRUMENT$")
    for i, b in ipairs(bookings) do
      local first, last = instant(b.start_time), instant(b.end_time)
      assert.equal(("%-10d  %-16s  %-16s  %6.1f  %-10s  %s"):format(math.tointeger(b.id), os.date("!%Y-%m-%d %H:%M", first),
        last and os.date("!%Y-%m-%d %H:%M", last) or "-", last and (last - first) / 3600 or 0, b.status, b.equipment.name), lines[i + 1])
    end
  end)

  it("bookings filters", function()
    local count = 0
    for _, b in ipairs(within(of_labs(labs_of(201), "/bookings?provider_account=%d"), MARCH, APRIL)) do
      if b.status == "Confirmed" or b.status == "Pending" then count = count + 1 end
    end
    local lines = lines_of(output({}, "bookings", "--under", "University of Cambridge", "--from", "2026-03-01", "--to", "2026-04-01",
      "--status", "confirmed", "pending"))
    assert.is_true(count > 5)
    assert.equal(count + 1, #lines)
    assert.equal(4, #lines_of(output({}, "bookings", "--provider", 102, "--limit", 3)))
    local _, err, status = run({}, "bookings", "--provider", 102, "--status", "confrimed")
    assert.equal('bookings.lua: no booking there has the status "confrimed"\n', err)
    assert.equal(5, status)
  end)

  it("tree draws every account", function()
    local text = output({}, "tree")
    for _, account in ipairs(fetch_list "/accounts") do
      local caption = ("%s (%s %d)\n"):format(account.name, account.account_type, math.tointeger(account.id))
      assert.is_truthy(text:find(caption, 1, true), caption)
    end
    local labs = lines_of(output({}, "tree", "--under", 201))
    assert.equal(#labs_of(201), #labs)
    local missing = output({ url = helper.url "labs=101,105" }, "tree", "--missing")
    assert.is_truthy(missing:find "\n%d+ labs that the application cannot see\n")
    assert.is_truthy(missing:find("102\tCambridge Research Institute / Equipment Sharing Lab", 1, true))
  end)

  it("inventory lists every instrument with its serial number, parts under their parents", function()
    local text = output({}, "inventory", 202)
    local all = details_of(of_labs(labs_of(202), "/equipment?account=%d"), "/equipment/%d")
    assert.is_truthy(text:find(("\n%d instruments\n"):format(#all), 1, true))
    for _, e in ipairs(all) do
      local part = e.parent_id ~= cjson.null
      local row = ("\n%-8d  %-14s  %s%s  ("):format(math.tointeger(e.id), e.serial_number, part and "  " or "", e.name)
      local place = text:find(row, 1, true)
      assert.is_truthy(place, row)
      if part then
        local parent
        for line in text:sub(1, place):gmatch "\n(%d[^\n]*)" do
          if line:sub(27, 27) ~= " " then parent = line:sub(27) end
        end
        assert.equal(1, (parent:find(e.parent_name .. "  (", 1, true)), e.name .. " is not under its parent")
      end
    end
  end)

  it("idle lists what nobody booked", function()
    local labs = labs_of(202)
    local booked, expected = {}, {}
    for _, b in ipairs(within(of_labs(labs, "/bookings?provider_account=%d"), MARCH)) do
      if b.status ~= "declined" then booked[b.equipment_id] = true end
    end
    for _, e in ipairs(of_labs(labs, "/equipment?account=%d")) do
      if not booked[e.id] then expected[#expected + 1] = tostring(math.tointeger(e.id)) end
    end
    local lines = lines_of(output({}, "idle", 202, "--since", "2026-03-01"))
    assert.is_truthy(table.remove(lines):find(("^%d of %%d+ instruments have no booking since 2026%%-03%%-01$"):format(#expected)))
    local found = {}
    for i, line in ipairs(lines) do found[i] = line:match "^%d+" end
    table.sort(found)
    table.sort(expected)
    assert.same(expected, found)
  end)

  it("utilisation counts the hours that lie in the month", function()
    local hours, total, bookings = {}, 0, 0
    for _, b in ipairs(within(of_labs(labs_of(201), "/bookings?provider_account=%d"), MARCH, APRIL)) do
      if b.status ~= "declined" then
        local first, last = instant(b.start_time), instant(b.end_time)
        local seconds = last and math.max(0, math.min(last, APRIL) - math.max(first, MARCH)) or 0
        hours[b.equipment.name] = (hours[b.equipment.name] or 0) + seconds
        total, bookings = total + seconds, bookings + 1
      end
    end
    local text = output({ TZ = "UTC" }, "utilisation", 201, "--month", "2026-03")
    for name, seconds in pairs(hours) do
      local printed = text:match("\n +([%d.]+) +%d+ +[%d.]+%% +" .. name:gsub("%p", "%%%0") .. ",")
      assert.equal(("%.1f"):format(seconds / 3600), printed, name)
    end
    local all, count = text:match "\n +([%d.]+) +(%d+) +%d+ instruments\n$"
    assert.same({ ("%.1f"):format(total / 3600), tostring(bookings) }, { all, count })
  end)

  it("funding adds up to the bookings, each once", function()
    local sums, rows = {}, {}
    for _, b in ipairs(details_of(fetch_list "/bookings?provider_account=102", "/bookings/%d")) do
      local codes, projects = {}, {}
      for _, project in ipairs(b.projects) do
        projects[#projects + 1] = project.name
        for _, funding in ipairs(project.funding_codes) do codes[#codes + 1] = funding.code end
      end
      table.sort(codes)
      table.sort(projects)
      local key = table.concat({ b.currency, #codes > 0 and table.concat(codes, " + ") or "(none)",
        #projects > 0 and table.concat(projects, " + ") or "(none)" }, "|")
      rows[key] = rows[key] or { cost = 0, count = 0 }
      rows[key].cost, rows[key].count = rows[key].cost + cents(b.cost), rows[key].count + 1
      sums[b.currency] = (sums[b.currency] or 0) + cents(b.cost)
    end
    local printed, totals = {}, {}
    for _, line in ipairs(lines_of(output({}, "funding", 102))) do
      local currency, cost, count, codes, projects = line:match "^(%u%u%u) +([%d.]+) +(%d+)  (.-); (.*)$"
      if count then printed[("%s|%s|%s"):format(currency, codes, projects)] = { cost = cents(cost), count = math.tointeger(tonumber(count)) } end
      local whole, sum = line:match "^(%u%u%u) +([%d.]+)  in all$"
      if whole then totals[whole] = cents(sum) end
    end
    assert.same(rows, printed)
    assert.same(sums, totals)
    assert.is_truthy(rows["USD|EPSRC-2026-01 + EU-H2020-77 + INDUSTRY-2026-02|Graphene Study + Nano Surface Analysis"])
  end)

  -- ── Exports ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  --- The rows of a CSV text, by RFC 4180.
  local function parse_csv(text)
    local rows, row, place = {}, {}, 1
    while place <= #text do
      local value, stop, next_place
      if text:sub(place, place) == '"' then
        value, place = "", place + 1
        repeat
          local chunk, quote, after = text:match('^([^"]*)("?)()', place)
          value, place, stop = value .. chunk, after, text:sub(after, after)
          if stop == '"' then value, place = value .. '"', place + 1 end
        until quote == "" or stop ~= '"'
        stop, next_place = text:match("^(\r?[,\n])()", place)
      else
        value, stop, next_place = text:match("^([^,\r\n\"]*)(\r?[,\n])()", place)
      end
      assert(stop == "," or stop == "\r\n", "no CRLF at the end of a row")
      row[#row + 1], place = value, next_place
      if stop == "\r\n" then rows[#rows + 1], row = row, {} end
    end
    assert.equal(0, #row)
    return rows
  end

  it("export_csv writes what RFC 4180 says", function()
    local rows = parse_csv(output({}, "export_csv", "--provider", 102, "--from", "2026-03-01"))
    local header = {}
    for i, name in ipairs(table.remove(rows, 1)) do header[name] = i end
    local expected = details_of(within(fetch_list "/bookings?provider_account=102", MARCH), "/bookings/%d")
    assert.equal(#expected, #rows)
    for i, b in ipairs(expected) do
      assert.equal(tostring(math.tointeger(b.id)), rows[i][header.id])
      for _, name in ipairs { "status", "start_time", "cost", "currency" } do assert.equal(b[name], rows[i][header[name]]) end
      assert.equal(b.equipment.name, rows[i][header.equipment])
      assert.equal(b.end_time == cjson.null and "" or b.end_time, rows[i][header.end_time])
    end
  end)

  --- The rows of a query.
  local function query(path, sql)
    local env = require("luasql.sqlite3").sqlite3()
    local database = assert(env:connect(path))
    local cursor, rows = assert(database:execute(sql)), {}
    repeat
      local row = cursor:fetch({}, "a")
      rows[#rows + 1] = row
    until not row
    cursor:close()
    database:close()
    env:close()
    return rows
  end

  it("export_sqlite keeps each booking once, and goes on where it was", function()
    local path <const>, id = fresh(), helper.id()
    local out, err, status = run({ url = helper.url "failpage=403:2" }, "export_sqlite", path, "--provider", 102)
    assert.equal("", out)
    assert.equal(1, status)
    assert.is_truthy(err:find("403", 1, true))
    assert.same({ n = 100, ids = 100 }, query(path, "SELECT count(*) AS n, count(DISTINCT id) AS ids FROM bookings")[1])
    assert.is_truthy(query(path, "SELECT cursor FROM export")[1].cursor)

    out = output({ url = helper.url("", id) }, "export_sqlite", path, "--provider", 102)
    assert.equal("150 bookings written\n", out)
    assert.equal(250, query(path, "SELECT count(*) AS n FROM bookings")[1].n)
    assert.is_nil(query(path, "SELECT cursor FROM export")[1].cursor)
    for _, b in ipairs(fetch_list "/bookings?provider_account=102") do
      local row = query(path, ("SELECT * FROM bookings WHERE id = %d"):format(math.tointeger(b.id)))[1]
      assert.same({ b.status, b.start_time, b.equipment.name }, { row.status, row.start_time, row.equipment })
    end

    local _, other, code = run({}, "export_sqlite", path, "--provider", 103)
    assert.equal(2, code)
    assert.is_truthy(other:find("holds another export: provider 102", 1, true))
    os.remove(path)
  end)

  -- ── Forms and watching ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  it("forms prints every answer", function()
    local text = output({}, "forms", "--provider", 102, "--from", "2026-03-01", "--to", "2026-04-01")
    local count = 1
    for _, b in ipairs(details_of(within(fetch_list "/bookings?provider_account=102", MARCH, APRIL), "/bookings/%d")) do
      for _, entry in ipairs(b.custom_form_responses) do
        local form = fetch({ ("/custom_form_response/%d"):format(entry.response_id) })[1]
        for _, item in ipairs(form.form_response) do
          if item.value ~= nil and item.value ~= cjson.null then
            count = count + 1
            if type(item.value) == "string" then
              local row = ("\n%-10d  %-8d  %s"):format(b.id, entry.response_id, item.text)
              assert.is_truthy(text:find(row, 1, true) and text:find(": " .. item.value:gsub("\n", "\\n") .. "\n", 1, true), row)
            end
          end
        end
      end
    end
    assert.is_true(count > 20)
    assert.equal(count, #lines_of(text))
    assert.is_truthy(output({}, "forms", "--booking", 12345):find("\n12345 +9001 +Safety requirements: Option 1, Option 2\n"))
  end)

  it("watch prints what is new, once, and goes on after an error", function()
    local id = helper.id()
    local out, err, status = run({ url = helper.url("insert=4:0;fail=403:5", id) }, "watch", 102, "--every", 0.05, "--looks", 3)
    assert.equal(0, status)
    assert.is_truthy(err:find "^calira: GET /bookings: 403: .*; looking again later\n$", err)
    assert.is_truthy(out:find "^%d%d:%d%d:%d%d  lab 102  new      booking 5012345  [^\n]*\n$", out)
  end)

  -- ── Hostile data ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  local HOSTILE <const> = [[ [{"id":1,"name":"=1+1EVIL","start_time":"2026-03-01T00:00:00Z","status":"okEVIL","equipment_id":1,
    "equipment":{"id":1,"name":"=cmdEVIL"},"account_type":"lab","serial_number":"EVIL","manufacturer":"EVIL","model":"EVIL","cost":"1.00",
    "currency":"EVIL","projects":[{"id":1,"name":"EVIL","funding_codes":[{"code":"EVIL"}]}],"custom_form_responses":[{"response_id":1}]},
    {"id":2,"name":null,"start_time":"soon","status":null,"equipment":null,"account_type":"lab","parent_id":9}] ]]
  local EVIL <const> = [[\u001b]0;owned\u0007\u009b2J\nrow\u202eevil]]

  it("commands no terminal, makes no second row, and goes on where fields are missing", function()
    local lists = HOSTILE:gsub("EVIL", (EVIL:gsub("%%", "%%%%"))):gsub("\n", "")
    local one = lists:match "%[({.-}),%s*{\"id\":2":gsub("^{", '{"custom_form_response_id":1,"form_response":[{"type":"shortText","text":"'
      .. EVIL .. '","value":"' .. EVIL .. '"}],')
    local reply = ([==[
      local list, one = %q, %q
      return function(head)
        local path = head:match "GET ([^ ?]*)"
        local body = path:find "/%%d+$" and not path:find "/accounts/" and one or list
        if path:find "/2$" then body = '{"id":2}' end
        return ("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Total-Records: 2\r\nX-Current-Page: 1\r\nX-Per-Page: 100\r\n"
          .. "Connection: close\r\nContent-Length: %%d\r\n\r\n%%s"):format(#body, body)
      end]==]):format(lists, one)
    local calls <const> = {
      bookings = { "--provider", 1 }, tree = { "--missing" }, inventory = { 1 }, idle = { 1, "--since", "2026-01-01" },
      utilisation = { 1, "--month", "2026-03" }, funding = { 1 }, forms = { "--provider", 1 }, export_csv = { "--provider", 1 },
    }
    for name, arguments in pairs(calls) do
      local evil <close> = server.start(reply)
      local out, err, status = run({ url = evil.origin }, name, table.unpack(arguments))
      assert.same({ 0, "" }, { status, err }, name)
      if name == "export_csv" then
        local rows = parse_csv(out)
        assert.equal(3, #rows)
        for _, value in ipairs(rows[2]) do assert.is_nil(value:find "^[=+@]", value) end
      else
        for _, code in utf8.codes(out) do
          local bad = code < 32 and code ~= 10 and code ~= 9 or code >= 127 and code < 160 or code >= 0x202A and code <= 0x202E
          assert.is_false(bad, ("%s: U+%04X in %s"):format(name, code, out))
        end
        assert.is_nil(("\n" .. out):find("\nrow", 1, true), out)
      end
      assert.is_true(#out > 20, name)
    end
  end)
end)
