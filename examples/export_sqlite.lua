-- Keeps bookings in an SQLite database, each once: page by page, together with a cursor, so that it may be killed at any moment and goes on
-- where it was. (`calira export FILE.db` also marks those that are gone, and asks for details only where a booking has changed.)
-- Usage: lua5.4 examples/export_sqlite.lua FILE --provider LAB | --under ACCOUNT

local argparse = require "argparse"
local calira = require "calira"
local luasql = require "luasql.sqlite3"
local support = dofile((arg[0]:match ".*/" or "") .. "support.lua")

local parser = argparse("export_sqlite.lua", "Keeps bookings in an SQLite database, table bookings, one row for each.")
parser:argument("file", "The database; it is made if need be, and belongs to one provider or account.")
parser:mutex(
  parser:option("--provider", "The lab that provides them, by its id."):argname "LAB",
  parser:option("--under", "All labs of an account, by its id, its name or its path."):argname "ACCOUNT"
)
local args = parser:parse()
if not (args.provider or args.under) then parser:error "one of --provider and --under is needed" end

local COLUMNS <const> = { "id", "status", "booking_type", "start_time", "end_time", "equipment_id", "equipment" }

--- A value as an SQL literal; whole numbers stay numbers.
local function literal(value)
  if type(value) == "table" then value = value.name end
  if value == nil then return "NULL" end
  if math.type(value) == "integer" then return tostring(value) end
  return "'" .. tostring(value):gsub("['\0]", { ["'"] = "''", ["\0"] = "" }) .. "'"
end

local function values_of(b)
  local values = {}
  for i, name in ipairs(COLUMNS) do values[i] = literal(b[name]) end
  return table.concat(values, ", ")
end

support.run(function()
  local database = assert(luasql.sqlite3():connect(args.file))
  local function execute(sql, ...) return assert(database:execute(sql:format(...))) end
  execute("PRAGMA busy_timeout = 10000"):close()          -- milliseconds for which somebody else may hold the database
  execute("CREATE TABLE IF NOT EXISTS bookings (id PRIMARY KEY, %s)", table.concat(COLUMNS, ", ", 2))
  execute "CREATE TABLE IF NOT EXISTS export (source, cursor)"

  local source = args.provider and "provider " .. args.provider or "under " .. args.under
  local rows = execute "SELECT source, cursor FROM export"
  local last = rows:fetch({}, "a") or {}
  rows:close()
  if last.source and last.source ~= source then support.fail(2, ("%s holds another export: %s"):format(args.file, last.source)) end

  --- One page and the cursor after it, together or not at all.
  local function commit(records, cursor)
    execute "BEGIN IMMEDIATE"
    for _, b in ipairs(records) do
      execute("INSERT OR REPLACE INTO bookings (%s) VALUES (%s)", table.concat(COLUMNS, ", "), values_of(b))
    end
    execute "DELETE FROM export"
    execute("INSERT INTO export VALUES (%s, %s)", literal(source), literal(cursor))
    execute "COMMIT"
  end

  local list = calira.bookings { provider = args.provider, under = args.under, resume = last.cursor }
  local written = 0
  for _, records in list:pages() do
    commit(records, list:cursor())
    written = written + #records
  end
  commit({}, nil)                                         -- all was read: the next run begins at the start
  support.print("%d bookings written", written)
end)
