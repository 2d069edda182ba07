--- A connection to PostgreSQL, for what a fleet shares: statements in, rows out, values quoted. Needs Debian's lua-sql-postgres, loaded on
-- first use. LuaSQL has no parameters, so every value goes through `quote`. Statements block the Lua state; none here waits for another
-- client longer than `lock_timeout`. A session belongs to the process that opened it: a forked child opens its own.

local core <const> = require "calira.core"

local M = {}

-- ── Quoting ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- A value as a literal. A text is correct whatever `standard_conforming_strings` says: with a backslash in it, it is an E'' string.
---@param value string|number|boolean|nil nil: NULL; a number that is not finite: the text that float8 reads
---@return string sql; raises kind `argument` for what PostgreSQL cannot hold: a NUL, bytes that are no UTF-8, other types
function M.quote(value)
  local kind <const> = type(value)
  if value == nil then return "NULL" end
  if kind == "boolean" then return value and "TRUE" or "FALSE" end
  if math.type(value) == "integer" then
    if value == math.mininteger then return "'-9223372036854775808'" end -- its digits without the sign are no bigint
    return value < 0 and ("(%d)"):format(value) or tostring(value)       -- "--1" would begin a comment
  end
  if kind == "number" then
    if value ~= value then return "'NaN'" end
    if value == math.huge or value == -math.huge then return value > 0 and "'Infinity'" or "'-Infinity'" end
    return (("'%.17g'"):format(value):gsub(",", "."))                    -- a locale's comma
  end
  if kind ~= "string" then core.raise("argument", "PostgreSQL: a value of type " .. kind .. " cannot be written") end
  if value:find("\0", 1, true) then core.raise("argument", "PostgreSQL: a text with a NUL cannot be written") end
  if not utf8.len(value) then core.raise("argument", "PostgreSQL: a text that is no UTF-8 cannot be written") end
  if value:find("'", 1, true) then value = value:gsub("'", "''") end
  if not value:find("\\", 1, true) then return "'" .. value .. "'" end
  return " E'" .. value:gsub("\\", "\\\\") .. "'"                        -- the blank: "nameE''" would be one word
end

--- The statement with its `?` replaced by the values, in order. A `?` in the statement itself cannot be written.
---@param statement string
---@return string
function M.fill(statement, ...)
  local values, place = table.pack(...), 0
  local filled = statement:gsub("%?", function()
    place = place + 1
    return M.quote(values[place])
  end)
  assert(place == values.n, "a statement takes another number of values")
  return filled
end

-- ── Connections ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local environment -- LuaSQL's, made on first use

--- LuaSQL's driver; raises kind `argument` where it is not installed.
---@param what string who needs it
function M.driver(what)
  if environment then return environment end
  local ok, luasql = pcall(require, "luasql.postgres")
  if not ok then
    core.raise("argument", what .. " needs LuaSQL's driver for PostgreSQL (Debian: lua-sql-postgres)", { cause = luasql })
  end
  environment = luasql.postgres()
  return environment
end

--- A message of the driver without the password, should it repeat what it was given, and without control characters.
---@param message any what the driver said
---@param dsn string what it was given
---@return string
function M.cleaned(message, dsn)
  local text = tostring(message)
  for _, secret in ipairs { dsn, dsn:match "://[^/@]*:([^@]*)@" or "", dsn:match "password%s*=%s*(%S+)" or "" } do
    if secret ~= "" then text = text:gsub(secret:gsub("%W", "%%%0"), "***") end
  end
  return (text:gsub("^LuaSQL: ", ""):gsub("%s*[\r\n]+%s*", " "):gsub("%c", " "):gsub("%s+$", ""))
end

--- The address with what it does not say itself: bounds on how long a connection that is dead may keep this state.
local function bounded(dsn, seconds)
  local is_url <const> = dsn:find "^postgres[ql]*://" ~= nil
  local bounds <const> = {
    { "connect_timeout", ("%d"):format(math.max(2, seconds)) }, { "tcp_user_timeout", ("%d"):format(seconds * 1000) },
    { "application_name", "calira" }, { "client_encoding", "UTF8" },
  }
  for _, each in ipairs(bounds) do
    if not dsn:find(each[1], 1, true) then
      local mark = is_url and (dsn:find("?", 1, true) and "&" or "?") or " "
      dsn = dsn .. mark .. each[1] .. "=" .. each[2]
    end
  end
  return dsn
end

local SETTINGS <const> = "SET statement_timeout = MS; SET lock_timeout = MS; SET client_min_messages = warning; SET TimeZone = 'UTC'; "
  .. "SET DateStyle = 'ISO'; SET standard_conforming_strings = on"

local Session = {}
Session.__index = Session

local abandoned <const> = {} -- connections of the parent, in a forked child: to close them would end the parent's

--- Opens a session. Blocks while it connects.
---@param dsn string `postgresql://…`, or libpq's `host=… dbname=…`
---@param options table `what`: names it in messages; `seconds`: for connecting, and for one statement
---@return table session; raises kind `network` where the database cannot be reached
function M.open(dsn, options)
  local connection, message = M.driver(options.what):connect(bounded(dsn, options.seconds))
  if not connection then core.raise("network", options.what .. " cannot be reached: " .. M.cleaned(message, dsn)) end
  local self = setmetatable({ connection = connection, dsn = dsn, what = options.what, owner = core.process_id() }, Session)
  self:run((SETTINGS:gsub("MS", ("%d"):format(options.seconds * 1000))))
  return self
end

--- Whether this process may use it.
function Session:is_own() return self.owner == core.process_id() end

--- Runs a statement, `?` replaced by values; several without values may stand in one, divided by semicolons.
---@return table[]|integer rows arrays of texts (NULL: nil) with fields by column name; a number of rows where it returns none
--- Raises kind `network` where the connection is gone, else `argument` with PostgreSQL's message.
function Session:run(statement, ...)
  if select("#", ...) > 0 then statement = M.fill(statement, ...) end
  if not self.connection then core.raise("network", self.what .. ": the connection is closed") end
  local result, message = self.connection:execute(statement)
  if not result then
    local text = M.cleaned(message, self.dsn)
    local gone = text:find "terminating connection" or text:find "server closed" or text:find "no connection" or text:find "connection to"
      or text:find "SSL" or text:find "could not .* data" or text:find "cancell?ing statement due to"
    core.raise(gone and "network" or "argument", self.what .. ": " .. text)
  end
  if type(result) == "number" then return math.tointeger(result) or result end
  local rows = {}
  local each = result:fetch({}, "a")
  while each do
    rows[#rows + 1] = each
    each = result:fetch({}, "a")
  end
  result:close()
  return rows
end

--- Runs `body(session)` as one transaction; returns what it returns. An error undoes it and is raised.
function Session:transaction(body)
  self:run "BEGIN"
  local results = table.pack(pcall(body, self))
  if results[1] then
    self:run "COMMIT"
    return table.unpack(results, 2, results.n)
  end
  pcall(self.run, self, "ROLLBACK")
  error(results[2], 0)
end

--- Closes it. Idempotent.
function Session:close()
  local connection = self.connection
  self.connection = nil
  if not connection then return end
  if self:is_own() then connection:close() else abandoned[#abandoned + 1] = connection end
end

Session.__close = Session.close

return M
