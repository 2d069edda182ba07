--- Keeps an export in an SQLite database: a writer, see export/init.lua. Each page is a transaction of its own, the place where the list
-- goes on included, so that a kill at any moment costs no more than that page. A reader that is in the way is waited for, with the
-- transaction undone meanwhile, so that other readers get in: nobody is locked out longer than BUSY.
--
-- Tables: `bookings`, a row an id; `calira_export`, one row: what is exported, the number of the run, where the list goes on (NULL: the
-- run ended); `calira_labs`, the ids of the labs that were seen: without one of them nothing is taken for gone.

local calira <const> = require "calira"
local core <const> = require "calira.core"
local row <const> = require "calira.export.row"

local M = {}

local BUSY <const> = 250                -- milliseconds that SQLite waits for other connections before a transaction is undone
local PATIENCE <const> = 60             -- seconds for which it is tried again
local PAUSE <const> = 0.1               -- seconds between two attempts

--- After the columns of the booking: digests of its summary and of the summary that the details belong to, the last run that saw it, and
-- when a run noticed that it is gone.
local OWN <const> = { "summary", "details_of", "seen_in", "gone_at" }

local Sqlite = {}
Sqlite.__index = Sqlite

-- ── SQL ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- A value as a literal. Whole numbers stay numbers; money stays text, so that no cent is lost.
local function literal(value)
  if value == nil then return "NULL" end
  if math.type(value) == "integer" then return tostring(value) end
  if type(value) == "boolean" then return value and "1" or "0" end
  local text = type(value) == "number" and ("%.17g"):format(value) or value
  if text:find "%z" then
    return "CAST(X'" .. text:gsub(".", function(c) return ("%02x"):format(c:byte()) end) .. "' AS TEXT)"
  end
  return "'" .. text:gsub("'", "''") .. "'"
end

local function literals(values)
  local texts = {}
  for i, value in ipairs(values) do texts[i] = literal(value) end
  return table.concat(texts, ", ")
end

--- Runs a statement; a failure is raised as a text.
function Sqlite:execute(sql)
  local result, message = self.database:execute(sql)
  if result == nil then error(("%s: %s"):format(self.path, (tostring(message):gsub("^LuaSQL: ", ""))), 0) end
  return result
end

