-- The world: who exists, and which ids are whose. Everything follows from ids by formula, so a lab of a million
-- bookings costs no memory and two servers hold the same world.
local world = {}

-- Accounts --------------------------------------------------------------------------------------------------------

-- id, type, name, organisation, department
local BASE = {
  { 101, "lab", "Materials Science Lab", 201 },
  { 102, "lab", "Equipment Sharing Lab", 202 },
  { 103, "lab", "Harbour Observatory", 204 },
  { 104, "lab", "Cambridge Graphene Center", 201, 211 },
  { 105, "lab", "Optics", 201, 211 },
  { 106, "lab", "Cryogenics Lab", 201, 211 },
  { 107, "lab", "Attosecond Lab", 201, 211 },
  { 108, "lab", "NMR Suite", 201, 212 },
  { 109, "lab", "Synthesis Lab", 201, 212 },
  { 110, "lab", "Mass Spectrometry", 201, 212 },
  { 111, "lab", "Imaging Core", 201, 213 },
  { 112, "lab", "Flow Cytometry", 201, 213 },
  { 113, "lab", "University Workshop", 201 },
  { 114, "lab", "Clean Room", 202 },
  { 115, "lab", "Sequencing", 202, 221 },
  { 116, "lab", "Bioinformatics", 202, 221 },
  { 117, "lab", "Optics", 203, 231 },             -- a name that two labs have
  { 118, "lab", "Chromatography Lab", 203, 231 },
  { 119, "lab", "Wind Tunnel", 203, 232 },
  { 120, "lab", "Robotics Bay", 203, 232 },
  { 121, "lab", "Structures Hall", 203, 232 },
  { 122, "lab", "Northfield Makerspace", 203 },
  { 123, "lab", "Wet Lab", 204, 241 },
  { 124, "lab", "Deep Sea Instruments", 204, 241 },
  { 125, "lab", "Alder Upstream", 205 },
  { 126, "lab", "Alder Downstream", 205 },
  { 127, "lab", "Alder Quality Control", 205 },
  { 128, "lab", "Fenland Microscopy" },
  { 129, "lab", "Kiln & Glass Studio" },
  { 130, "lab", "Café Photonique" },              -- a name that is not ASCII
  { 131, "lab", "Quiet Lab" },
  { 201, "organisation", "University of Cambridge" },
  { 202, "organisation", "Cambridge Research Institute" },
  { 203, "organisation", "Northfield University" },
  { 204, "organisation", "Harbour Institute of Technology" },
  { 205, "organisation", "Alder Biosciences" },
  { 206, "organisation", "Lindqvist Foundation" },          -- has nothing
  { 211, "department", "Faculty of Physics", 201 },
  { 212, "department", "Department of Chemistry", 201 },
  { 213, "department", "School of Clinical Medicine", 201 },
  { 214, "department", "Department of Archives", 201 },     -- has no lab
  { 221, "department", "Genomics Division", 202 },
  { 231, "department", "Department of Chemistry", 203 },    -- a name that two departments have
  { 232, "department", "Faculty of Engineering", 203 },
  { 241, "department", "Marine Sciences", 204 },
}

local LARGE = 9000             -- the organisation that a scenario adds; its labs come after it
local GENERATED = 10000        -- the first id beyond the table
local BLOCK = 50               -- generated accounts come in blocks: an organisation, 4 departments, 45 labs

local function account(id, kind, name, organisation, department)
  return { id = id, type = kind, name = name, organisation = organisation, department = department }
end

-- The n-th (from 0) generated account: 40 labs of a block are in departments, 4 under the organisation, 1 independent.
local function generated(n)
  local at, number = n % BLOCK, math.floor(n / BLOCK) + 1
  local id = GENERATED + n
  local organisation = id - at
  local name = ("%04d"):format(number)
  if at == 0 then return account(id, "organisation", "Organisation " .. name) end
  if at <= 4 then return account(id, "department", ("Department %s-%d"):format(name, at), organisation) end
  name = ("Laboratory %s-%02d"):format(name, at)
  if at < 45 then return account(id, "lab", name, organisation, organisation + 1 + at % 4) end
  return account(id, "lab", name, at < 49 and organisation or nil)
