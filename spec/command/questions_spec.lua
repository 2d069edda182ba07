--- Twenty questions of a facility manager, each answered by one command line, and once more by a slow plain script: one page after the
-- other by curl, with nothing of the library but `calira.time`.

local calira = require "calira"
local cjson = require "cjson"
local command = require "spec.support.command"
local helper = require "spec.support.helper"

-- ── The slow plain script ─────────────────────────────────────────────────────────────────────────────────────────────────────────

local cache = {}

local function ask(path)
  if not cache[path] then
    local pipe <close> = assert(io.popen(("curl -sf -H 'Authorization: Bearer %s' '%s/v1%s'"):format(helper.token, helper.origin, path)))
    local body = assert(cjson.decode(pipe:read "a"))
    cache[path] = body
  end
  return cache[path]
end

local function all(path)
  local records, page = {}, 1
  repeat
    local found = ask(("%s%spage=%d"):format(path, path:find "?" and "&" or "?", page))
    table.move(found, 1, #found, #records + 1, records)
    page = page + 1
  until #found < 100
  return records
end

local function bookings_of(lab) return all("/bookings?provider_account=" .. lab) end
local function field(record, name)
  local value = record[name]
  return value ~= cjson.null and value or nil
end

--- Sorted texts of a function of those records for which a test holds.
local function texts(records, test, text)
  local list = {}
  for _, record in ipairs(records) do
    if not test or test(record) then list[#list + 1] = text and text(record) or ("%d"):format(record.id) end
  end
  table.sort(list)
  return list
end

local function within(first, last)
  return function(b)
    local from, to = calira.time(field(b, "start_time")), calira.time(field(b, "end_time"))
    return from < calira.time(last) and (from >= calira.time(first) or to and to > calira.time(first))
  end
end

local function both(a, b) return function(record) return a(record) and b(record) end end
local function is(name, value) return function(record) return record[name] == value end end

local function labs_under(id)
  local labs = {}
  for _, account in ipairs(all "/accounts") do
    if account.account_type == "lab" and (field(account, "organisation") == id or field(account, "department") == id) then
      labs[#labs + 1] = account
    end
  end
  return labs
end

local function under(id, records_of, test)
  local list = {}
  for _, lab in ipairs(labs_under(id)) do
    for _, record in ipairs(records_of(lab.id)) do
      if not test or test(record) then list[#list + 1] = record end
    end
  end
  return list
end

local function in_full(records)
  local list = {}
  for i, record in ipairs(records) do list[i] = ask(("/bookings/%d"):format(record.id)) end
  return list
end

-- ── Questions ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local QUESTIONS <const> = {
  { "Which bookings did our lab have in March 2026?", "bookings --lab 102 --month 2026-03 --fields id --format csv",
    function() return texts(bookings_of(102), within("2026-03-01", "2026-04-01")) end },
  { "And by London's clock, on the day when summer time began?",
    "bookings --lab 102 --from 2026-03-29 --to 2026-03-30 --tz Europe/London --fields id --format csv",
    function() return texts(bookings_of(102), within("2026-03-29T00:00:00Z", "2026-03-29T23:00:00Z")) end },
  { "Which wait for approval?", "bookings --lab 102 --status requested --status pending --fields id --format csv",
    function() return texts(bookings_of(102), function(b) return b.status == "Requested" or b.status == "Pending" end) end },
  { "Which were declined, at the whole university?", "bookings --under 'University of Cambridge' --status declined --fields id --format csv",
    function() return texts(under(201, bookings_of, is("status", "declined"))) end },
  { "Who used the lab from outside in the first quarter?", "bookings --lab 103 --type external --from 2026-01-01 --to 2026-04-01 --details "
    .. "--fields requester.name --format csv",
    function()
      local list = {}
      for _, b in ipairs(bookings_of(103)) do
        if both(is("booking_type", "external"), within("2026-01-01", "2026-04-01"))(b) then list[#list + 1] = b end
      end
      return texts(in_full(list), nil, function(b) return b.requester.name end)
    end },
  { "When is the spectrometer booked?", "bookings --lab 102 --where equipment.name=Spectrometer --fields id,start_time --format csv",
    function()
      return texts(bookings_of(102), function(b) return b.equipment.name == "Spectrometer" end,
        function(b) return ("%d,%s"):format(b.id, b.start_time) end)
    end },
  { "When is maintenance, in the faculty?",
    "bookings --under 'University of Cambridge / Faculty of Physics' --type maintenance --fields id --format csv",
    function() return texts(under(211, bookings_of, is("booking_type", "maintenance"))) end },
  { "Which bookings have no end?", "bookings --lab 101 --where end_time= --fields id --format csv",
    function() return texts(bookings_of(101), function(b) return not field(b, "end_time") end) end },
  { "What did each booking cost, and who pays?", "bookings --lab 106 --details --fields id,cost,currency,projects.name --format csv",
    function()
      return texts(in_full(bookings_of(106)), nil, function(b)
        local names = {}
        for i, project in ipairs(b.projects) do names[i] = project.name end
        return ("%d,%s,%s,%s"):format(b.id, field(b, "cost") or "", field(b, "currency") or "", table.concat(names, "; "))
      end)
    end },
  { "Which bookings have no project?", "bookings --lab 106 --details --where projects.name= --fields id --format csv",
    function() return texts(in_full(bookings_of(106)), function(b) return #b.projects == 0 end) end },
  { "What is booked on that grant?", "bookings --lab 102 --month 2024-01 --details --where projects.funding_codes.code=EPSRC-2026-01 "
    .. "--fields id --format csv",
    function()
      local list = {}
      for _, b in ipairs(bookings_of(102)) do if within("2024-01-01", "2024-02-01")(b) then list[#list + 1] = b end end
      return texts(in_full(list), function(b)
        for _, project in ipairs(b.projects) do
          for _, funding in ipairs(project.funding_codes) do if funding.code == "EPSRC-2026-01" then return true end end
        end
      end)
    end },
  { "Which instruments are there, and in which room?", "equipment --lab 102 --fields id,room --format csv",
    function() return texts(all "/equipment?account=102", nil, function(e) return ("%d,%s"):format(e.id, field(e, "room") or "") end) end },
  { "Which cannot be booked now?", "equipment --under 202 --status unavailable --fields id --format csv",
    function()
      return texts(under(202, function(lab) return all("/equipment?account=" .. lab) end,
        function(e) return (field(e, "availability_status") or ""):lower() == "unavailable" end))
    end },
  { "Which are from Novatek?", "equipment --where manufacturer=novatek --fields id --format csv",
    function() return texts(all "/equipment", is("manufacturer", "Novatek")) end },
  { "Which are parts of the microscope?", "equipment --lab 102 --where 'parent_name=Advanced Microscope (Parent Asset)' --fields id --format csv",
    function() return texts(all "/equipment?account=102", is("parent_name", "Advanced Microscope (Parent Asset)")) end },
  { "Which projects does Dr. Lovelace supervise?", "projects --lab 101 --where 'supervisor=Dr. Ada Lovelace' --fields id --format csv",
    function() return texts(all "/accounts/101/projects", is("supervisor", "Dr. Ada Lovelace")) end },
  { "Which teams are there in the faculty?", "groups --under 211 --fields id,name --format csv",
    function()
      return texts(under(211, function(lab) return all("/groups?account=" .. lab) end), nil,
        function(g) return ("%d,%s"):format(g.id, g.name) end)
    end },
  { "Which labs are there at all?", "accounts --type lab --fields id,name --format csv",
    function() return texts(all "/accounts", is("account_type", "lab"), function(a) return ("%d,%s"):format(a.id, a.name) end) end },
  { "Who booked 12345?", "booking 12345 --fields requester.name,requester.email --format csv",
    function() return texts({ ask "/bookings/12345" }, nil, function(b) return b.requester.name .. "," .. b.requester.email end) end },
  { "Who booked this instrument last?", "get /equipment/789/bookings per_page=100 --fields id --format csv",
    function() return texts(all "/equipment/789/bookings") end },
}

describe("a facility manager asks", function()
  for _, question in ipairs(QUESTIONS) do
    it(question[1], function()
      local out = command.out(question[2])
      local rows = {}
      for line in out:gsub("^[^\n]*\n", "", 1):gmatch "[^\r\n]+" do rows[#rows + 1] = line end
      table.sort(rows)
      local expected = question[3]()
      assert.is_true(#expected > 0, "a question without an answer shows nothing")
      assert.same(expected, rows)
    end)
  end
end)
