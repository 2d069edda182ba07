--- The queue of an export that many workers do together, in PostgreSQL: who reads which lab. schema.lua has the tables. Any number of
-- workers may join, leave or be killed; what a lab's page brought, its cursor and the worker's lease are one transaction, in which the
-- worker proves that the lab is still its own. The statements block; `sleep` between them may wait.

local calira <const> = require "calira"
local core <const> = require "calira.core"
local schema <const> = require "calira.export.postgres.schema"
local session <const> = require "calira.postgres.session"

local M = {}

M.LEASE = 60             -- seconds without a heartbeat after which a lab is another's
local WHAT <const> = "the database of the export"
local SECONDS <const> = 30 -- for connecting, and for a statement
local PATIENCE <const> = 120 -- seconds that a worker waits for a database that was there
local PAUSE <const> = 0.5

local LOST <const> = "not visible any more: consent again, or, where it is gone for good, delete it from the table calira_labs"

local Queue = {}
Queue.__index = Queue

-- ── The connection ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- A number that no other worker has: the advisory lock that ends with its session.
local function number_of_worker()
  local file <close> = io.open("/dev/urandom", "rb")
  local bytes = file and file:read(8)
  if bytes and #bytes == 8 then return string.unpack("<i8", bytes) >> 1 end
  return (math.random(0) ~ core.process_id()) >> 1
end

function Queue:connect()
  local connection = session.open(self.dsn, { what = WHAT, seconds = SECONDS })
  connection:run("SELECT pg_advisory_lock(?)", self.number)
  self.session = connection
end

--- Whether another attempt may do: the connection was lost, or two workers were in each other's way.
local function passes(err)
  return core.is_error(err) and (err.kind == "network" or err.message:find "deadlock detected" ~= nil)
end

--- Calls `body(session)`; where the connection is lost, again on another one. May wait.
function Queue:with(body)
  local late
  while true do
    local ok, result = pcall(function()
      if not self.session then self:connect() end
      return body(self.session)
    end)
    if ok then return result end
    late = late or core.now() + PATIENCE
    if not passes(result) or core.now() > late then error(result, 0) end
    if result.kind == "network" and self.session then
      self.session:close()
      self.session = nil
    end
    calira.sleep(PAUSE * (0.5 + math.random()))
  end
end

--- The same, as a transaction.
function Queue:transaction(body)
  return self:with(function(connection) return connection:transaction(body) end)
end

--- The rows of one statement; several, divided by semicolons, are one transaction. May wait.
function Queue:run(statement, ...)
  local filled = select("#", ...) > 0 and session.fill(statement, ...) or statement
  return self:with(function(connection) return connection:run(filled) end)
end

--- Makes tables and views. One worker at a time.
local function prepare(connection)
  connection:run "SELECT pg_advisory_xact_lock(hashtextextended('calira.schema', 0))"
  connection:run "CREATE TABLE IF NOT EXISTS calira_schema (version integer NOT NULL)"
  local row = connection:run("SELECT version FROM calira_schema")[1]
  local version = row and tonumber(row.version) or 0
  if version > schema.version then
    core.raise("argument", ("%s: its tables are of version %d; this calira knows %d"):format(WHAT, version, schema.version))
  end
  if version == schema.version then return end
  connection:run(schema.sql)
  connection:run "DELETE FROM calira_schema"
  connection:run("INSERT INTO calira_schema VALUES (?)", schema.version)
end

--- Opens the queue.
---@param dsn string
---@param options table `source`: what is exported; `worker`: a name for people; `lease`: seconds
---@return table queue; raises kind `network` where the database cannot be reached
function M.open(dsn, options)
  local self = setmetatable({
    dsn = dsn, source = options.source, worker = options.worker, lease = options.lease or M.LEASE, number = number_of_worker(),
  }, Queue)
  self:connect() -- a wrong address is no outage
  self:transaction(prepare)
  return self
end

-- ── Runs ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local ENQUEUE <const> = [[INSERT INTO calira_labs AS l (export, lab_id, lab, state) VALUES %s
  ON CONFLICT (export, lab_id) DO UPDATE SET lab = excluded.lab, state = 'waiting', worker = NULL, session = NULL, leased_until = NULL, walk = NULL,
    cursor = NULL, attempts = 0, gone = NULL, problem = NULL, code = 0, finished_at = NULL]]

