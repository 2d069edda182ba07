--- Cursors: where a list was left, as a short text, so that another run goes on there. Nothing here waits.
-- `calira1.<fingerprint>.<page>.<id>[.<account>]`: the fingerprint is of what the list asks for, so that a cursor is not taken for
-- another list's; an id is `-` (none), `i` and a whole number, or `s` and a text in hexadecimal.

local core <const> = require "calira.core"

local M = {}

--- FNV-1a, 64 bits (RFC draft-eastlake-fnv): tells requests apart, protects nothing.
local function fingerprint(text)
  local hash = 0xcbf29ce484222325
  for i = 1, #text do hash = (hash ~ text:byte(i)) * 0x100000001b3 end
  return ("%016x"):format(hash)
end

local function canonical(value)
  if type(value) ~= "table" then return tostring(value) end
  local texts = {}
  for i, one in ipairs(value) do texts[i] = tostring(one) end
  return table.concat(texts, "\1")
end

--- All that decides which records a list has, in which pages.
local function request_of(call, options)
  local parts = { call.path, table.concat(call.query, "\1"), tostring(options.per_page or 100) }
  for _, name in ipairs { "from", "to", "status", "except_status", "booking_type" } do
    parts[#parts + 1] = name .. "\2" .. canonical(options[name])
  end
  local under = call.under
  parts[#parts + 1] = type(under) == "table" and tostring(under.id) or tostring(under)
  return table.concat(parts, "\0")
end

local function write_id(id)
  if math.type(id) == "integer" then return "i" .. id end
  if type(id) ~= "string" then return "-" end
  return "s" .. id:gsub(".", function(c) return ("%02x"):format(c:byte()) end)
end

local function read_id(text)
  local kind, rest = text:sub(1, 1), text:sub(2)
  if kind == "i" then return math.tointeger(tonumber(rest)) end
  if kind == "s" then return (rest:gsub("%x%x", function(hex) return string.char(tonumber(hex, 16)) end)) end
end

local function refuse(message)
  core.raise("argument", "resume: " .. message)
end

--- What a cursor says: `page`, `id`, `node` (the id of an account).
local function read(text, mark)
  if type(text) ~= "string" then refuse(("a cursor is a text (got %s)"):format(type(text))) end
  local made, page, id, node = text:match("^calira1%.(%x+)%.(%d+)%.([%w%-]+)%.?([%w%-]*)$")
  page = page and math.tointeger(tonumber(page))
  if not page or page < 1 or page >= 1 << 53 then refuse(("%q is no cursor"):format(text:sub(1, 80))) end
  if made ~= mark then refuse "the cursor was made by a list with other parameters" end
  return { page = page, id = read_id(id), node = read_id(node) }
end

--- Reads the option `resume` and makes the function that writes cursors of this list.
---@return table? resumed `page`, `id`, `node`
---@return function? cursor(page, id, node) → text; nil where the list has none. Raises kind `argument`.
function M.open(call, options)
  for _, name in ipairs { "page", "exact", "unordered" } do
    if options[name] then
      if options.resume then refuse(("it does not go with the option %s"):format(name)) end
      return nil, nil
    end
  end
  local mark = fingerprint(request_of(call, options))
  local resumed = options.resume ~= nil and read(options.resume, mark) or nil
  return resumed, function(page, id, node)
    local from = resumed or { page = 1 }
    if not page then page, id = from.page, from.id end
    local account = node and write_id(node.id) or from.node and write_id(from.node)
    return ("calira1.%s.%d.%s%s"):format(mark, page, write_id(id), account and "." .. account or "")
  end
end

return M
