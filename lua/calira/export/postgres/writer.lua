--- Keeps the bookings of one lab in PostgreSQL: a writer, see export/init.lua, for a lab that was taken from the queue. A page's rows, the
-- lab's cursor and the worker's lease are one transaction. May wait wherever the database was lost.

local json <const> = require "calira.values.json"
local row <const> = require "calira.export.row"
local session <const> = require "calira.postgres.session"
local time <const> = require "calira.values.time"

local M = {}

-- ── Values ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- A text without U+0000, which PostgreSQL cannot hold: U+FFFD stands for it.
local function text(value)
  if value == nil then return nil end
  if type(value) == "number" then return json.number(value) end
  local plain = tostring(value)
  return plain:find("\0", 1, true) and plain:gsub("%z", "\u{FFFD}") or plain
end

--- An API time as a literal; NULL where it cannot be read.
local function timestamp(value)
  local seconds = time.parse(value)
  return seconds and "to_timestamp(" .. session.quote(seconds) .. ")" or "NULL"
end

--- Money or another number as decimal digits, all that came; nil for anything else.
local function decimal(value)
  if type(value) == "number" then value = json.number(value) end
  if type(value) == "string" and #value < 200 and value:find "^%-?%d+%.?%d*$" then return value end
end

--- A record's JSON text as jsonb's, with U+FFFD for U+0000. In JSON of ours a control character never stands for itself.
function M.raw(encoded)
  if not encoded:find("\\u0000", 1, true) then return encoded end
  return (encoded:gsub("\\\\", "\1"):gsub("\\u0000", "\\ufffd"):gsub("\1", "\\\\"))
end

local TIMES <const> = { start_time = true, end_time = true, requested_at = true }
local DECIMALS <const> = { cost = true, duration = true }

--- A column's value as SQL.
function M.literal(name, value)
  if value == nil then return "NULL" end
  if TIMES[name] then return timestamp(value) end
  return session.quote((DECIMALS[name] and decimal or text)(value))
end

-- ── Rows ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- A statement that writes rows by id; those of a list leave the details of before.
local function upsert(rows, columns, walk, fetched)
  local names = { table.unpack(columns) }
  for _, name in ipairs { "summary", "raw", "seen_in", fetched and "details_of" or nil } do names[#names + 1] = name end
  local tuples, changes = {}, {}
  for i, each in ipairs(rows) do
    local values = {}
    for j, name in ipairs(columns) do values[j] = M.literal(name, each.values[name]) end
    values[#values + 1] = session.quote(each.summary)
    values[#values + 1] = session.quote(M.raw(fetched and json.encode(each.record) or each.json))
    values[#values + 1] = session.quote(walk)
    if fetched then values[#values + 1] = session.quote(each.summary) end
    tuples[i] = "(" .. table.concat(values, ", ") .. ")"
  end
  for i, name in ipairs(names) do changes[i] = ("%s = excluded.%s"):format(name, name) end
  return ([[INSERT INTO calira_bookings AS b (%s) VALUES %s ON CONFLICT (id) DO UPDATE SET %s]]):format(
    table.concat(names, ", "), table.concat(tuples, ",\n"), table.concat(changes, ", ")
      :gsub("raw = excluded%.raw", fetched and "%0" or "raw = b.raw || excluded.raw")
      :gsub("seen_in = excluded%.seen_in", "seen_in = greatest(b.seen_in, excluded.seen_in)")) .. ", written_at = now(), gone_at = NULL"
end

local function by_id(a, b) return a.key < b.key end

--- The rows in three parts, each in the order of ids, so that two workers never wait for each other in a circle: as before, with details,
-- without. Of two that have the same id as text, the later one.
local function parted(rows)
  local last, same, full, short = {}, {}, {}, {}
  for _, each in ipairs(rows) do
    if each.id ~= nil then
      each.key = text(each.id)
      last[each.key] = each
    end
  end
  for key, each in pairs(last) do
    if each.known and each.known.summary == each.summary and not each.fetched then
      same[#same + 1] = key
    else
      local part = each.fetched and full or short
      part[#part + 1] = each
    end
  end
  table.sort(same)
  table.sort(full, by_id)
  table.sort(short, by_id)
  return same, full, short
end

-- ── The writer ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local Writer = {}
Writer.__index = Writer

local COLUMNS <const> = table.move(row.DETAILS, 1, #row.DETAILS, #row.SUMMARY + 1, { table.unpack(row.SUMMARY) })

local function quoted(keys)
  local list = {}
  for i, key in ipairs(keys) do list[i] = session.quote(text(key)) end
  return table.concat(list, ", ")
end

--- What is known of bookings: id → `summary`, `details_of` (digests). May wait.
function Writer:known(ids)
  local found = {}
  if #ids == 0 then return found end
  local by_key = {}
  for _, id in ipairs(ids) do by_key[text(id)] = id end
  for _, each in ipairs(self.queue:run("SELECT id, summary, details_of FROM calira_bookings WHERE id IN (" .. quoted(ids) .. ")")) do
    found[by_key[each.id]] = { summary = each.summary, details_of = each.details_of }
  end
  return found
end

function Writer:write(rows, cursor)
  local same, full, short = parted(rows)
  local lab <const> = self.lab
  local statements = {}
  if #full > 0 then statements[#statements + 1] = upsert(full, COLUMNS, lab.walk, true) end
  if #short > 0 then statements[#statements + 1] = upsert(short, row.SUMMARY, lab.walk, false) end
  if #same > 0 then
    statements[#statements + 1] = ("UPDATE calira_bookings SET seen_in = greatest(seen_in, %d), gone_at = NULL WHERE id IN (%s)")
      :format(lab.walk, quoted(same))
  end
  statements[#statements + 1] = session.fill("UPDATE calira_labs SET cursor = ? WHERE export = ? AND lab_id = ?", cursor,
    self.queue.export, lab.id)
  self.queue:hold(lab, table.concat(statements, ";\n"))
end

function Writer:restart()
  self.last.cursor, self.last.resumed = nil, false
  self.queue:run("UPDATE calira_labs SET cursor = NULL WHERE export = ? AND lab_id = ? AND walk = ?", self.queue.export, self.lab.id,
    self.lab.walk)
end

--- How many bookings of the lab there are, and how many of them this reading did not see: counted once, at its end.
function Writer:count()
  if not self.counted then
    local sums = self.queue:run([[SELECT count(*) AS rows, count(*) FILTER (WHERE seen_in < ?) AS unseen
      FROM calira_bookings WHERE lab_id = ? AND gone_at IS NULL]], self.lab.walk, self.lab.id)[1]
    self.counted = { rows = math.tointeger(tonumber(sums.rows)), unseen = math.tointeger(tonumber(sums.unseen)) }
  end
  return self.counted
end

function Writer:unseen() return self:count().unseen end

function Writer:finish(options)
  local lab <const>, counted <const> = self.lab, self:count()
  local gone = 0
  if options.gone and counted.unseen > 0 then
    gone = self.queue:hold(lab, session.fill("UPDATE calira_bookings SET gone_at = now() WHERE lab_id = ? AND seen_in < ? AND gone_at IS NULL",
      lab.id, lab.walk))
  end
  return { gone = gone, rows = counted.rows - gone }
end

function Writer:close() self.lab = nil end

--- The writer of a lab that was taken.
---@param queue table
---@param lab table as queue:take() returns it
function M.open(queue, lab)
  return setmetatable({
    queue = queue, lab = lab, last = { cursor = lab.cursor, resumed = lab.cursor ~= nil, labs = { lab.id } },
  }, Writer)
end

return M
