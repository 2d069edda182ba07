--- A store of OAuth grants in PostgreSQL, for processes on many machines: a row a name, locked by an advisory lock while a refresh goes on.
-- Each operation has a connection of its own, which ends with it: nothing is shared with a forked child, or stale after an outage.

local core <const> = require "calira.core"
local endpoint <const> = require "calira.oauth.endpoint"
local options <const> = require "calira.values.options"
local postgres <const> = require "calira.postgres.session"

local PAUSE <const> = 0.02     -- seconds between the first two looks at a lock that another process holds
local MOST_PAUSE <const> = 0.1 -- seconds between later ones
local SECONDS <const> = 10     -- for connecting, and for a statement

local TABLE <const> = [[create table calira_grants (
  name text primary key, content text not null, saved_at timestamptz not null default now())]]
local UPSERT <const> = [[insert into calira_grants (name, content) values (?, ?)
  on conflict (name) do update set content = excluded.content, saved_at = now()]]
local TRY <const> = "select pg_try_advisory_lock(hashtextextended('calira.grant:' || ?, 0)) as got"

local NAME <const> = "calira.oauth.postgres_store"

local function connect(dsn) return postgres.open(dsn, { what = "the database of the grant", seconds = SECONDS }) end

local function has_table(session) return session:run("select to_regclass('calira_grants') as found")[1].found ~= nil end

--- Makes the table, which another process may be doing at the same moment.
local function need_table(session)
  if has_table(session) then return end
  local ok, err = pcall(session.run, session, TABLE)
  if not ok and not has_table(session) then error(err, 0) end
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
    local row = has_table(session) and session:run("select content from calira_grants where name = ?", name)[1]
    if not row then return nil end
    local grant = core.decode(row.content)
    if type(grant) == "table" then return grant end
    core.raise("argument", ("row %s of calira_grants holds no grant; delete it and %s"):format(name, store.advice or endpoint.CONSENT))
  end

  function store.save(grant)
    local session <close> = connect(dsn)
    need_table(session)
    session:run(UPSERT, name, core.encode(grant))
  end

  --- Whether `save` would do: true, or false and a message. Writes, and takes it back.
  function store.check()
    local ok, err = pcall(function()
      local session <close> = connect(dsn)
      session:run "begin"
      if not has_table(session) then session:run(TABLE) end
      session:run([[insert into calira_grants (name, content) values (?, '')
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
      local ok, rows = pcall(session.run, session, TRY, name)
      if ok and rows[1].got == "t" then return session end
      if not ok then
        session:close()
        error(rows, 0)
      end
      core.sleep(pause)
      pause = math.min(2 * pause, MOST_PAUSE)
    end
  end

  -- not the address, which may hold a password
  return setmetatable(store, { __name = NAME, __tostring = function() return ("%s (%s)"):format(NAME, name) end })
end