end

-- The first `count` accounts, in the order of their ids: labs come before what they belong to.
local function first_accounts(count)
  local list = {}
  for n = 1, count do
    local row = BASE[n]
    list[n] = row and account(row[1], row[2], row[3], row[4], row[5]) or generated(n - #BASE - 1)
  end
  return list
end

-- The n-th (from 0) account of what a scenario adds: an organisation and its labs.
local function large(n)
  if n == 0 then return account(LARGE, "organisation", "University of the Large Labs") end
  return account(LARGE + n, "lab", ("Large Laboratory %03d"):format(n), LARGE)
end

-- Bookings --------------------------------------------------------------------------------------------------------

-- How many bookings a lab provides: the sizes around a full page are all there.
local BOOKINGS = {
  [101] = 320, [102] = 250, [103] = 140, [104] = 0, [105] = 1, [106] = 99, [107] = 100, [108] = 101, [109] = 200,
  [128] = 0, [131] = 0,
}
local MAIN, MAIN_FIRST = 102, 12345     -- the reference's bookings 12345 to 12347 are the first of lab 102
local FIRST = { [101] = 2045426, [103] = 1 }    -- ids that the reference's other examples name
local STRIDE = 10000000                 -- ids of lab L are L * STRIDE + index
world.INSERTED = 5000000                -- index of the first booking that a scenario inserts into lab 102

local function booking_count(lab, main)
  if lab == MAIN and main then return main end
  if BOOKINGS[lab] then return BOOKINGS[lab] end
  return lab < GENERATED and lab * 37 % 90 + 5 or lab * 37 % 30
end

function world.booking_id(lab, index)
  if lab == MAIN then return MAIN_FIRST + index end
  return index == 0 and FIRST[lab] or lab * STRIDE + index
end

-- The lab and the index of a booking's id, if it could be one.
local function split_booking_id(id)
  for lab, first in pairs(FIRST) do
    if id == first then return lab, 0 end
  end
  if id < STRIDE * 100 then return MAIN, id - MAIN_FIRST end
  local lab, index = math.floor(id / STRIDE), id % STRIDE
  if lab ~= MAIN and world.booking_id(lab, index) == id then return lab, index end
end

-- A view: the world as one scenario sees it ------------------------------------------------------------------------

local View = {}
View.__index = View

function View:booking_count(lab)
  if lab > LARGE and lab < GENERATED then return self.large[2] end
  return booking_count(lab, self.main)
end

-- Whether an index is a booking of the lab; those that a scenario inserts are its own business.
function View:has_booking(lab, index)
  return self.by_id[lab] and self.by_id[lab].type == "lab" and index >= 0 and index < self:booking_count(lab)
end

-- The lab and index of a booking that is there, or nil.
function View:locate(id)
  local lab, index = split_booking_id(id)
  if lab and self.by_id[lab] and index >= 0 then return lab, index end
end

-- The position-th (from 0) booking of all labs together: a lab and an index.
function View:booking_at(position)
  local low, high = 1, #self.labs
  while low < high do
    local middle = math.floor((low + high + 1) / 2)
    if self.offsets[middle] <= position then low = middle else high = middle - 1 end
  end
  return self.labs[low].id, position - self.offsets[low]
end

-- Accounts that `match` accepts, whether the token sees them or not: an organisation names labs that it does not show.
function View:below(match)
  local out = {}
  for _, a in ipairs(self.everyone) do
    if match(a) then out[#out + 1] = a end
  end
  return out
end

local function add_offsets(view)
  view.offsets, view.total = {}, 0
  for n, lab in ipairs(view.labs) do
    view.offsets[n] = view.total
    view.total = view.total + view:booking_count(lab.id)
  end
end

local function build(keys)
  local view = setmetatable({ main = keys.bookings, large = keys.large, accounts = {}, labs = {}, by_id = {}, named = {} }, View)
  view.everyone = first_accounts(keys.accounts or #BASE)
  for n = 0, keys.large and keys.large[1] or -1 do view.everyone[#view.everyone + 1] = large(n) end
  for _, a in ipairs(view.everyone) do
    view.named[a.id] = a
    -- Bad data on demand: two departments that are each other's department.
    if keys.cycle and (a.id == 211 or a.id == 212) then a.department = 423 - a.id end
    local shown = not (keys.hide and keys.hide[a.id])
    if a.type == "lab" and keys.labs then shown = shown and keys.labs[a.id] end
    if shown then
      view.by_id[a.id] = a
      view.accounts[#view.accounts + 1] = a
      if a.type == "lab" then view.labs[#view.labs + 1] = a end
    end
  end
  add_offsets(view)
  return view
end

local views = {}

local function set_text(set)
  local ids = {}
  for id in pairs(set or {}) do ids[#ids + 1] = id end
  table.sort(ids)
  return set and table.concat(ids, ",") or "*"
end

-- The view of a scenario; scenarios that want the same world share one, and its name tells worlds apart.
function world.view(keys)
  local name = table.concat({ keys.bookings or "", keys.accounts or "", keys.cycle and 1 or "", set_text(keys.labs),
    set_text(keys.hide), table.concat(keys.large or {}, ":") }, "|")
  local view = views[name]
  if not view then
    view = build(keys)
    view.name = name
    views[name] = view
  end
  return view
end

-- Equipment, projects, groups: ids ---------------------------------------------------------------------------------

local EQUIPMENT = { [102] = { 789, 790, 791, 780 }, [103] = { 1, 2 } }      -- the reference's own come first
local EQUIPMENT_COUNT = { [102] = 12, [109] = 130, [131] = 0 }
local PROJECTS = { [101] = { 501, 502, 31 } }
local PROJECT_COUNT = { [101] = 8, [110] = 130, [131] = 0 }

-- The ids that something of the account has: given ones first, then by formula. Kept, since they are asked for often.
local function ids_of(given, count, stride)
  local kept = {}
  return function(id)
    local ids = kept[id]
    if not ids then
      ids = {}
      for n = 1, count(id) do ids[n] = (given[id] or {})[n] or id * stride + n end
      kept[id] = ids
    end
    return ids
  end
end

world.equipment_ids = ids_of(EQUIPMENT, function(lab) return EQUIPMENT_COUNT[lab] or 3 + lab % 6 end, 1000)
world.project_ids = ids_of(PROJECTS, function(id) return PROJECT_COUNT[id] or (id + 1) % 4 end, 1000)
world.group_ids = ids_of({}, function(lab) return 1 + lab % 3 end, 100)

-- The first equipment of the lab whose id follows the formula.
function world.first_generated(lab)
  return lab * 1000 + #(EQUIPMENT[lab] or {}) + 1
end

local function index_of(ids, id)
  for n, other in ipairs(ids) do
    if other == id then return n end
  end
end

local owners = {}
for lab, ids in pairs(EQUIPMENT) do
  for _, id in ipairs(ids) do owners[id] = lab end
end

-- The lab that has the equipment and the place in its list, or nil.
function world.equipment_owner(id)
  local lab = owners[id] or math.floor(id / 1000)
  local place = lab > 0 and index_of(world.equipment_ids(lab), id)
  if place then return lab, place end
end

function world.group_owner(id)
  local lab = math.floor(id / 100)
  local place = index_of(world.group_ids(lab), id)
  if place then return lab, place end
end

function world.project_place(owner, id)
  return index_of(world.project_ids(owner), id)
end

-- The account of the table, whatever a scenario shows; bookings name labs that way.
local base_by_id, base_labs = {}, {}
for _, a in ipairs(first_accounts(#BASE)) do
  base_by_id[a.id] = a
  if a.type == "lab" then base_labs[#base_labs + 1] = a end
end
world.base_labs = base_labs

function world.account(id)
  return base_by_id[id] or (id >= GENERATED and generated(id - GENERATED)) or (id >= LARGE and large(id - LARGE)) or nil
end

return world