local function enqueue(connection, export, labs)
  for first = 1, #labs, 500 do
    local rows = {}
    for i = first, math.min(first + 499, #labs) do
      rows[#rows + 1] = session.fill("(?, ?, ?, 'waiting')", export, labs[i].id, labs[i].name)
    end
    connection:run(ENQUEUE:format(table.concat(rows, ", ")))
  end
end

--- Joins the run that goes on, or starts one; labs of before that are not among these are not seen any more.
---@param labs table[] each `id` (a text) and `name`
---@param run string? its name: one that ended with this name is not done again
---@return boolean joined false: that run has ended
function Queue:join(labs, run)
  return self:transaction(function(connection)
    connection:run("INSERT INTO calira_exports (source, finished_at) VALUES (?, now()) ON CONFLICT (source) DO NOTHING", self.source)
    local row = connection:run("SELECT id, run, finished_at FROM calira_exports WHERE source = ? FOR UPDATE", self.source)[1]
    self.export = math.tointeger(tonumber(row.id))
    if not row.finished_at then return true end
    if run and row.run == run then return false end
    connection:run("UPDATE calira_exports SET run = ?, started_at = now(), finished_at = NULL WHERE id = ?", run, self.export)
    connection:run("UPDATE calira_labs SET state = 'done', problem = ?, code = 3, finished_at = now() WHERE export = ?", LOST, self.export)
    enqueue(connection, self.export, labs)
    return true
  end)
end

local TAKE <const> = [[UPDATE calira_labs SET state = 'running', worker = ?, session = ?, leased_until = now() + ? * interval '1 second',
    attempts = attempts + 1, walk = coalesce(walk, nextval('calira_walks'))
  WHERE export = ? AND lab_id = (SELECT lab_id FROM calira_labs
    WHERE export = ? AND (state = 'waiting' OR state = 'running' AND (leased_until < now() OR pg_try_advisory_xact_lock(session)))
    ORDER BY bookings DESC NULLS FIRST, lab_id LIMIT 1 FOR UPDATE SKIP LOCKED)
  RETURNING lab_id, lab, walk, cursor, attempts]]

--- Takes a lab that nobody reads: `id`, `name`, `walk`, `cursor`, `resumed`; nil where there is none now. May wait.
function Queue:take()
  local row = self:run(TAKE, self.worker, self.number, self.lease, self.export, self.export)[1]
  if not row then return nil end
  return {
    id = row.lab_id, name = row.lab, walk = math.tointeger(tonumber(row.walk)), cursor = row.cursor, attempts = tonumber(row.attempts),
    held_at = core.now(),
  }
end

--- A division by zero where the lab is not held: the only way for a statement to end those that follow it.
local HOLD <const> = [[WITH held AS (UPDATE calira_labs SET leased_until = now() + ? * interval '1 second'
    WHERE export = ? AND lab_id = ? AND state = 'running' AND session = ? AND walk = ? RETURNING 1)
  SELECT 1 / count(*) AS held FROM held]]

--- Runs statements as one transaction, in one round trip, in which the lab is proven to be still held, and held for longer. Raises kind
--- `closed` where another has it. May wait.
---@param statements string? divided by semicolons
function Queue:hold(lab, statements)
  local hold = session.fill(HOLD, self.lease, self.export, lab.id, self.number, lab.walk)
  local ok, result = pcall(self.run, self, statements and hold .. ";\n" .. statements or hold)
  if ok then
    lab.held_at = core.now()
    return result
  end
  if core.is_error(result) and result.kind == "argument" and not self:holds(lab) then -- the server's words are in its own language
    core.raise("closed", ("lab %s is another worker's now"):format(lab.id))
  end
  error(result, 0)
end

function Queue:holds(lab)
  return #self:run("SELECT 1 FROM calira_labs WHERE export = ? AND lab_id = ? AND state = 'running' AND session = ? AND walk = ?",
    self.export, lab.id, self.number, lab.walk) > 0
end

--- A heartbeat: true, or false where the lab is another's. May wait.
function Queue:beat(lab)
  local ok, err = pcall(self.hold, self, lab)
  if not ok and not (core.is_error(err) and err.kind == "closed") then error(err, 0) end
  return ok
end

--- Ends a lab. `state`: "done" or "failed", or "waiting" for others to take it where it stands.
---@param ended table `bookings`, `gone`, `problem`, `code`
function Queue:settle(lab, state, ended)
  self:run([[UPDATE calira_labs SET state = ?, session = NULL, leased_until = NULL, cursor = CASE WHEN ? THEN cursor END,
      bookings = coalesce(?, bookings), gone = ?, problem = ?, code = ?, finished_at = CASE WHEN ? THEN NULL ELSE now() END
    WHERE export = ? AND lab_id = ? AND state = 'running' AND session = ? AND walk = ?]],
    state, state == "waiting", ended.bookings, ended.gone, ended.problem, ended.code or 0, state == "waiting", self.export, lab.id,
    self.number, lab.walk)
end

--- Whether the run has ended; ends it where every lab is done. May wait.
function Queue:over()
  return self:transaction(function(connection)
    connection:run([[UPDATE calira_exports SET finished_at = now() WHERE id = ? AND finished_at IS NULL
      AND NOT EXISTS (SELECT FROM calira_labs WHERE export = ? AND state IN ('waiting', 'running'))]], self.export, self.export)
    return connection:run("SELECT finished_at IS NOT NULL AS over FROM calira_exports WHERE id = ?", self.export)[1].over == "t"
  end)
end

--- What the run came to: `labs`, `bookings`, `gone`, `problems` (each `lab_id`, `lab`, `problem`, `code`). May wait.
function Queue:outcome()
  local sums = self:run([[SELECT count(*) AS labs, coalesce(sum(bookings), 0) AS bookings, coalesce(sum(gone), 0) AS gone
    FROM calira_labs WHERE export = ?]], self.export)[1]
  return {
    labs = math.tointeger(tonumber(sums.labs)), bookings = math.tointeger(tonumber(sums.bookings)), gone = math.tointeger(tonumber(sums.gone)),
    problems = self:run("SELECT lab_id, lab, problem, code FROM calira_labs WHERE export = ? AND problem IS NOT NULL ORDER BY lab_id", self.export),
  }
end

function Queue:close()
  if self.session then self.session:close() end
  self.session = nil
end

Queue.__close = Queue.close

return M
