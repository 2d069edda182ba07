-- Bookings, an asset's bookings and the forms that go with them. Booking `index` of a lab books the lab's equipment
-- in turn, so that the bookings of one asset are found without looking at the others.
local json = require "json"
local records = require "records"
local world = require "world"

local bookings = {}
local null = json.null
local pick, named, person = records.pick, records.named, records.person

local STATUSES = { "Confirmed", "Pending", "Completed", "Requested", "Booked", "declined", "Confirmed", "Completed" }
local TYPES = { "internal", "internal", "external", "internal", "maintenance" }
local HOUR, DAY = 3600, 86400
local YEAR_2025 = 1735689600        -- 2025-01-01, the first day that a generated booking can start on
local DAYS = 730

-- Times -----------------------------------------------------------------------------------------------------------

-- Epoch seconds as the API writes them, with an offset of so many hours, or "Z" where that is nil.
local function stamp(time, hours)
  local text = os.date("!%Y-%m-%dT%H:%M:%S.000", time + (hours or 0) * HOUR)
  return text .. (hours and ("+%02d:00"):format(hours) or "Z")
end

-- The opposite, for the examples, which are all in UTC. Days by the civil calendar, since os.time is local.
local function instant(text)
  local y, m, d, h, min, s = text:match("^(%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+)")
  y, m = tonumber(y), tonumber(m)
  if m <= 2 then y, m = y - 1, m + 12 end
  local days = 365 * y + math.floor(y / 4) - math.floor(y / 100) + math.floor(y / 400)
    + math.floor((153 * (m - 3) + 2) / 5) + d - 1 - 719468
  return days * DAY + h * HOUR + min * 60 + s
end

-- Facts -----------------------------------------------------------------------------------------------------------

local exact = {}        -- by id: facts that the examples fix

local function fix(id, summary)
  local note = json.get(summary, "last_public_note")
  exact[id] = {
    start = instant(json.get(summary, "start_time")), finish = instant(json.get(summary, "end_time")),
    status = json.get(summary, "status"), type = json.get(summary, "booking_type"), user = json.get(summary, "user_id"),
    note = note ~= nil and (note == null and null or json.get(note, "message")) or nil, offset = false,
  }
end

function bookings.index_examples()
  for _, summary in ipairs(records.examples.bookings) do fix(json.get(summary, "id"), summary) end
  fix(1, records.examples.equipment_bookings[1])
end

-- From minutes to a day and more; one in 97 has no end yet.
local function generated_end(start, i)
  if i % 97 == 50 then return nil end
  if i % 29 == 7 then return start + 26 * HOUR end
  return start + 1800 * (1 + i * 7 % 12)
end

