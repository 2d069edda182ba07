--- Records as JSON. lua-cjson 2.1.0 (Debian's) writes integers with 14 digits and cannot tell an empty array from an empty record, so this
-- is an encoder of our own, for what the library decodes: every integer of 64 bits exact, every float with as many digits as it needs, an
-- empty table as `[]` (the API has no empty records), names sorted. Nothing here waits.

local core <const> = require "calira.core"

local M = {}

local SHORT <const> = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(character)
  local code = utf8.codepoint(character)
  if code > 0xFFFF then -- a pair of surrogates
    return ("\\u%04x\\u%04x"):format(0xD800 + ((code - 0x10000) >> 10), 0xDC00 + (code & 0x3FF))
  end
  return SHORT[character] or ("\\u%04x"):format(code)
end

--- A text in quotes. What would command a terminal is escaped too: C1 controls, marks that turn the direction of writing.
local function quote(text)
  if not text:find '[%c"\\\x7f-\xff]' then return '"' .. text .. '"' end
  text = text:gsub('[%c"\\\x7f]', escape)
  if text:find "[\x80-\xff]" then
    text = text:gsub("\xc2[\x80-\x9f]", escape):gsub("\xd8\x9c", escape):gsub("\xe2\x80[\x8e\x8f\xa8-\xae]", escape)
      :gsub("\xe2\x81[\xa6-\xa9]", escape):gsub("\xef\xbb\xbf", escape):gsub("\xf3\xa0[\x80\x81][\x80-\xbf]", escape)
  end
  return '"' .. text .. '"'
end

--- A number as it is read back the same.
function M.number(value)
  if math.type(value) == "integer" then return ("%d"):format(value) end
  if value ~= value or value == math.huge or value == -math.huge then return "null" end
  local whole = math.tointeger(value)
  if whole and math.abs(whole) < 1 << 53 then return ("%d"):format(whole) end
  for digits = 15, 17 do
    local text = ("%%.%dg"):format(digits):format(value)
    if tonumber(text) == value then return text end
  end
end

local write

local function write_array(parts, value)
  parts[#parts + 1] = "["
  for i = 1, #value do
    if i > 1 then parts[#parts + 1] = "," end
    write(parts, value[i])
  end
  parts[#parts + 1] = "]"
end

--- What stands before each value of a record: `{"a":`, then `,"b":`.
local function openers_of(names)
  local openers = {}
  for i, name in ipairs(names) do openers[i] = (i == 1 and "{" or ",") .. quote(name) .. ":" end
  return openers
end

local function write_object(parts, value, names, openers)
  for i = 1, #names do
    parts[#parts + 1] = openers[i]
    write(parts, value[names[i]])
  end
  parts[#parts + 1] = #names > 0 and "}" or "{}"
end

--- Records that have their names in the same order of `next` have the same names sorted: a tree from each name to those that come after it,
-- in which `names` and `openers` stand where a record ends. Most records of a list end in the same place.
local shapes, shape_count = {}, 0
local MOST_SHAPES <const> = 10000

local function shape_of(value)
  local shape = shapes
  for name in next, value do
    local after = shape[name]
    if not after then
      if shape_count == MOST_SHAPES then shapes, shape_count = {}, 0 end
      after, shape_count = {}, shape_count + 1
      shape[name] = after
    end
    shape = after
  end
  if not shape[1] then
    local names = {}
    for name in next, value do names[#names + 1] = name end
    table.sort(names)
    shape[1], shape[2] = names, openers_of(names)
  end
  return shape[1], shape[2]
end

function write(parts, value)
  local kind = type(value)
  if kind == "table" then
    if next(value) == nil or value[1] ~= nil then return write_array(parts, value) end
    return write_object(parts, value, shape_of(value))
  end
  local text
  if kind == "string" then
    text = quote(value)
  elseif kind == "number" then
    text = M.number(value)
  else
    text = (value == nil or value == core.null) and "null" or tostring(value)
  end
  parts[#parts + 1] = text
end

--- The JSON text of a value.
---@param value any what the library decodes: nil and calira.null, booleans, numbers, texts, arrays, records
---@param names string[]? of a record: only these, in this order; one that it does not have is null
---@return string
function M.encode(value, names)
  local parts = {}
  if names then write_object(parts, value, names, openers_of(names)) else write(parts, value) end
  return table.concat(parts)
end

return M