--- The rows of a SELECT, each an array.
function Sqlite:rows(sql)
  local cursor, rows = self:execute(sql), {}
  local each = cursor:fetch({}, "n")
  while each do
    rows[#rows + 1] = each
    each = cursor:fetch({}, "n")
  end
  cursor:close()
  return rows
end

local function is_busy(message)
  return type(message) == "string" and (message:find("locked", 1, true) or message:find("busy", 1, true)) ~= nil
end

--- Runs `body` as one transaction, again where another connection is in the way; returns what it returns. May wait.
function Sqlite:transaction(body)
  local late <const> = core.now() + PATIENCE
  while true do
    local ok, result = pcall(function()
      self:execute "BEGIN IMMEDIATE"
      local value = body()
      self:execute "COMMIT"
      return value
    end)
    if ok then return result end
    pcall(self.execute, self, "ROLLBACK")
    if not is_busy(result) or core.now() > late then error(result, 0) end
    calira.sleep(PAUSE)
  end
end

-- ── Opening ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Makes the tables, and the columns that a file of an older version lacks.
function Sqlite:prepare()
  local columns = { "id PRIMARY KEY" }
  for _, list in ipairs { { table.unpack(row.SUMMARY, 2) }, row.DETAILS, OWN } do
    for _, name in ipairs(list) do columns[#columns + 1] = name end
  end
  self:execute("CREATE TABLE IF NOT EXISTS bookings (" .. table.concat(columns, ", ") .. ")")
  local present = {}
  for _, each in ipairs(self:rows "PRAGMA table_info(bookings)") do present[each[2]] = true end
  for _, name in ipairs(columns) do
    if name ~= columns[1] and not present[name] then self:execute("ALTER TABLE bookings ADD COLUMN " .. name) end
  end
  self:execute "CREATE TABLE IF NOT EXISTS calira_export (source, run, cursor)"
  self:execute "CREATE TABLE IF NOT EXISTS calira_labs (id PRIMARY KEY)"
end

function Sqlite:remember(cursor)
  self:execute "DELETE FROM calira_export"
  self:execute(("INSERT INTO calira_export VALUES (%s, %d, %s)"):format(literal(self.source), self.run, literal(cursor)))
end

--- Opens a writer. May wait for another connection.
---@param path string
---@param options table `source`: what is exported; `details`: whether rows bring those columns
---@return table writer; raises a text where the file belongs to another export, or cannot be written
function M.open(path, options)
  local found, luasql = pcall(require, "luasql.sqlite3")
  if not found then error("SQLite needs LuaSQL: apt install lua-sql-sqlite3, or luarocks install luasql-sqlite3", 0) end
  local environment = luasql.sqlite3()
  local database, message = environment:connect(path, BUSY)
  if not database then error(("%s: %s"):format(path, tostring(message):gsub("^LuaSQL: ", "")), 0) end
  local self = setmetatable({
    path = path, source = options.source, details = options.details, environment = environment, database = database, last = {},
  }, Sqlite)
  local ok, err = pcall(self.begin, self)
  if not ok then
    self:close()
    error(err, 0)
  end
  return self
end

function Sqlite:begin()
  self:rows(("PRAGMA busy_timeout = %d"):format(BUSY))
  self:transaction(function()
    self:prepare()
    local source, run, cursor = table.unpack(self:rows("SELECT source, run, cursor FROM calira_export")[1] or {}, 1, 3)
    if source and source ~= self.source then
      error(("%s holds another export (%s): give this one a file of its own"):format(self.path, source), 0)
    end
    self.run = (math.tointeger(run) or 0) + 1
    self.last = { cursor = cursor, resumed = cursor ~= nil, labs = {} }
    for _, each in ipairs(self:rows "SELECT id FROM calira_labs") do self.last.labs[#self.last.labs + 1] = each[1] end
    self:remember(cursor)
  end)
end

-- ── Writing ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- What is known of bookings: id → `summary`, `details_of` (digests).
function Sqlite:known(ids)
  local found = {}
  if #ids == 0 then return found end
  for _, each in ipairs(self:rows("SELECT id, summary, details_of FROM bookings WHERE id IN (" .. literals(ids) .. ")")) do
    found[each[1]] = { summary = each[2], details_of = each[3] }
  end
  return found
end

--- Writes a row by its id. What came without details leaves those that are there.
function Sqlite:upsert(each)
  local names, values, changes = {}, {}, {}
  local function set(name, value)
    names[#names + 1], values[#values + 1] = name, literal(value)
    changes[#changes + 1] = ("%s = excluded.%s"):format(name, name)
  end
  for _, name in ipairs(row.SUMMARY) do set(name, each.values[name]) end
  if each.fetched then
    for _, name in ipairs(row.DETAILS) do set(name, each.values[name]) end
    set("details_of", each.summary)
  end
  set("summary", each.summary)
  set("seen_in", self.run)
  self:execute(("INSERT INTO bookings (%s) VALUES (%s) ON CONFLICT (id) DO UPDATE SET %s, gone_at = NULL")
    :format(table.concat(names, ", "), table.concat(values, ", "), table.concat(changes, ", ")))
end

--- Writes the rows of a page, and where the list goes on, at once. A row without an id has no place here. May wait.
function Sqlite:write(rows, cursor)
  self:transaction(function()
    local same = {}
    for _, each in ipairs(rows) do
      if each.id ~= nil and each.known and each.known.summary == each.summary and not each.fetched then
        same[#same + 1] = each.id
      elseif each.id ~= nil then
        self:upsert(each)
      end
    end
    if #same > 0 then
      self:execute(("UPDATE bookings SET seen_in = %d, gone_at = NULL WHERE id IN (%s)"):format(self.run, literals(same)))
    end
    self:remember(cursor)
  end)
end

--- Forgets a cursor that is of no use any more.
function Sqlite:restart()
  self.last.cursor, self.last.resumed = nil, false
  self:transaction(function() self:remember(nil) end)
end

--- How many bookings this run did not see and none marked as gone before.
function Sqlite:unseen()
  return math.tointeger(self:rows(("SELECT count(*) FROM bookings WHERE seen_in < %d AND gone_at IS NULL"):format(self.run))[1][1])
end

--- Ends the run. May wait.
---@param options table `gone`: what was not seen is gone; `labs`: ids of the labs that were seen
---@return table counts `rows` in all, `gone` in this run
function Sqlite:finish(options)
  return self:transaction(function()
    local gone = 0
    if options.gone then
      gone = self:execute(("UPDATE bookings SET gone_at = %s WHERE seen_in < %d AND gone_at IS NULL")
        :format(literal(os.date "!%Y-%m-%dT%H:%M:%SZ"), self.run))
    end
    for _, id in ipairs(options.labs or {}) do
      self:execute(("INSERT OR IGNORE INTO calira_labs VALUES (%s)"):format(literal(id)))
    end
    self:remember(nil)
    return { rows = math.tointeger(self:rows("SELECT count(*) FROM bookings")[1][1]), gone = math.tointeger(gone) or gone }
  end)
end

function Sqlite:close()
  if self.database then self.database:close() end
  if self.environment then self.environment:close() end
  self.database, self.environment = nil, nil
end

return M
