-- JSON that keeps the order of fields, as the reference's examples have them. An object is a flat list
-- { "key", value, "key", value }, an array is what `array` made, null is `null`.
local json = {}

local Array = {}
json.null = setmetatable({}, { __tostring = function() return "null" end })

function json.array(list)
  return setmetatable(list or {}, Array)
end

function json.is_array(value)
  return getmetatable(value) == Array
end

-- The value of a field, or nil.
function json.get(object, key)
  for i = 1, #object, 2 do
    if object[i] == key then return object[i + 1] end
  end
end

-- A copy of the object in which the field has another value, or is absent (nil).
function json.with(object, key, value)
  local copy = {}
  for i = 1, #object, 2 do
    if object[i] ~= key then
      copy[#copy + 1] = object[i]
      copy[#copy + 1] = object[i + 1]
    elseif value ~= nil then
      copy[#copy + 1] = key
      copy[#copy + 1] = value
    end
  end
  return copy
end

-- Encoding --------------------------------------------------------------------------------------------------------

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function quote(text)
  if not text:find('[%c"\\]') then return '"' .. text .. '"' end
  return '"' .. text:gsub('[%c"\\]', function(c)
    return escapes[c] or string.format("\\u%04x", c:byte())
  end) .. '"'
end

-- Names of fields are few and come often.
local names = setmetatable({}, { __index = function(self, name)
  self[name] = quote(name) .. ":"
  return self[name]
end })

local encode

local function encode_list(list, out)
  for i = 1, #list do
    if i > 1 then out[#out + 1] = "," end
    encode(list[i], out)
  end
end

local function encode_fields(object, out)
  for i = 1, #object, 2 do
    if i > 1 then out[#out + 1] = "," end
    out[#out + 1] = names[object[i]]
    encode(object[i + 1], out)
  end
end

local encoders = {
  string = function(value, out) out[#out + 1] = quote(value) end,
  boolean = function(value, out) out[#out + 1] = tostring(value) end,
  number = function(value, out)
    local small = value % 1 == 0 and math.abs(value) < 1e14
    out[#out + 1] = small and tostring(value) or string.format(value % 1 == 0 and "%.0f" or "%.14g", value)
  end,
  table = function(value, out)
    if value == json.null then
      out[#out + 1] = "null"
    elseif json.is_array(value) then
      out[#out + 1] = "["
      encode_list(value, out)
      out[#out + 1] = "]"
    else
      out[#out + 1] = "{"
      encode_fields(value, out)
      out[#out + 1] = "}"
    end
  end,
}

function encode(value, out)
  return encoders[type(value)](value, out)
end

function json.encode(value)
  local out = {}
  encode(value, out)
  return table.concat(out)
end

-- Decoding --------------------------------------------------------------------------------------------------------
-- For the example files only, so it trusts its input. Each function takes the text and a position, and returns the
-- value and the position after it.

local decode

local function skip(text, at)
  return text:find("[^%s]", at)
end

local unescapes = { n = "\n", r = "\r", t = "\t" }

local function decode_string(text, at)
  local stop = at
  repeat
    stop = text:find('["\\]', stop + 1)
    local escaped = text:sub(stop, stop) == "\\"
    if escaped then stop = stop + 1 end
  until not escaped
  return (text:sub(at + 1, stop - 1):gsub("\\(.)", function(c) return unescapes[c] or c end)), stop + 1
end

-- The members of an object or an array, up to the closing bracket; `keyed` says which.
local function decode_members(text, at, list, close, keyed)
  at = skip(text, at + 1)
  while text:sub(at, at) ~= close do
    if keyed then
      list[#list + 1], at = decode_string(text, at)
      at = text:find(":", at, true) + 1
    end
    list[#list + 1], at = decode(text, at)
    at = skip(text, at)
    if text:sub(at, at) == "," then at = skip(text, at + 1) end
  end
  return list, at + 1
end

local literals = { ["true"] = true, ["false"] = false, null = json.null }

function decode(text, at)
  at = skip(text, at)
  local c = text:sub(at, at)
  if c == "{" then return decode_members(text, at, {}, "}", true) end
  if c == "[" then return decode_members(text, at, json.array(), "]", false) end
  if c == '"' then return decode_string(text, at) end
  local word = text:match("^[%w.+-]+", at)
  local value = literals[word]
  if value == nil then value = tonumber(word) end
  return value, at + #word
end

function json.decode(text)
  return (decode(text, 1))
end

return json
