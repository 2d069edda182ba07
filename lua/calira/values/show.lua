--- `calira.show`: any value as a text for people: in an interpreter, in a log, in a failed test. The same value always gives the same
-- text, which holds no control character, no address and, of an enormous value, only the beginning. Nothing here waits.

local core <const> = require "calira.core"
local text <const> = require "calira.values.text"

local M = {}

local WIDTH <const> = 100   -- a table that fits in a line of this many bytes takes one line
local DEPTH <const> = 8     -- tables inside each other; a booking's funding codes are at 5
local ENTRIES <const> = 400 -- of all tables together
local BYTES <const> = 400   -- of one text

local KEYWORDS <const> = {}
for word in ("and break do else elseif end false for function goto if in local nil not or repeat return then true until while"):gmatch "%a+" do
  KEYWORDS[word] = true
end

--- A text in quotes, cut between two characters.
local function quoted(value)
  local shown = value
  if #value > BYTES then
    local stop = BYTES
    while stop > BYTES - 4 and value:find("^[\x80-\xBF]", stop + 1) do stop = stop - 1 end
    shown = value:sub(1, stop)
  end
  shown = '"' .. text.mask((shown:gsub('[\\"]', "\\%0"))) .. '"'
  return #value > BYTES and ("%s… (%d bytes)"):format(shown, #value) or shown
end

--- What a value with a metatable of its own says of itself; nil where it says nothing.
local function described(value)
  local metatable = debug.getmetatable(value)
  if type(metatable) ~= "table" then return nil end
  if rawget(metatable, "__tostring") ~= nil then
    local ok, said = pcall(tostring, value)
    return ok and text.mask(said, "\n") or "<its tostring fails>"
  end
  local name = rawget(metatable, "__name")
  return type(name) == "string" and "<" .. text.mask(name) .. ">" or nil
end

local function scalar(value)
  local kind = type(value)
  if kind == "string" then return quoted(value) end
  if kind == "number" or kind == "boolean" or kind == "nil" then return tostring(value) end
  if value == core.null then return "null" end
  return described(value) or "<" .. kind .. ">"
end

-- Keys in this order: numbers by value, texts by bytes, false and true, and all others, whose order says nothing.
local RANKS <const> = { number = 1, string = 2, boolean = 3 }

local function before(a, b)
  local rank_a, rank_b = RANKS[type(a)] or 4, RANKS[type(b)] or 4
  if rank_a ~= rank_b then return rank_a < rank_b end
  if rank_a <= 2 then return a < b end
  if rank_a == 3 then return not a and b end
  return scalar(a) < scalar(b)
end

local function key_of(key)
  if type(key) == "string" and key:find "^[%a_][%w_]*$" and not KEYWORDS[key] then return key end
  return "[" .. scalar(key) .. "]"
end

--- The keys of a table beyond its first `count` elements, sorted.
local function other_keys(value, count)
  local keys = {}
  for key in next, value do
    if not (math.type(key) == "integer" and key >= 1 and key <= count) then keys[#keys + 1] = key end
  end
  table.sort(keys, before)
  return keys
end

--- `column`: how many bytes are before it in its line.
local function joined(parts, indent, column)
  local length, broken = 3 + column, false
  for _, part in ipairs(parts) do length, broken = length + #part + 2, broken or part:find("\n", 1, true) ~= nil end
  if #parts == 0 then return "{}" end
  if not broken and length <= WIDTH then return "{ " .. table.concat(parts, ", ") .. " }" end
  local inner = indent .. "  "
  return "{\n" .. inner .. table.concat(parts, ",\n" .. inner) .. ",\n" .. indent .. "}"
end

--- `state`: `left`, entries that may still be written; `open`, the tables that hold this one.
local function render(value, indent, column, depth, state)
  if type(value) ~= "table" then return scalar(value) end
  local own = described(value)
  if own then return (own:gsub("\n", "\n" .. indent)) end
  if state.open[value] then return "{cycle}" end
  if next(value) == nil then return "{}" end
  if depth > DEPTH or state.left <= 0 then return "{…}" end
  state.open[value] = true
  local parts, count, inner = {}, rawlen(value), indent .. "  "
  local function add(prefix, element)
    if state.left <= 0 then return false end
    state.left = state.left - 1
    parts[#parts + 1] = prefix .. render(element, inner, #inner + #prefix, depth + 1, state)
    return true
  end
  local keys <const>, all = other_keys(value, count), true
  for i = 1, count do
    all = add("", rawget(value, i))
    if not all then break end
  end
  for _, key in ipairs(all and keys or {}) do
    all = add(key_of(key) .. " = ", rawget(value, key))
    if not all then break end
  end
  if not all then parts[#parts + 1] = "…" end
  state.open[value] = nil
  return joined(parts, indent, column)
end

--- The text of a value. Elements come first, then fields by name; a table inside itself is `{cycle}`, what goes beyond the bounds is `…`.
---@param value any what has a `__tostring` is shown by that
---@return string
function M.show(value)
  return render(value, "", 0, 1, { left = ENTRIES, open = {} })
end

return M
