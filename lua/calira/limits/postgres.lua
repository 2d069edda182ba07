--- A limit that the clients of a fleet share: `limits = calira.limits.postgres{ dsn, name }`. A row of the table `calira_limits` hands out
-- leases (lease.lua says how); here are the statement that does it, and the connection. One statement is a lease, for about a second.

local core <const> = require "calira.core"
local lease <const> = require "calira.limits.lease"
local options <const> = require "calira.values.options"
local session <const> = require "calira.postgres.session"

local WHAT <const> = "the database of the limits"
local SECONDS <const> = 2   -- for connecting, and for a statement
local PATIENCE <const> = 10 -- seconds that a client that never had a lease waits for the database
local PAUSE <const> = 0.5   -- seconds between its attempts

local TABLE <const> = [[CREATE TABLE IF NOT EXISTS calira_limits (
  name text PRIMARY KEY, given float8, given_at float8 NOT NULL, learnt float8 NOT NULL, steady boolean NOT NULL, grown_at float8 NOT NULL,
  next_at float8 NOT NULL, paused_until float8 NOT NULL, cut_until float8 NOT NULL, since float8 NOT NULL, pause float8 NOT NULL,
  spent float8 NOT NULL, clients float8 NOT NULL, clients_at float8 NOT NULL) WITH (fillfactor = 50)]]

--- lease.row, of this moment.
local ROW <const> = [[INSERT INTO calira_limits
  SELECT ?, NULL, now, ?::float8, ?, now, now, now, now, now, 0, 0, 0, now FROM (SELECT extract(epoch FROM clock_timestamp())::float8 AS now) t
  ON CONFLICT (name) DO NOTHING]]

-- lease.step, a step a common table expression: the row as it is when nobody else has it; clients and the option `rate`; what is measured;
-- the rate; the lease. The clock is read once the row is held. $name$ stands for a value.
local STEP <const> = ([[PREPARE calira_lease (text, float8, float8, float8, float8, float8, float8, float8) AS
WITH held AS MATERIALIZED (SELECT * FROM calira_limits WHERE name = $name$ FOR UPDATE),
clock AS MATERIALIZED (SELECT held.*, coalesce($now$, extract(epoch FROM clock_timestamp())::float8) AS now FROM held),
asked AS (SELECT *,
    clients * exp(greatest(least(clients_at - now, 0) / TAU, -50)) + $weight$ AS clients_,
    CASE WHEN $rate$ IS NOT NULL AND (given IS NULL OR now - given_at > FRESH OR $rate$ <= given) THEN 'new'
      WHEN given IS NULL OR now - given_at > FRESH THEN 'none' ELSE 'same' END AS kept,
    spent - $unused$ - $refused$ AS spent_,
    since + greatest(now - greatest(next_at, since) - LOOSE, 0) AS since_,
    $refused$ > 0 AND now >= cut_until AS cut
  FROM clock),
given_now AS (SELECT *,
    CASE kept WHEN 'new' THEN $rate$ WHEN 'same' THEN given END AS given_,
    CASE kept WHEN 'new' THEN now ELSE given_at END AS given_at_
  FROM asked),
before AS (SELECT *, CASE WHEN NOT steady AND given_ IS NOT NULL THEN given_ ELSE least(learnt, given_) END AS rate FROM given_now),
long AS (SELECT *, greatest(1, least(clients_ / ASKS, CASE WHEN steady OR given_ IS NOT NULL
    THEN least(MOST_LENGTH, MOST_CALLS / (rate / greatest(clients_, 1))) ELSE 1 END)) AS length
  FROM before),
learning AS (SELECT *,
    CASE WHEN cut THEN greatest(rate / 2, least(BELOW * rate,
        CASE WHEN NOT steady AND now - since_ < 5 THEN 0
        ELSE BELOW * greatest(spent_ - greatest(next_at - now, 0) * rate, 0) / greatest(greatest(now - since_, 0) + pause / 2, 0.1) END))
      WHEN next_at > now - LOOSE AND now >= paused_until AND (steady OR given_ IS NULL) THEN
        least(MOST_RATE, learnt * CASE WHEN steady THEN 1 + GROWTH * least(greatest(now - grown_at, 0), 1)
          ELSE power(2, least(greatest(now - grown_at, 0), 1)) END)
      ELSE learnt END AS learnt_,
    steady OR cut AS steady_, greatest(paused_until, now + $pause$) AS paused_
  FROM long),
paced AS (SELECT *,
    CASE WHEN NOT steady_ AND given_ IS NOT NULL THEN given_ ELSE least(learnt_, given_) END AS rate_,
    greatest(paused_, now) AS earliest, greatest(next_at, paused_, now) AS start
  FROM learning),
leased AS (SELECT *, CASE WHEN start - earliest > AHEAD * length THEN 0
    ELSE least($want$, greatest(1, floor(rate_ / greatest(clients_, 1) * length))) END AS calls
  FROM paced)
UPDATE calira_limits AS l SET given = given_, given_at = given_at_, learnt = learnt_, steady = steady_,
  grown_at = CASE WHEN cut THEN l.grown_at ELSE now END, next_at = CASE WHEN calls > 0 THEN start + calls / rate_ ELSE l.next_at END,
  paused_until = paused_, cut_until = CASE WHEN cut THEN now + greatest($pause$, length) ELSE l.cut_until END,
  since = CASE WHEN cut THEN now + $pause$ ELSE since_ END, pause = CASE WHEN cut THEN $pause$ ELSE l.pause END,
  spent = CASE WHEN cut THEN 0 ELSE spent_ END + calls, clients = clients_, clients_at = now
FROM leased WHERE l.name = leased.name
RETURNING calls AS count, start - now AS start, rate_ AS rate, rate_ / greatest(clients_, 1) AS share, length,
  greatest(paused_ - now, 0) AS pause, CASE WHEN steady_ THEN learnt_ END AS learnt]]):gsub("%f[%w_]%u[%u_]+%f[^%w_]", function(name)
  return lease[name] and ("%.17g"):format(lease[name])
end):gsub("%$(%l+)%$", {
  name = "$1", now = "$2", want = "$3", rate = "$4", weight = "$5", unused = "$6", refused = "$7", pause = "$8",
})

