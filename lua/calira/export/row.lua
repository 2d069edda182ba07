--- A booking as a row of an export: flat, with names of its columns, and a digest that tells whether its summary changed. Nothing here waits.

local core <const> = require "calira.core"
local json <const> = require "calira.values.json"

local M = {}

--- The columns that a summary fills, in order.
M.SUMMARY = {
  "id", "status", "booking_type", "start_time", "end_time", "equipment_id", "equipment", "user_id", "note", "lab_id", "lab",
}

--- The columns that only the full booking fills.
M.DETAILS = {
  "cost", "currency", "charging_type", "duration", "requested_at", "provider_lab_id", "provider_lab", "requester_lab_id",
  "requester_lab", "requester_group", "projects", "funding_codes",
}

--- Whether an id can tell bookings apart.
function M.usable(id)
  return math.type(id) == "integer" or type(id) == "string" and id ~= ""
end

-- ── The digest ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Makes the digest of summaries and of the lab they came with, 16 hexadecimal digits. It tells versions of one booking apart and protects
-- nothing.
---@param node? table the account they came with
---@return fun(text: string): string digest of a booking as a list delivers it, as JSON with its names sorted: equal summaries have equal
---  texts
function M.digest(node)
  local lab <const> = node and json.encode { node.id, node.name } or ""
  return function(text) return ("%016x"):format(core.digest(text .. lab)) end
end

-- ── The values ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- A field of what may be a table, or anything else in odd data.
local function field(value, name)
  if type(value) == "table" then return value[name] end
end

--- A value that fits in a cell: nil for a table.
local function scalar(value)
  local kind = type(value)
  if kind == "string" or kind == "number" or kind == "boolean" then return value end
end

--- The names of a booking's projects and their funding codes, each once, in the order of the record.
---@return string[] projects, string[] codes
function M.payers(b)
  local projects, codes, seen = {}, {}, {}
  local function add(list, prefix, value)
    value = scalar(value)
    if value == nil or seen[prefix .. tostring(value)] then return end
    seen[prefix .. tostring(value)] = true
    list[#list + 1] = tostring(value)
  end
  for _, project in ipairs(type(b.projects) == "table" and b.projects or {}) do
    add(projects, "p", field(project, "name") or field(project, "id"))
    local funding <const> = field(project, "funding_codes")
    for _, each in ipairs(type(funding) == "table" and funding or {}) do add(codes, "c", field(each, "code")) end
  end
  return projects, codes
end

--- A booking as one flat table: column → string, number, boolean or nil.
---@param b table a summary, or a full booking laid over one
---@param node? table the account it came with
---@return table values
function M.values(b, node)
  local projects, codes = M.payers(b)
  local equipment_id = b.equipment_id
  if equipment_id == nil then equipment_id = field(b.equipment, "id") end
  local values <const> = {
    equipment_id = equipment_id, equipment = field(b.equipment, "name"), note = field(b.last_public_note, "message"),
    lab_id = node and node.id or field(b.provider_lab, "id"), lab = node and node.name or field(b.provider_lab, "name"),
    provider_lab_id = field(b.provider_lab, "id"), provider_lab = field(b.provider_lab, "name"),
    requester_lab_id = field(b.requester_lab, "id"), requester_lab = field(b.requester_lab, "name"),
    requester_group = field(b.requester_group, "name"),
    projects = #projects > 0 and table.concat(projects, "; ") or nil, funding_codes = #codes > 0 and table.concat(codes, "; ") or nil,
  }
  for _, columns in ipairs { M.SUMMARY, M.DETAILS } do
    for _, name in ipairs(columns) do
      if values[name] == nil then values[name] = b[name] end
      values[name] = scalar(values[name])
    end
  end
  return values
end

return M
