--- Fields of records by a path: `equipment.name`; into arrays, each element: `projects.funding_codes.code`. Nothing here waits.

local core <const> = require "calira.core"
local json <const> = require "calira.values.json"

local M = {}

local function is_array(value) return value[1] ~= nil or next(value) == nil end

local function collect(value, path, found)
  if value == nil or value == core.null then return end
  if type(value) == "table" and is_array(value) then
    for _, each in ipairs(value) do collect(each, path, found) end
    found.many = true
    return
  end
  local name, rest = path:match "^([^.]+)%.?(.*)$"
  if not name then
    found[#found + 1] = value
  elseif type(value) == "table" then
    collect(value[name], rest, found)
  end
end

--- The value at a path: nil where nothing is there, an array where the path led through one.
---@param record table
---@param path string
---@param node table? the account whose list the record is of: what the record does not say of its `lab`, this does
---@return any
function M.get(record, path, node)
  local found = {}
  collect(record, path, found)
  if #found == 0 and node and not found.many then
    local own = path:match "^lab%.(%w+)$"
    if own == "id" or own == "name" then return node[own] end
  end
  if found.many then
    found.many = nil
    return found
  end
  return found[1]
end

--- A value in one cell: of a record its name, of an array all elements. Nil where there is nothing.
---@return string|number|nil
function M.cell(value)
  if value == nil or value == core.null then return nil end
  if type(value) == "number" then return json.number(value) end
  if type(value) ~= "table" then return tostring(value) end
  if is_array(value) then
    local cells = {}
    for _, each in ipairs(value) do cells[#cells + 1] = M.cell(each) end
    return #cells > 0 and table.concat(cells, "; ") or nil
  end
  for _, name in ipairs { "name", "message", "filename" } do
    if type(value[name]) == "string" then return value[name] end
  end
  return json.encode(value)
end

--- Whether a field holds a value, as text in any case; "" is: nothing is there.
---@return boolean has, boolean there whether the field holds anything
function M.has(value, wanted)
  if type(value) ~= "table" then value = { value } end
  if not is_array(value) then value = { M.cell(value) } end
  local there = false
  for _, each in ipairs(value) do
    there = true
    if tostring(M.cell(each)):lower() == wanted:lower() then return true, true end
  end
  return wanted == "" and not there, there
end

return M
