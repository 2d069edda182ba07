--- `calira export postgresql://…`: what many workers write together, and what happens when some end on the way.

local command = require "spec.support.command"
local fleet = require "spec.support.fleet_export"
local helper = require "spec.support.helper"
local json = require "calira.values.json"
local postgres = require "spec.support.postgres"

describe("an export to PostgreSQL", function()
  local database
  lazy_setup(function() database = postgres.start() end)
  lazy_teardown(function() database:stop() end)
  before_each(function() database:sql "DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO PUBLIC" end)

  local function export(more, scenario, env, id)
    local dsn = ("postgresql:///postgres?host=%s&user=tester"):format(database.folder)
    return command.calira(("export '%s' %s"):format(dsn, more), (helper.url(scenario, id)), env)
  end

  it("holds every booking once, with its details, money exact and times as instants", function()
    local said, err, status = export("--lab 102 --details", "bookings=120")
    assert.equal(0, status, err)
    assert.matches("120 bookings in 1 labs; this worker: 1 labs, 120 new, 0 changed, 0 as before; 0 marked as gone", said, 1, true)
    assert.equal("12345|102|Confirmed|150.00|USD|2024-01-15 09:00:00+00|789", (database:sql [[SELECT id, lab_id, status, cost, currency, start_time,
      equipment_id FROM bookings WHERE id = '12345']]))
    assert.equal("120|120|120", database:sql "SELECT count(*), count(DISTINCT id), count(raw) FROM bookings")
    assert.equal("501|EPSRC-2026-01|EPSRC|5000|GBP\n501|INDUSTRY-2026-02|Example Industries|2000|GBP\n502|EU-H2020-77|European Union|7500|EUR",
      (database:sql [[SELECT project_id, code, funder, amount, amount_currency FROM funding WHERE booking_id = '12345'
        ORDER BY code NOT LIKE 'EP%', amount]]))
    assert.equal("t", database:sql "SELECT sum(bookings) = 120 FROM instruments")
    assert.equal("t|t", database:sql [[SELECT sum(u.hours) = round((SELECT sum(extract(epoch FROM end_time - start_time)) / 3600 FROM bookings
      WHERE lower(status) NOT IN ('declined', 'cancelled', 'canceled')), 4), min(hours) > 0 FROM utilisation u]])
    local id = helper.id()
    said, err, status = export("--lab 102 --details", "bookings=121", nil, id)
    assert.equal(0, status, err)
    assert.matches("1 new, 0 changed, 120 as before", said, 1, true)
    assert.is_true(helper.calls(id) <= 6, "details were asked for again")
  end)

  it("marks as gone what a complete reading of a visible lab does not find, and takes it back", function()
    local function gone() return database:sql "SELECT count(*), count(gone_at) FROM bookings" end
    export("--lab 102", "bookings=120")
    assert.matches("2 marked as gone", (export("--lab 102", "bookings=118")), 1, true)
    assert.equal("120|2", gone())
    export("--lab 102", "bookings=120")
    assert.equal("120|0", gone())
    local _, err, status = export("--lab 102", "bookings=118;invisible=2")
    assert.equal(3, status)
    assert.matches("the service counts 2 more than it shows", err, 1, true)
    assert.equal("120|0", gone())
  end)

  it("marks nothing as gone in a lab that is not visible any more, and goes on with the others", function()
    export "--under 202"
    local rows = database:sql "SELECT count(*) FROM bookings"
    local _, err, status = export("--under 202", "labs=114,115,116")
    assert.equal(3, status, err)
    assert.matches("(id 102): not visible any more", err, 1, true)
    assert.equal(rows .. "|0", database:sql "SELECT count(*), count(gone_at) FROM bookings")
  end)

  it("is done by several workers that are killed at random moments: every booking once", function()
    local seen = fleet.run {
      database = database, scenario = "large=9:200;per=20;latency=20", workers = 3, kills = 5, seed = 20261127,
      more = "--under 9000 --run one --details",
    }
    assert.same({ 0, 0, 0 }, seen.statuses)
    assert.is_true(seen.kills >= 8, seen.kills .. " kills")
    local held = fleet.held(database)
    assert.same({ rows = 1800, ids = 1800, labs = 9, costs = 1800, gone = 0 }, held)
    assert.equal("t", database:sql "SELECT count(*) = 0 FROM calira_labs WHERE state <> 'done'")
  end)

  it("is not done twice under one name", function()
    export("--lab 104 --run tonight")
    local id = helper.id()
    local _, err, status = export("--lab 104 --run tonight", nil, nil, id)
    assert.equal(0, status)
    assert.matches("the run tonight has ended already", err, 1, true)
    assert.equal(0, helper.stats(id).by_status["500"] or 0)
  end)

  it("takes over where a worker stood whose lease ran out, and that one finds out", function()
    local queues = require "calira.export.postgres.queue"
    local writers = require "calira.export.postgres.writer"
    local function open(name)
      local queue = queues.open(database.dsn, { source = "x", worker = name, lease = 1 })
      assert.is_true(queue:join({ { id = "7", name = "it's" } }))
      return queue
    end
    local one <close> = open "one"
    local other <close> = open "other"
    local lab = one:take()
    local writer = writers.open(one, lab)
    writer:write({ { id = 1, values = { id = 1, lab_id = 7 }, json = "{}", summary = "s" } }, "here")
    assert.is_nil(other:take())                                     -- it is held
    assert.is_true(one:beat(lab))
    database:sql "UPDATE calira_labs SET leased_until = now() - interval '1 second'"
    local again = other:take()
    assert.same({ "7", "here", lab.walk, 2 }, { again.id, again.cursor, again.walk, again.attempts })
    assert.is_false(one:beat(lab))
    local err = helper.failure(writer.write, writer, { { id = 2, values = { id = 2, lab_id = 7 }, json = "{}", summary = "s" } }, "on")
    assert.equal("closed", err.kind)
    one:settle(lab, "done", {})
    assert.equal("running|here|1", database:sql "SELECT state, cursor, (SELECT count(*) FROM calira_bookings) FROM calira_labs")
    other:close()                                                   -- ended: no lease to wait for
    local third <close> = open "third"
    local taken
    for _ = 1, 100 do
      taken = third:take()
      if taken then break end
      os.execute "sleep 0.02"
    end
    assert.equal("here", taken.cursor)
    assert.is_false(third:over())
    third:settle(taken, "done", { bookings = 1 })
    assert.is_true(third:over())
  end)

  it("waits for a database that goes away meanwhile", function()
    local dsn = ("postgresql:///postgres?host=%s&user=tester"):format(database.folder)
    local line = ("env CALIRA_TOKEN=%s CALIRA_BASE_URL='%s' lua5.4 bin/calira export '%s' --under 9000 2>&1; echo \"status $?\""):format(
      helper.token, (helper.url "large=6:100;per=10;latency=30"), dsn)
    local pipe <close> = assert(io.popen(line))
    for _ = 1, 250 do
      if database:sql("SELECT count(*) > 50 FROM calira_bookings") == "t" then break end
      os.execute "sleep 0.02"
    end
    database:pause()
    os.execute "sleep 0.3"
    database:resume()
    local said = pipe:read "a"
    assert.matches("status 0\n$", said)
    assert.equal(600, fleet.held(database).rows)
  end)

  it("is of a share, as the scheduler says", function()
    local all = { export("--under 202 --shard 1/2"), export("--under 202 --shard auto", nil, "SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_COUNT=2") }
    assert.equal("4|4", database:sql "SELECT count(*), count(DISTINCT lab_id) FROM calira_labs", table.concat(all))
    database:sql "DROP SCHEMA public CASCADE; CREATE SCHEMA public"
    for index = 0, 2 do
      local _, err, status = export("--under 202 --shard auto", nil, ("JOB_COMPLETION_INDEX=%d JOB_COMPLETIONS=3"):format(index))
      assert.equal(0, status, err)
    end
    for task = 10, 14, 2 do
      local env = ("SLURM_ARRAY_TASK_ID=%d SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=10 SLURM_ARRAY_TASK_STEP=2"):format(task)
      local _, err, status = export("--under 202 --shard auto", nil, env)
      assert.equal(0, status, err)
    end
    assert.equal("3", database:sql "SELECT count(*) FROM calira_exports")
    assert.equal("4|4", database:sql "SELECT count(*), count(DISTINCT lab_id) FROM calira_labs")
    for _, wrong in ipairs { "auto", "0/3", "4/3", "x" } do
      local _, err, status = export("--under 202 --shard " .. wrong)
      assert.equal(2, status, err)
    end
    local _, err, status = command.calira "export x.db --shard 1/2"
    assert.equal(2, status)
    assert.matches("go with postgresql", err, 1, true)
  end)

  it("writes what is hostile as what it is", function()
    local queue <close> = require("calira.export.postgres.queue").open(database.dsn, { source = "it's \\ %s ?", worker = "x" })
    queue:join { { id = "8'; DROP TABLE calira_labs; --", name = "\\'?" } }
    local lab = queue:take()
    assert.equal("8'; DROP TABLE calira_labs; --", lab.id)
    local writer = require("calira.export.postgres.writer").open(queue, lab)
    local record = { id = "1'\\", note = "a\0\\", cost = "1e9", start_time = "'; --" }
    writer:write({
      { id = record.id, values = record, record = record, json = json.encode(record), summary = "s", fetched = true },
      { id = 7, values = { id = 7 }, json = "{}", summary = "a" }, { id = "7", values = { id = "7" }, json = "{}", summary = "b" },
      { values = {}, json = "{}", summary = "c" },
    }, "c'?")
    assert.equal("1'\\|a\u{FFFD}\\||", database:sql "SELECT id, note, cost, start_time FROM bookings WHERE id <> '7'")
    assert.same({ ["1'\\"] = { summary = "s", details_of = "s" }, [7] = { summary = "b" } }, writer:known { record.id, 7, "none" })
    assert.equal("c'?", database:sql "SELECT cursor FROM calira_labs")
  end)

  it("refuses tables of a later version, and an address that does not answer", function()
    export "--lab 104"
    database:sql "UPDATE calira_schema SET version = 99"
    local _, err, status = export "--lab 104"
    assert.equal(2, status)
    assert.matches("its tables are of version 99", err, 1, true)
    _, err, status = command.calira "export 'postgresql://u:s3cret@/x?host=/nonexistent' --lab 104"
    assert.equal(1, status)
    assert.is_nil(err:find("s3cret", 1, true))
  end)
end)
