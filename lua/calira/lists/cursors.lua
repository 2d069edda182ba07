--- Cursors: where a list was left, as a short text, so that another run goes on there. Nothing here waits.
-- `calira1.<fingerprint>.<page>[p<size>|x<size>].<id>[.<account>.<before>]`: the fingerprint is of what the list asks for, so that a cursor
-- is not taken for another list's; the size is that of a page, x where the server says another; an id is `-` (none), `i` and a whole number, or `s`
-- and a text in hexadecimal; `before` is a digest of the accounts that were read before this one.

local core <const> = require "calira.core"

local M = {}

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
  if options.shard then parts[#parts + 1] = "shard\2" .. options.shard end -- without one, the cursors of before stay good
  return table.concat(parts, "\0")
end

local function write_id(id)
  if math.type(id) == "integer" then return "i" .. id end
  if type(id) ~= "string" then return "-" end
  return "s" .. id:gsub(".", function(c) return ("%02x"):format(c:byte()) end)
end

--- Whether it can be read, and the id, nil for none.
local function read_id(text)
  local kind, rest = text:sub(1, 1), text:sub(2)
  if kind == "i" and rest:find "^%-?%d+$" then
    local id = math.tointeger(tonumber(rest))
    return id ~= nil, id
  end
  if kind == "s" and #rest % 2 == 0 and not rest:find "%X" then
    return true, (rest:gsub("%x%x", function(hex) return string.char(tonumber(hex, 16)) end))
  end
  return text == "-" or text == "", nil
end

local function refuse(message)
  core.raise("argument", "resume: " .. message)
end

--- What a cursor says: `page`; `size` with its letter, and `before`, "" where it does not say; `id`; `node` (the id of an account).
local function read(text, mark)
  if type(text) ~= "string" then refuse(("a cursor is a text (got %s)"):format(type(text))) end
  local made, page, size, id, node, before = text:match "^calira1%.(%x+)%.(%d+)([xp]?%d*)%.([%w%-]+)%.?([%w%-]*)%.?(%x*)$"
  page = page and math.tointeger(tonumber(page))
  local good, last = read_id(id or "?")
  local placed, account = read_id(node or "?")
  if not (good and placed and page and page >= 1 and page < 1 << 40) then refuse(("%q is no cursor"):format(text:sub(1, 80))) end
  if made ~= mark then refuse "the cursor was made by a list with other parameters" end
  return { page = page, size = size, id = last, node = account, before = before }
end

--- Puts what a cursor says, if there is one, into the options of the walk that goes on.
function M.apply(resumed, walk_options)
  if not resumed then return end
  local size = math.tointeger(tonumber((resumed.size:sub(2))))
  walk_options.page, walk_options.after, walk_options.resumed = resumed.page, resumed.id, true
  walk_options[resumed.size:sub(1, 1) == "x" and "size" or "size_before"] = size
end

--- Reads the option `resume` and makes the function that writes cursors of this list.
---@return table? resumed `page`, `size`, `id`, `node`, `before`
---@return function? cursor(page, id, node, size, before) → text; nil where the list has none. Raises kind `argument`.
function M.open(call, options)
  for _, name in ipairs { "page", "exact", "unordered" } do
    if options[name] then
      if options.resume then refuse(("it does not go with the option %s"):format(name)) end
      return nil, nil
    end
  end
  local mark = ("%016x"):format(core.digest(request_of(call, options))) -- tells requests apart, protects nothing
  local resumed = options.resume ~= nil and read(options.resume, mark) or nil
  return resumed, function(page, id, node, size, before)
    local from = resumed or { page = 1, size = "" }
    if not page then page, size = from.page, from.size end
    if id == nil and page == from.page then id = from.id end -- nothing was delivered since
    if not node then before = from.before end
    local account = node and write_id(node.id) or from.node and write_id(from.node)
    local place = page .. (size or "")
    return ("calira1.%s.%s.%s%s%s"):format(mark, place, write_id(id), account and "." .. account or "",
      account and before and before ~= "" and "." .. before or "")
  end
end

return M
