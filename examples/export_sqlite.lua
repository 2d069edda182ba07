-- Keeps bookings in an SQLite database, each once. Safe to run again, and after an interruption it goes on where it was.
-- Usage: lua5.4 examples/export_sqlite.lua FILE --provider LAB | --under ACCOUNT [--details]

local argparse = require "argparse"
local calira = require "calira"
local luasql = require "luasql.sqlite3"
local progress = require "calira.progress"

local parser = argparse("export_sqlite.lua", "Keeps bookings in an SQLite database, table bookings, one row for each. "
  .. "Bookings that are gone get a time in gone_at, after a walk from the first page to the last.")
parser:argument("file", "The database; it is made if need be, and belongs to one provider or account.")
parser:mutex(
  parser:option("--provider", "The lab that provides them, by its id."):argname "LAB",
  parser:option("--under", "All labs of an account, by its id, its name or its path."):argname "ACCOUNT"
)
parser:flag("--details", "Costs and labs too: one more call for each booking.")
local args = parser:parse()
if not (args.provider or args.under) then parser:error "one of --provider and --under is needed" end

-- ── The database ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local COLUMNS <const> = {
  "id", "status", "booking_type", "start_time", "end_time", "equipment_id", "equipment", "provider_lab", "requester_lab", "cost", "currency",
}

local database = assert(luasql.sqlite3():connect(args.file))

local function execute(sql, ...) return assert(database:execute(sql:format(...))) end

--- A value as an SQL literal. Whole numbers stay numbers, and money stays text, so that no cent is lost.
local function literal(value)
  if value == nil then return "NULL" end
  if math.type(value) == "integer" then return tostring(value) end
  return "'" .. tostring(value):gsub("['\0]", { ["'"] = "''", ["\0"] = "" }) .. "'"
end

--- What an export left behind for the next one: `source`, `cursor` where it was interrupted, `run`, a number.
local function recall()
  local rows <close> = setmetatable({ execute "SELECT source, cursor, run FROM export" }, { __close = function(t) t[1]:close() end })
  return rows[1]:fetch({}, "a") or { run = 0 }
end

local function remember(source, cursor, run)
  execute("DELETE FROM export")
  execute("INSERT INTO export VALUES (%s, %s, %s)", literal(source), literal(cursor), literal(run))
end

local function upsert(b, run)
  local values, changes = {}, {}
  for i, name in ipairs(COLUMNS) do
    local value = b[name]
    if type(value) == "table" then value = value.name end
    values[i], changes[i] = literal(value), ("%s = excluded.%s"):format(name, name)
  end
  execute("INSERT INTO bookings (%s, seen_in, gone_at) VALUES (%s, %d, NULL) ON CONFLICT (id) DO UPDATE SET %s, seen_in = %d, gone_at = NULL",
    table.concat(COLUMNS, ", "), table.concat(values, ", "), run, table.concat(changes, ", "), run)
end

--- Whether the next run goes on where this one failed: not where all was read, in vain, nor where there is nothing to go on from.
local function goes_on(err)
  return not (calira.is_error(err) and (err.kind == "drift" or err.kind == "argument"))
end

execute("CREATE TABLE IF NOT EXISTS bookings (id PRIMARY KEY, %s, seen_in, gone_at)", table.concat(COLUMNS, ", ", 2))
execute "CREATE TABLE IF NOT EXISTS export (source, cursor, run)"

-- ── The export ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

-- One transaction: bookings and cursor are there together or not at all.
execute "BEGIN IMMEDIATE"
local source = (args.provider and "provider " .. args.provider or "under " .. args.under) .. (args.details and " details" or "")
local last = recall()
if last.source and last.source ~= source then
  parser:error(("%s holds another export: %s"):format(args.file, last.source))
end
local run = math.tointeger(last.run) + 1

local list = calira.bookings { provider = args.provider, under = args.under, details = args.details, resume = last.cursor }
local written = 0
local ok, err = pcall(function()
  for b in progress(list) do
    upsert(b, run)
    written = written + 1
  end
end)

-- What went by before a cursor may have changed since, so only a walk from the first page to the last tells what is gone.
local report = list:report()
local gone = 0
if ok and not last.cursor and report.verdict == "complete" then
  gone = execute("UPDATE bookings SET gone_at = %s WHERE seen_in <> %d AND gone_at IS NULL", literal(os.date "!%Y-%m-%dT%H:%M:%SZ"), run)
end
remember(source, not ok and goes_on(err) and (written > 0 and list:cursor() or last.cursor) or nil, run)
execute "COMMIT"
database:close()

print(("%d bookings written, %d marked as gone%s"):format(written, gone,
  ok and last.cursor and " (this run went on after an interruption; the next one looks for those that are gone)" or ""))
if not ok then
  io.stderr:write(tostring(err), "\nwhat came is kept; run this again to go on\n")
  os.exit(false, true)
end
