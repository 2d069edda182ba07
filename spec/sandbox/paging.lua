-- Lists: a slice of a source, and the headers that go with it. A source has `total`, `at(position)` (from 0, a record)
-- and, where it is the same for every call, a `name` under which its pages are kept.
local json = require "json"
local lrucache = require "resty.lrucache"

local paging = {}

local MAX_PER_PAGE = 100
local BIG_ID = 2 ^ 63               -- no integer of 64 bits holds it

local UNKNOWN_FIELDS = { "x_carbon_grams", 12.5, "x_tags", json.array{ "new", json.null }, "x_site", { "layer", 3 } }

local kept = assert(lrucache.new(600))

local function whole(text, default)
  local n = tonumber(text)
  return n and n % 1 == 0 and n or default
end

-- page and per_page as asked, brought into their ranges.
function paging.asked(args)
  return math.max(1, whole(args.page, 1)), math.min(math.max(1, whole(args.per_page, MAX_PER_PAGE)), MAX_PER_PAGE)
end

-- Faults of single records: no id, an id of another type or too big, fields that nobody knows.
local function edit(record, keys, position)
  local id = json.get(record, "id")
  if keys.noid and (position + 1) % keys.noid == 0 then return json.with(record, "id", nil) end
  if keys.bigid and (position + 1) % keys.bigid == 0 then return json.with(record, "id", BIG_ID + 2 ^ 11 * position) end
  if keys.strid then record = json.with(record, "id", tostring(id)) end
  return record
end

local function add_fields(record)
  local copy = { unpack(record) }
  for _, value in ipairs(UNKNOWN_FIELDS) do copy[#copy + 1] = value end
  return copy
end

-- A record as the scenario wants it; position nil for one that is in no list.
function paging.dress(record, keys, position)
  if position then record = edit(record, keys, position) end
  return keys.newfields and add_fields(record) or record
end

local function render(source, keys, first, count)
  local out = {}
  for position = first, math.min(first + count, source.total) - 1 do
    out[#out + 1] = json.encode(paging.dress(source.at(position), keys, position))
  end
  return "[" .. table.concat(out, ",") .. "]"
end

local function edits(keys)
  return table.concat({ keys.noid or "", keys.strid and 1 or "", keys.bigid or "", keys.newfields and 1 or "" }, "|")
end

local function page_body(source, keys, first, count)
  if not source.name then return render(source, keys, first, count) end
  local name = table.concat({ source.name, edits(keys), first, count }, "/")
  local body = kept:get(name)
  if not body then
    body = render(source, keys, first, count)
    kept:set(name, body)
  end
  return body
end

-- How many records a page holds, and how many the server says it does.
local function page_size(call)
  local keys, per = call.keys, call.per
  local size = math.min(per, keys.per or per, keys.percap_silent or per)
  return size, keys.percap_silent and per or size
end

-- The page that is answered in place of the one asked, the number it calls itself, and whether it is a 404.
local function actual_page(call, last)
  local keys, page = call.keys, call.page
  if keys.ignorepage then return 1, 1 end
  if page <= last then return page, page end
  if keys.past == "404" then return page, page, true end
  if keys.past == "last" then return last, last end
  if keys.past == "lastsilent" then return last, page end
  return page, page
end

local function claimed_total(keys, total)
  total = total + (keys.invisible or 0)
  if type(keys.total) == "table" then return math.max(0, total + keys.total[1]) end
  return keys.total or total
end

local function add_header(headers, name, value)
  if value ~= "none" then headers[name] = value end
end

-- The answer to a list call: { status, headers, body }, or nil where the page is not found.
function paging.answer(call, source)
  local keys = call.keys
  local size, claimed_size = page_size(call)
  local last = math.max(1, math.ceil(source.total / size))
  local page, claimed_page, missing = actual_page(call, last)
  if missing then return nil end
  local headers = {}
  add_header(headers, "X-Total-Records", claimed_total(keys, source.total))
  add_header(headers, "X-Current-Page", keys.curhdr or claimed_page)
  add_header(headers, "X-Per-Page", keys.perhdr or claimed_size)
  local empty = keys.emptypage and keys.emptypage[page]
  return { status = 200, headers = headers,
    body = empty and "[]" or page_body(source, keys, (page - 1) * size, size) }
end

return paging