local function facts(lab, i)
  local start = YEAR_2025 + (i * 137 + lab * 31) % DAYS * DAY + (7 + i * 5 % 11) * HOUR + i % 4 * 900
  local b = {
    id = world.booking_id(lab, i), lab = lab, index = i, start = start, finish = generated_end(start, i),
    status = pick(STATUSES, i + lab), type = pick(TYPES, i * 3), user = 400 + (i * 17 + lab) % 150,
    note = i % 6 == 1 and ("Note %d: bring your own samples"):format(i) or null,
    offset = i % 8 == 5 and 1 or false,
  }
  local ids = world.equipment_ids(lab)
  b.equipment = records.equipment_facts(ids[i % #ids + 1])
  for field, value in pairs(exact[b.id] or {}) do b[field] = value end
  return b
end

local function time(b, at)
  return at and stamp(at, b.offset or nil) or null
end

local function note(b)
  return b.note ~= null and { "message", b.note } or null
end

-- Lists -----------------------------------------------------------------------------------------------------------

function bookings.summary(lab, i)
  local b = facts(lab, i)
  return {
    "id", b.id, "start_time", time(b, b.start), "end_time", time(b, b.finish), "status", b.status,
    "booking_type", b.type, "equipment_id", b.equipment.id, "user_id", b.user,
    "equipment", { "name", b.equipment.name }, "last_public_note", note(b),
  }
end

function bookings.of_asset(lab, i)
  local b = facts(lab, i)
  return {
    "id", b.id, "asset_id", b.equipment.id, "start_time", stamp(b.start, 0),
    "end_time", b.finish and stamp(b.finish, 0) or null, "status", b.status,
  }
end

-- Details ---------------------------------------------------------------------------------------------------------

local FORM_BOOKING = 2045426        -- the booking of the reference's form response

-- Where a form response's id says whose it is: booking id * 10 + n, but for the reference's own.
local EXACT_FORMS = { [9001] = { 12345, 1 }, [9002] = { 12345, 2 }, [16] = { FORM_BOOKING, 1 } }

local function forms_of(b)
  if b.id == FORM_BOOKING then return { 16 } end
  local ids = {}
  for n = 1, b.index % 3 == 0 and 1 + b.index % 2 or 0 do ids[n] = b.id * 10 + n end
  return ids
end

local function form_entries(b)
  local list = json.array()
  for n, id in ipairs(forms_of(b)) do list[n] = { "response_id", id, "custom_form_version_id", n } end
  return list
end

local function projects(b, requester)
  local list = json.array()
  local ids = world.project_ids(requester.id)
  for n = 1, #ids > 0 and b.index % 4 ~= 3 and 1 + b.index % 2 or 0 do
    if n <= #ids then list[n] = records.booked_project(ids[(b.index + n) % #ids + 1]) end
  end
  return list
end

-- Money: a decimal string; maintenance is free.
local function cost(b)
  if b.type == "maintenance" then return "0.00" end
  local pence = (b.index * 1375 + b.lab * 101) % 60000
  return ("%d.%02d"):format(math.floor(pence / 100), pence % 100)
end

local function people(b, requester)
  local group = b.index % #world.group_ids(requester.id) + 1
  local user = person(b.user)
  return { "name", records.group_name(requester.id, group) },
    named(person(300 + (b.index + b.lab) % 20)),
    { "id", user.id, "name", user.name, "email", user.email, "sector", user.sector }
end

function bookings.full(lab, i)
  local b = facts(lab, i)
  if b.id == 12345 then return records.examples.booking end
  local provider = world.account(lab)
  local requester = b.type == "external" and pick(world.base_labs, lab + i) or provider
  local group, creator, user = people(b, requester)
  local parent = b.equipment.parent and records.equipment_facts(b.equipment.parent)
  return {
    "id", b.id, "cost", cost(b), "currency", pick(records.CURRENCIES, lab),
    "charging_type", pick({ "Per Hour", "Per Hour", "Per Day", "Flat Fee" }, i),
    "start_time", time(b, b.start), "end_time", time(b, b.finish),
    "requested_at", time(b, b.start - (1 + i % 20) * DAY - 5400), "booking_type", b.type, "status", b.status,
    "duration", b.finish and (b.finish - b.start) / 60 or null,
    "add_ons", i % 5 == 0 and "Data analysis service included" or null,
    "requester_group", group, "equipment", named(b.equipment), "parent_equipment", named(parent),
    "requester_lab", named(requester), "requester_organisation", named(world.account(requester.organisation or -1)),
    "provider_lab", named(provider), "provider_organisation", named(world.account(provider.organisation or -1)),
    "creator", creator, "requester", user, "custom_form_responses", form_entries(b), "last_public_note", note(b),
    "projects", projects(b, requester),
  }
end

-- Form responses --------------------------------------------------------------------------------------------------

-- The booking that a form response belongs to and which of its forms it is, or nil.
function bookings.form_owner(id)
  local known = EXACT_FORMS[id]
  if known then return known[1], known[2] end
  local n = id % 10
  if n >= 1 and n <= 2 then return (id - n) / 10, n end
end

-- The items of the reference's form with answers of this booking; every fourth item that has no must is left blank.
local function items(b)
  local list = json.array()
  for n, item in ipairs(json.get(records.examples.custom_form_response, "form_response")) do
    local kind = json.get(item, "type")
    if kind == "shortText" then item = json.with(item, "value", ("PRJ-%d"):format(b.id)) end
    if kind == "number" then item = json.with(item, "value", 1 + b.index % 100) end
    if kind == "valueUnit" then item = json.with(item, "value", 5 + b.index % 90 / 4) end
    if kind == "longText" and b.index % 4 == 0 then item = json.with(item, "value", null) end
    list[n] = item
  end
  if b.index % 6 == 0 then        -- a text that is asked twice
    list[#list + 1] = { "type", "shortText", "text", "Project code", "value", "second " .. b.id }
  end
  return list
end

-- Form response `id`, the n-th of the booking; nil if the booking has no such form.
function bookings.form(id, lab, i, n)
  if id == 16 then return records.examples.custom_form_response end
  local b = facts(lab, i)
  if not EXACT_FORMS[id] and forms_of(b)[n] ~= id then return nil end
  local created = stamp(b.start - 3 * DAY)
  return {
    "custom_form_response_id", id, "custom_form_id", 27 + n, "custom_form_version_id", n,
    "booking_reference_id", b.id, "created_by", person(b.user).name, "created_at", created,
    "updated_at", created, "form_response", items(b),
  }
end

return bookings
