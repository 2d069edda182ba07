--- A store of OAuth grants in PostgreSQL, for processes on many machines: a row a name, locked by an advisory lock while a refresh goes on.
-- Each operation has a connection of its own, which ends with it: nothing is shared with a forked child, or stale after an outage.

local core <const> = require "calira.core"
local endpoint <const> = require "calira.oauth.endpoint"
local options <const> = require "calira.values.options"
local postgres <const> = require "calira.postgres.session"

local PAUSE <const> = 0.02     -- seconds between the first two looks at a lock that another process holds
local MOST_PAUSE <const> = 0.1 -- seconds between later ones

local TABLE <const> = [[create table calira_grants (
  name text primary key, content text not null, saved_at timestamptz not null default now())]]
local UPSERT <const> = [[insert into calira_grants (name, content) values ('%s', '%s')
  on conflict (name) do update set content = excluded.content, saved_at = now()]]

local NAME <const> = "calira.oauth.postgres_store"

-- ── Connections ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- The same address with a bound on the time that connecting may take, if it has none.
local function bounded(dsn)
  if dsn:find("connect_timeout", 1, true) then return dsn end
  if not dsn:find "^postgres[ql]*://" then return dsn .. " connect_timeout=10" end
  return dsn .. (dsn:find("?", 1, true) and "&" or "?") .. "connect_timeout=10"
end

--- A connection; `owner`: the process that made it.
local Session = {}
Session.__index = Session

local abandoned <const> = {} -- connections of the parent, in a forked child: to close them would end the parent's

local function connect(dsn)
  local connection, message = postgres.driver("postgres_store"):connect(bounded(dsn))
  if not connection then core.raise("network", "the database of the grant cannot be reached: " .. postgres.cleaned(message, dsn)) end
  local session = setmetatable({ connection = connection, dsn = dsn, owner = core.process_id() }, Session)
  session:run "set statement_timeout = 10000"
  return session
end

function Session:__close()
  if self.owner == core.process_id() then
    self.connection:close()
  else
    abandoned[#abandoned + 1] = self.connection
  end
end

--- Runs a statement, whose values are escaped: the first value of its first row, if it has one.
function Session:run(statement, ...)
  local values = {}
  for i, value in ipairs { ... } do values[i] = self.connection:escape(value) end
  local result, message = self.connection:execute(#values > 0 and statement:format(table.unpack(values)) or statement)
  if not result then core.raise("argument", "the database of the grant: " .. postgres.cleaned(message, self.dsn)) end
  if type(result) ~= "userdata" then return nil end
  local value = result:fetch()
  result:close()
  return value
end

function Session:has_table() return self:run "select to_regclass('calira_grants')" ~= nil end

--- Makes the table, which another process may be doing at the same moment.
function Session:need_table()
  if self:has_table() then return end
  local ok, err = pcall(self.run, self, TABLE)
  if not ok and not self:has_table() then error(err, 0) end
end

-- ── The store ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local POSTGRES <const> = { dsn = options.kind.secret(options.kind.text), name = options.kind.text }

--- Makes a store. The table `calira_grants` is made when the first grant is saved.
---@param given table `dsn`: `postgresql://…`, or libpq's `host=… dbname=…`; `name`: of the row
---@return table store `load`, `save`, `lock`, `check`, as functions; they raise kind `network` where the database cannot be reached
return function(given)
  given = options.check(given, POSTGRES, "postgres_store")
  local dsn, name = given.dsn, given.name or "default"
  if not dsn then core.raise("argument", "postgres_store takes the option dsn") end
  postgres.driver "postgres_store"
  -- a lock ends with its connection: another process may refresh while this one's answer comes
  local store = { lock_may_end = true }

  --- The grant of the row, or nil where there is none.
  function store.load()
    local session <close> = connect(dsn)
    local text = session:has_table() and session:run("select content from calira_grants where name = '%s'", name)
    if not text then return nil end
    local grant = core.decode(text)
    if type(grant) == "table" then return grant end
    core.raise("argument", ("row %s of calira_grants holds no grant; delete it and %s"):format(name, store.advice or endpoint.CONSENT))
  end

  function store.save(grant)
    local session <close> = connect(dsn)
    session:need_table()
    session:run(UPSERT, name, core.encode(grant))
  end

  --- Whether `save` would do: true, or false and a message. Writes, and takes it back.
  function store.check()
    local ok, err = pcall(function()
      local session <close> = connect(dsn)
      session:run "begin"
      if not session:has_table() then session:run(TABLE) end
      session:run([[insert into calira_grants (name, content) values ('%s', '')
        on conflict (name) do update set content = calira_grants.content]], name)
      session:run "rollback"
    end)
    if ok then return true end
    return false, core.is_error(err) and err.message or tostring(err)
  end

  --- An advisory lock of the database, held until it is closed or its connection ends. It is tried, and slept on: no statement waits for
  -- another process's refresh.
  function store.lock()
    local session = connect(dsn)
    local pause = PAUSE
    while true do
      local ok, got = pcall(session.run, session, "select pg_try_advisory_lock(hashtextextended('calira.grant:%s', 0))", name)
      if ok and got == "t" then return session end
      if not ok then
        session:__close()
        error(got, 0)
      end
      core.sleep(pause)
      pause = math.min(2 * pause, MOST_PAUSE)
    end
  end

  -- not the address, which may hold a password
  return setmetatable(store, { __name = NAME, __tostring = function() return ("%s (%s)"):format(NAME, name) end })
end
