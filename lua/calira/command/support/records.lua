--- One record, written for people or for programs: what `booking`, `form` and `get` share.

local core <const> = require "calira.core"
local fields <const> = require "calira.command.support.fields"
local json <const> = require "calira.values.json"
local lists <const> = require "calira.command.support.lists"
local options <const> = require "calira.command.support.options"
local tables <const> = require "calira.command.format.table"

local M = {}

--- Describes --format, --fields, --raw and --tz.
function M.add_format(parser)
  options.add_format(parser, { "table", "json", "ndjson", "csv" })
  options.add_zone(parser)
end

--- The columns of records that are not known beforehand: what any of them has (a field that is null is not there). What is nested and has
-- no name is left out, but in csv, where it is JSON in its cell.
local function columns_of(records, format)
  local names, nested = {}, {}
  for _, record in ipairs(records) do
    for name, value in pairs(record) do
      nested[name] = nested[name] or type(value) == "table" and not value.name
    end
  end
  for name, is_nested in pairs(nested) do
    if not is_nested or format == "csv" then names[#names + 1] = name end
  end
  table.sort(names, function(a, b)
    if (a == "id") ~= (b == "id") then return a == "id" end
    return a < b
  end)
  local columns = {}
  for i, name in ipairs(names) do
    columns[i] = { field = name, title = name:upper(), kind = (name:find "_time$" or name:find "_at$") and "time" or nil }
    if nested[name] then
      columns[i].value = function(record) return type(record[name]) == "table" and json.encode(record[name]) or record[name] end
    end
  end
  return columns
end

local function is_records(value)
  if type(value) ~= "table" or value[1] == nil then return false end
  for _, each in ipairs(value) do if type(each) ~= "table" then return false end end
  return true
end

--- One record as JSON, all of it or the fields that were named.
local function json_of(record, names)
  if not names or type(record) ~= "table" then return json.encode(record) end
  local picked = {}
  for _, name in ipairs(names) do picked[name] = fields.get(record, name) end
  return json.encode(picked, names)
end

--- Writes a decoded answer: json where stdout is no terminal and --format does not say otherwise.
---@param body any
---@param shown fun(record: table)? writes the table of one record; otherwise a line for each field
function M.write(context, arguments, body, shown)
  local format = arguments.format or (core.isatty(1) and "table" or "json")
  local many = is_records(body)
  if type(body) ~= "table" or format == "json" and not many then
    context.out:write(json_of(body, arguments.fields), "\n")
  elseif many or format ~= "table" or arguments.fields then
    local records = many and body or { body }
    local writer = lists.writer(context, { format = format, fields = arguments.fields, raw = arguments.raw }, columns_of(records, format))
    for _, record in ipairs(records) do writer:write(record) end
    writer:finish()
  elseif shown then
    shown(body)
  else
    tables.record(context, body)
  end
end

return M
