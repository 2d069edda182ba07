--- Checked option tables: an unknown name, a wrong type or a value out of range is an argument error that says what there is.

local core <const> = require "calira.core"

local M = {}

--- A kind of value: a function that returns the value to use, or nil and what was expected.
local kind = {}
M.kind = kind

local function shown(value)
  return type(value) == "string" and ("%q"):format(value) or tostring(value)
end

local function whole(value, least, most)
  local n = type(value) == "number" and math.tointeger(value)
  return n and n >= least and n <= most and n or nil
end

function kind.whole(least, most)
  local expected = most < math.maxinteger and ("a whole number from %d to %d"):format(least, most)
    or ("a whole number, %d or more"):format(least)
  return function(value) return whole(value, least, most), expected end
end

--- A span in seconds: more than `above`, or `least` or more, and no longer than a century.
function kind.seconds(least, above)
  local expected = above and ("seconds, more than %g"):format(above) or ("seconds, %g or more"):format(least)
  return function(value)
    local fits = type(value) == "number" and value < 3.2e9 and (above and value > above or not above and value >= least)
    return fits and value or nil, expected
  end
end

function kind.positive(value)
  return type(value) == "number" and value > 0 and value < 1e9 and value or nil, "a number, more than 0"
end

local function typed(name, expected)
  return function(value) if type(value) == name then return value end return nil, expected end
end

kind.boolean = typed("boolean", "true or false")
kind.text = function(value)
  if type(value) == "string" and value ~= "" and not value:find("%c") then return value end
  return nil, "a text without control characters"
end
--- A text that may be empty: libcurl takes that for "none".
kind.text_or_none = function(value)
  if value == "" then return value end
  return kind.text(value)
end
kind.table = typed("table", "a table")
kind.callable = function(value)
  local meta = getmetatable(value)
  if type(value) == "function" then return value end
  if type(meta) == "table" and meta.__call then return function(...) return value(...) end end
  return nil, "a function"
end
kind.any = function(value) return value end

--- The same kind, for a value that no message may show.
function kind.secret(check)
  return function(value)
    local good, expected = check(value)
    return good, expected, true
  end
end

local function names_of(kinds)
  local names = {}
  for name in pairs(kinds) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, ", ")
end

--- Checks a table of options against their kinds and returns a copy. `what` names the call in messages.
function M.check(options, kinds, what)
  if options == nil then options = {} end
  if type(options) ~= "table" then
    core.raise("argument", ("%s takes a table of options (got a %s)"):format(what, type(options))) -- it may be a token
  end
  local checked = {}
  for name, value in pairs(options) do
    local check = kinds[name]
    if not check then
      core.raise("argument", ("%s has no option %s; there are: %s"):format(what, tostring(name), names_of(kinds)))
    end
    local good, expected, secret = check(value)
    if good == nil then
      local got = secret and "" or (" (got %s)"):format(shown(value))
      core.raise("argument", ("%s: option %s takes %s%s"):format(what, name, expected, got))
    end
    checked[name] = good
  end
  return checked
end

-- ── Identifiers and queries ───────────────────────────────────────────────────────────────────────────────────────────────────────

local EXACT <const> = 2.0 ^ 53 -- a float from here on may be the nearest of several whole numbers

--- The text of an id, or nil: an integer from 0 (a whole float below 2^53 counts), a string of digits, letters, "_" and "-", or a
--- record with one.
---@param field string? of a record, before `id`
function M.id_text(value, field)
  if type(value) == "table" then value = field and value[field] or value.id end
  if type(value) == "number" then
    local n = (math.type(value) == "integer" or value < EXACT) and math.tointeger(value)
    return n and n >= 0 and tostring(n) or nil
  end
  return type(value) == "string" and value:find("^[%w_-]+$") and value or nil
end

--- The same, or an argument error.
function M.check_id(value, what, field)
  return M.id_text(value, field) or core.raise("argument",
    ("%s: an id is a whole number, a string of digits, letters, \"_\" and \"-\", or a record with one (got %s)")
    :format(what, shown(value)))
end

function kind.id(value) return M.id_text(value), "an id" end

local function scalar(value, name, what)
  if type(value) == "boolean" then return tostring(value) end
  if type(value) == "number" and value == value and value ~= math.huge and value ~= -math.huge then
    return tostring(math.tointeger(value) or value)
  end
  if type(value) == "string" and not value:find("%c") then return value end
  return core.raise("argument", ("%s: parameter %s takes a text without control characters, a number or a boolean (got %s)")
    :format(what, name, shown(value)))
end

--- A query table as an array of names and values by turns, sorted by name; a value that is an array gives its name several times.
---@param reserved table<string, string>? names that may not be set → what sets them
function M.query(query, what, reserved)
  if query == nil then return {} end
  if type(query) ~= "table" then
    core.raise("argument", ("%s: the query is a table of parameters (got %s)"):format(what, shown(query)))
  end
  local names, pairs_of = {}, {}
  for name in pairs(query) do
    if type(name) ~= "string" or name == "" or name:find("[%c=&]") then
      core.raise("argument", ("%s: %s cannot be the name of a parameter"):format(what, shown(name)))
    end
    if reserved and reserved[name] then
      core.raise("argument", ("%s: parameter %s is set by %s"):format(what, name, reserved[name]))
    end
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = query[name]
    if type(value) == "table" and #value == 0 then scalar(value, name, what) end -- raises
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      pairs_of[#pairs_of + 1] = name
      pairs_of[#pairs_of + 1] = scalar(one, name, what)
    end
  end
  return pairs_of
end

return M
