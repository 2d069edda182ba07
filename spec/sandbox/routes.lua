-- The calls of the API: pattern, scope, and what answers. A list's function returns a source (see paging.lua), a
-- detail's the record; nil is a 404.
local bookings = require "bookings"
local drift = require "drift"
local records = require "records"
local world = require "world"

local routes = {}

-- A source over an array of things, each rendered by `record`.
local function array_source(name, things, record)
  return { name = name, total = #things, at = function(position) return record(things[position + 1]) end }
end

-- The labs that an `account` parameter chooses: one that is not there has nothing.
local function chosen_labs(call, parameter)
  local wanted = call.args[parameter]
  if wanted == nil or wanted == "" then return call.view.labs end
  local lab = call.view.by_id[tonumber(wanted)]
  return { lab and lab.type == "lab" and lab or nil }
end

-- What all chosen labs have, as an array of ids, made once for each view and choice.
local function ids_of_labs(call, kind, ids, keep)
  local view, choice = call.view, call.args.account or ""
  local name = kind .. "/" .. choice
  view.kept = view.kept or {}
  local list = view.kept[name]
  if list then return list, view.name .. "/" .. name end
  list = {}
  for _, lab in ipairs(chosen_labs(call, "account")) do
    for _, id in ipairs(ids(lab.id)) do
      if not keep or keep(lab.id, id) then list[#list + 1] = id end
    end
  end
  view.kept[name] = list
  return list, view.name .. "/" .. name
end

-- Accounts --------------------------------------------------------------------------------------------------------

local function accounts(call)
  return array_source(call.view.name .. "/accounts", call.view.accounts, records.account_summary)
end

local function account(call, id)
  local a = call.view.by_id[id]
  return a and records.account(call.view, a)
end

-- Bookings --------------------------------------------------------------------------------------------------------

local function drifting_source(call)
  local count = call.view:booking_count(drift.LAB)
  local total, index_at = drift.advance(call.state, call.keys, count, call.per)
  return { total = total, at = function(position) return bookings.summary(drift.LAB, index_at(position)) end }
end

local function lab_source(call, lab)
  return { name = call.view.name .. "/bookings/" .. lab, total = call.view:booking_count(lab),
    at = function(position) return bookings.summary(lab, position) end }
end

local function all_source(view)
  return { name = view.name .. "/bookings", total = view.total,
    at = function(position) return bookings.summary(view:booking_at(position)) end }
end

local function booking_list(call)
  local wanted = call.args.provider_account
  if wanted == nil or wanted == "" then return all_source(call.view) end
  local lab = chosen_labs(call, "provider_account")[1]
  if not lab then return array_source(nil, {}) end
  if lab.id == drift.LAB and drift.wanted(call) then return drifting_source(call) end
  return lab_source(call, lab.id)
end

-- The lab and index of a booking that this scenario has.
local function find_booking(call, id)
  local lab, index = call.view:locate(id)
  if not lab then return nil end
  if lab == drift.LAB then
    if drift.has(call.state, index, call.view:booking_count(lab)) then return lab, index end
  elseif call.view:has_booking(lab, index) then
    return lab, index
  end
end

local function booking(call, id)
  local lab, index = find_booking(call, id)
  return lab and bookings.full(lab, index)
end

local function form_response(call, id)
  local booking_id, n = bookings.form_owner(id)
  local lab, index = find_booking(call, booking_id or -1)
  return lab and bookings.form(id, lab, index, n)
end

-- Equipment and groups --------------------------------------------------------------------------------------------

local truths = { ["true"] = true, ["1"] = true }

local function equipment_list(call)
  local leaves = truths[call.args.exclude_parents]
  local list, name = ids_of_labs(call, leaves and "leaves" or "equipment", world.equipment_ids,
    leaves and function(lab, id) return not records.is_parent(lab, id) end)
  return array_source(name, list, records.equipment_summary)
end

-- The lab that owns the equipment and its place there, if the token sees the lab.
local function find_equipment(call, id)
  local lab, place = world.equipment_owner(id)
  if lab and call.view.by_id[lab] then return lab, place end
end

local function equipment(call, id)
  return find_equipment(call, id) and records.equipment(id)
end

-- Booking `index` books equipment index % count + 1, so an asset's bookings are every count-th of its lab.
local function equipment_bookings(call, id)
  local lab, place = find_equipment(call, id)
  if not lab then return nil end
  local step = #world.equipment_ids(lab)
  local total = math.ceil((call.view:booking_count(lab) - place + 1) / step)
  return { name = call.view.name .. "/asset/" .. id, total = math.max(0, total),
    at = function(position) return bookings.of_asset(lab, place - 1 + position * step) end }
end

local function groups(call)
  local list, name = ids_of_labs(call, "groups", world.group_ids)
  return array_source(name, list, records.group_summary)
end

local function group(call, id)
  local lab = world.group_owner(id)
  return lab and call.view.by_id[lab] and records.group(id)
end

-- Projects --------------------------------------------------------------------------------------------------------

local function projects(call, owner)
  if not call.view.by_id[owner] then return nil end
  return array_source(call.view.name .. "/projects/" .. owner, world.project_ids(owner), records.project_summary)
end

local function project(call, owner, id)
  return call.view.by_id[owner] and world.project_place(owner, id) and records.project(id)
end

-- The table -------------------------------------------------------------------------------------------------------

routes.table = {
  { "^/accounts$", "read_accounts", list = accounts },
  { "^/accounts/(%d+)$", "read_accounts", detail = account },
  { "^/bookings$", "read_bookings", list = booking_list },
  { "^/bookings/(%d+)$", "read_bookings", detail = booking },
  { "^/custom_form_response/(%d+)$", "read_bookings", detail = form_response },
  { "^/equipment$", "read_equipment", list = equipment_list },
  { "^/equipment/(%d+)$", "read_equipment", detail = equipment },
  { "^/equipment/(%d+)/bookings$", "read_equipment", list = equipment_bookings },
  { "^/accounts/(%d+)/projects$", "read_projects", list = projects },
  { "^/accounts/(%d+)/projects/(%d+)$", "read_projects", detail = project },
  { "^/groups$", "read_accounts", list = groups },
  { "^/groups/(%d+)$", "read_accounts", detail = group },
}

-- The route of a path, and the ids in it; nil where there is none.
function routes.find(path)
  for _, route in ipairs(routes.table) do
    local first, second = path:match(route[1])
    if first then return route, tonumber(first), tonumber(second) end
  end
end

return routes
