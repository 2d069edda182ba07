-- What the records look like: the fields of the reference's examples, in their order, filled by formula.
local json = require "json"
local world = require "world"

local records = {}
local null = json.null

local EXAMPLES = { "booking", "bookings", "equipment", "equipment_bookings", "custom_form_response", "project" }

local examples = {}

-- Reads the example answers of the reference.
function records.load(folder)
  for _, name in ipairs(EXAMPLES) do
    local file = assert(io.open(folder .. "/" .. name .. ".json"))
    examples[name] = json.decode(file:read("*a"))
    file:close()
  end
  records.index_examples()
end

local function pick(list, n)
  return list[n % #list + 1]
end

local function named(thing)
  return thing and { "id", thing.id, "name", thing.name } or null
end

-- People ----------------------------------------------------------------------------------------------------------

local FIRST_NAMES = { "Mira", "Tomas", "Ines", "Oskar", "Leila", "Bram", "Yuki", "Petra", "Samir", "Ada", "Noor" }
local LAST_NAMES = { "Halden", "Brook", "Ferrow", "Quill", "Sandoval", "Thorne", "Okafor", "Lind", "Vasquez", "Marsh",
  "Ito", "Keller", "Rowan" }

local function person(id)
  if id == 456 then
    return { id = 456, name = "Dr. John Doe", email = "john.doe@university.edu", sector = "academia" }
  end
  local first, last = pick(FIRST_NAMES, id), pick(LAST_NAMES, id)
  return {
    id = id, name = first .. " " .. last, sector = id % 5 == 0 and "industry" or "academia",
    email = ("%s.%s.%d@example.org"):format(first:lower(), last:lower(), id),
  }
end

-- Accounts --------------------------------------------------------------------------------------------------------

function records.account_summary(a)
  return { "id", a.id, "name", a.name, "account_type", a.type, "organisation", a.organisation or null,
    "department", a.department or null }
end

local function named_list(accounts)
  local list = json.array()
  for n, a in ipairs(accounts) do list[n] = named(a) end
  return list
end

function records.account(view, a)
  local function below(kind)
    return named_list(view:below(function(other)
      return other.type == kind and (other.organisation == a.id or other.department == a.id) and other.id ~= a.id
    end))
  end
  local lab = a.type == "lab"
  return {
    "id", a.id, "name", a.name, "account_type", a.type,
    "sector", a.organisation == 205 and "industry" or "academia",
    "description", ("The %s %s of the sandbox"):format(a.type, a.name),
    "timezone", "Europe/London",
    "department", named(view.named[a.department]),
    "organisation", named(view.named[a.organisation]),
    "labs", lab and json.array() or below("lab"),
    "departments", a.type == "organisation" and below("department") or json.array(),
  }
end

-- Equipment -------------------------------------------------------------------------------------------------------

local KINDS = { "Confocal Microscope", "Centrifuge", "Spectrometer", "Laser Cutter", "Freeze Dryer",
  "X-ray Diffractometer", "Plate Reader", "Glove Box", "Vacuum Furnace", "Atomic Force Microscope" }
local MAKERS = { "Brightwell", "Novatek", "Hinrichs & Sohn", "Asterion" }
local CATEGORIES = { "Microscopy", "Separation", "Spectroscopy", "Fabrication" }
local CURRENCIES = { "GBP", "EUR", "USD" }
local EXACT_NAMES = { [780] = "Advanced Microscope (Parent Asset)", [789] = "Advanced Microscope",
  [790] = "Spectrometer", [791] = "Centrifuge" }
local EXACT_PARENTS = { [789] = 780 }

local exact_equipment = {}      -- by id: summaries of the examples

-- Of the equipment that a lab has by formula, the first is the parent of the next two.
local function parent_of(lab, id)
  local exact = exact_equipment[id]
  if exact then
    local parent = json.get(exact, "parent_id")
    return parent ~= null and parent or nil
  end
  local first = world.first_generated(lab)
  if id == first + 1 or id == first + 2 then return first end
  return EXACT_PARENTS[id]
end

local function make_equipment_facts(id)
  local lab = world.equipment_owner(id)
  if not lab then return nil end
  local exact = exact_equipment[id]
  return {
    id = id, lab = lab, parent = parent_of(lab, id),
    name = exact and json.get(exact, "name") or EXACT_NAMES[id] or ("%s %d"):format(pick(KINDS, id), id),
    maker = exact and json.get(exact, "manufacturer") or pick(MAKERS, id),
    model = exact and json.get(exact, "model") or ("%s-%d"):format(pick({ "A", "XR", "Mk" }, id), 100 + id % 37),
    room = exact and json.get(exact, "room") or ("Room %d"):format(100 + id % 40),
    description = exact and json.get(exact, "description")
      or ("%s in %s"):format(pick(KINDS, id), world.account(lab).name),
    category = exact and json.get(json.get(exact, "sub_category"), "name") or pick(CATEGORIES, id),
  }
end

local kept_facts = {}       -- by id, since every booking of a list names its equipment

local function equipment_facts(id)
  local facts = kept_facts[id] or make_equipment_facts(id)
  kept_facts[id] = facts
  return facts
end

function records.equipment_summary(id)
  if exact_equipment[id] then return exact_equipment[id] end
  local e = equipment_facts(id)
  local parent = e.parent and equipment_facts(e.parent)
  return {
    "id", e.id, "name", e.name, "description", e.description, "room", e.room,
    "availability_status", id % 9 == 0 and "Unavailable" or "Available", "model", e.model, "manufacturer", e.maker,
    "sub_category", { "id", 10 + id % #CATEGORIES, "name", e.category },
    "contact_person", named(person(400 + id % 50)),
    "parent_id", parent and parent.id or null, "parent_name", parent and parent.name or null,
  }
end

function records.equipment(id)
  local e = equipment_facts(id)
  local parent = e.parent and equipment_facts(e.parent)
  return {
    "id", e.id, "name", e.name, "room", e.room, "manufacturer", e.maker, "model", e.model, "city", "Cambridge",
    "country", "United Kingdom", "currency", pick(CURRENCIES, e.lab), "charging_type", "Per Hour",
    "description", e.description, "category", { "name", e.category }, "lab", named(world.account(e.lab)),
    "parent_id", parent and parent.id or null, "parent_name", parent and parent.name or null,
    "manufacturing_year", tostring(2005 + id % 20), "serial_number", ("SN-%06d"):format(id),
  }
end

-- The lab's equipment that has others below it.
function records.is_parent(lab, id)
  for _, other in ipairs(world.equipment_ids(lab)) do
    if parent_of(lab, other) == id then return true end
  end
  return false
end

-- Groups and projects ---------------------------------------------------------------------------------------------

local function group_name(lab, place)
  if lab == 101 and place == 1 then return "Research Team Alpha" end
  return ("Team %s %d"):format(pick({ "Birch", "Cedar", "Rowan", "Willow" }, lab + place), place)
end

function records.group_summary(id)
  return { "id", id, "name", group_name(world.group_owner(id)) }
end

function records.group(id)
  local lab, place = world.group_owner(id)
  local list = json.array()
  for n, other in ipairs(world.equipment_ids(lab)) do
    if n % 3 + 1 == place then list[#list + 1] = named(equipment_facts(other)) end
  end
  return { "id", id, "name", group_name(lab, place), "equipment", list }
end

local FUNDERS = { { "EPSRC", "research_council" }, { "Example Industries", "industry" },
  { "Lindqvist Foundation", "charity" } }
local exact_projects = {}       -- by id: facts of the projects in the examples

local function project_facts(id)
  if exact_projects[id] then return exact_projects[id] end
  local codes = {}
  for n = 1, id % 3 do
    local funder = pick(FUNDERS, id + n)
    codes[n] = { id = id * 10 + n, code = ("FC-%d-%d"):format(id, n), funder = funder[1], kind = funder[2],
      amount = id * 50 % 9000 + n / 10, currency = pick(CURRENCIES, id) }
  end
  return { id = id, name = ("Project %d"):format(id), supervisor = person(300 + id % 40).name, codes = codes }
end

function records.project_summary(id)
  local p = project_facts(id)
  local codes = json.array()
  for n, c in ipairs(p.codes) do codes[n] = { "id", c.id, "name", c.code } end
  return { "id", id, "name", p.name, "created_by", named(person(310 + id % 20)), "supervisor", p.supervisor,
    "funding_codes", codes }
end

function records.project(id)
  if id == 31 then return examples.project end
  local p = project_facts(id)
  local codes = json.array()
  for n, c in ipairs(p.codes) do
    codes[n] = { "id", c.id, "name", c.code, "funder_name", c.funder, "funder_type", c.kind,
      "expiry_date", ("2027-%02d-%02d"):format(1 + id % 12, 1 + (id + n) % 28), "allocated_amount", c.amount,
      "spent_amount", math.floor(c.amount / 3) }
  end
  local users = json.array()
  if id % 2 == 0 then users[1] = named(person(400 + id % 60)) end
  return {
    "name", p.name, "supervisor", p.supervisor,
    "additional_information", id % 4 == 0 and "Renewed yearly" or null,
    "funding_codes", codes, "selected_users", users,
  }
end

-- A project as a booking names it.
local function booked_project(id)
  local p = project_facts(id)
  local codes = json.array()
  for n, c in ipairs(p.codes) do
    codes[n] = { "code", c.code, "funder", c.funder, "amount", c.amount, "currency", c.currency }
  end
  return { "id", id, "name", p.name, "supervisor", p.supervisor, "funding_codes", codes }
end

-- The examples, by id ---------------------------------------------------------------------------------------------

local function index_projects()
  for _, p in ipairs(json.get(examples.booking, "projects")) do
    local id, codes = json.get(p, "id"), {}
    for n, c in ipairs(json.get(p, "funding_codes")) do
      codes[n] = { id = id * 10 + n, code = json.get(c, "code"), funder = json.get(c, "funder"),
        kind = "research_council", amount = json.get(c, "amount"), currency = json.get(c, "currency") }
    end
    exact_projects[id] = { id = id, codes = codes,
      name = json.get(p, "name"), supervisor = json.get(p, "supervisor") }
  end
  local codes = {}
  for n, c in ipairs(json.get(examples.project, "funding_codes")) do
    codes[n] = { id = json.get(c, "id"), code = json.get(c, "name"), funder = json.get(c, "funder_name"),
      amount = json.get(c, "allocated_amount"), currency = "GBP" }
  end
  exact_projects[31] = { id = 31, name = json.get(examples.project, "name"),
    supervisor = json.get(examples.project, "supervisor"), codes = codes }
end

function records.index_examples()
  for _, e in ipairs(examples.equipment) do exact_equipment[json.get(e, "id")] = e end
  index_projects()
end

records.examples = examples
records.person = person
records.pick = pick
records.named = named
records.equipment_facts = equipment_facts
records.group_name = group_name
records.booked_project = booked_project
records.CURRENCIES = CURRENCIES

return records