local Limit = { __name = "calira.limits" }
Limit.__index = Limit

-- ── The row ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local function float(value) return value and value + 0.0 end

--- The statement that asks the row; it is prepared, since to plan it costs more than to run it. `now`: another time than the database's,
-- for the specs.
local function statement_of(name, ask, now)
  return session.fill("EXECUTE calira_lease (?, ?, ?, ?, ?, ?, ?, ?)", name, float(now), float(ask.want), float(ask.rate), float(ask.weight),
    float(ask.unused), float(ask.refused), float(ask.pause))
end

--- Prepares a session; makes the table where it is missing. What a lease says need not be on the disk when it is given.
local function prepare(connection)
  connection:run "SET synchronous_commit = off"
  if not connection:run("SELECT to_regclass('calira_limits') AS found")[1].found then
    pcall(connection.run, connection, TABLE) -- another may make it at the same moment
  end
  connection:run(STEP)
end

--- The session, opened where there is none that is ours.
function Limit:connect()
  if self.session and self.session:is_own() then return self.session end
  if self.session then self.session:close() end
  self.session = nil
  local connection = session.open(self.dsn, { what = WHAT, seconds = SECONDS })
  local ok, err = pcall(prepare, connection)
  if not ok then
    connection:close()
    error(err, 0)
  end
  self.session = connection
  return connection
end

--- The row's answer; makes the row where it is missing. Blocks for one statement, as a rule.
function Limit:step(ask, now)
  local connection = self:connect()
  local statement = statement_of(self.name, ask, now)
  local rows = connection:run(statement)
  if #rows == 0 then
    local learnt = self.lease.learnt
    connection:run(ROW, self.name, learnt or lease.FIRST_RATE, learnt ~= nil)
    rows = connection:run(statement)
  end
  local answer = {}
  for name, text in pairs(rows[1]) do answer[name] = tonumber(text) end
  answer.count = math.tointeger(answer.count)
  return answer
end

--- Asks the row; where it cannot be asked, the lease goes on alone. False and the error where it cannot.
function Limit:ask(want)
  local begun = core.now()
  local ask = self.lease:asking(begun, want)
  local ok, answer = pcall(self.step, self, ask)
  self.statements = self.statements + 1
  local now = core.now()
  if ok then
    self.lease:granted(answer, now, ask.want)
    self.away = false
    return true
  end
  if not core.is_error(answer) then error(answer, 0) end -- an interrupt
  if self.session then self.session:close() end
  self.session = nil
  local goes_on = self.lease:failed(now, now - begun)
  if goes_on and not self.away then warn(("calira: limits: %s; goes on alone until it is back"):format(answer.message)) end
  self.away = true
  return goes_on, answer
end

-- ── For the client ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Lets one call go. May wait.
function Limit:permit()
  local late
  while true do
    local seconds = self.lease:take(core.now())
    if seconds == 0 then return end
    if seconds then
      core.sleep(seconds)
    else
      local ok, err = self:ask()
      late = late or core.now() + (self.patience or PATIENCE)
      if not ok then
        if err.kind ~= "network" or core.now() > late then error(err, 0) end
        core.sleep(PAUSE)
      end
    end
  end
end

--- What a client's trace tells: a 429, and how long to keep away. Retry-After is whole seconds, to which the client adds less than one;
-- what is less than one is its own backoff.
function Limit:hear(event)
  local status, name = event.status, event.event
  if status == 429 and name == "response" then
    self.lease:heard(core.now(), true)
  elseif name == "retry" and (status == 429 or status == 503 and event.seconds >= 1) then
    if self.lease:heard(core.now(), false, math.floor(event.seconds)) then self:ask(0) end
  end
end

--- For a client that is made with it: its limiter, and what is to be told each of its trace events.
---@param rate number? the client's option `rate`: the smallest that any of the fleet gave within a minute holds for all
function Limit:attach(rate)
  if rate and not (self.lease.rate and self.lease.rate < rate) then self.lease.rate = rate end
  return function() self:permit() end, function(event) self:hear(event) end
end

function Limit:__tostring() return ("calira.limits: %s"):format(self.name) end

local POSTGRES <const> = { dsn = options.kind.secret(options.kind.text), name = options.kind.text }

--- Makes a shared limit, for the option `limits` of any number of clients. Connects when the first call is made. The table `calira_limits`
-- is made where it is missing. Raises kind `argument`.
---@param given table `dsn`: `postgresql://…`, or libpq's `host=… dbname=…`; `name`: of the row (`default`)
---@return table limits
return function(given)
  given = options.check(given, POSTGRES, "limits.postgres")
  if not given.dsn then core.raise("argument", "limits.postgres takes the option dsn") end
  session.driver "limits.postgres"
  return setmetatable({ dsn = given.dsn, name = given.name or "default", lease = lease.new(), statements = 0, away = false }, Limit)
end
