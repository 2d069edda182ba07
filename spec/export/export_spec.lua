--- `calira export`: what is kept, what it costs, and what is taken for gone.

local exports = require "spec.support.exports"
local helper = require "spec.support.helper"

local calira <const> = exports.calira

local function query(path, sql)
  return (exports.sh(("sqlite3 -cmd '.timeout 5000' %s %q"):format(path, sql)))
end

describe("calira export", function()
  local folder, remove
  before_each(function() folder, remove = exports.folder() end)
  after_each(function() remove() end)

  it("asks for the details of new and changed bookings only", function()
    for _, target in ipairs { folder .. "/a.db", folder .. "/a.csv" } do
      local id = helper.id()
      local said, _, status = calira(("export %s --lab 102 --details"):format(target), helper.url("bookings=120", id))
      assert.equal(0, status)
      assert.matches("120 new, 0 changed, 0 as before", said, 1, true)
      assert.matches("120 bookings in detail", said, 1, true)
      assert.equal(0, helper.stats(id).by_status["500"] or 0)
      local other = helper.id()
      said = calira(("export %s --lab 102 --details"):format(target), helper.url("bookings=121", other))
      assert.matches("1 new, 0 changed, 120 as before", said, 1, true)
      assert.matches("1 booking in detail", said, 1, true)
      assert.is_true(helper.calls(other) <= 6)
      said = calira(("export %s --lab 102 --details --refetch all"):format(target), helper.url "bookings=121")
      assert.matches("121 bookings in detail", said, 1, true)
      assert.equal(121, #exports.rows(target))
    end
  end)

  it("marks as gone what a whole reading does not find, and takes it back", function()
    local db = folder .. "/a.db"
    calira("export " .. db .. " --lab 102", helper.url "bookings=120")
    local said, _, status = calira("export " .. db .. " --lab 102", helper.url "bookings=118")
    assert.equal(0, status)
    assert.matches("2 marked as gone", said, 1, true)
    assert.equal("120|2\n", query(db, "SELECT count(*), count(gone_at) FROM bookings"))
    calira("export " .. db .. " --lab 102", helper.url "bookings=120")
    assert.equal("120|0\n", query(db, "SELECT count(*), count(gone_at) FROM bookings"))
  end)

  it("marks nothing as gone where a lab is not visible any more", function()
    local db = folder .. "/a.db"
    local _, _, status = calira("export " .. db .. " --under 202")
    assert.equal(0, status)
    local all = query(db, "SELECT count(*) FROM bookings")
    local _, said, doubtful = calira("export " .. db .. " --under 202", helper.url "labs=102,114,115,116")
    assert.equal(0, doubtful, said)                                 -- 202 has these: nothing is lost
    _, said, doubtful = calira("export " .. db .. " --under 202", helper.url "labs=114,115,116")
    assert.equal(3, doubtful)
    assert.matches("lab 102 is not visible any more", said, 1, true)
    assert.equal(all, query(db, "SELECT count(*) FROM bookings WHERE gone_at IS NULL"))
  end)

  it("marks nothing as gone of a lab that was not visible when the run began", function()
    local export = require "calira.export"
    local scope = require "calira.command.support.scope"
    local client = helper.client()
    local function run(tree)
      local writer = export.open(folder .. "/a.db", { source = "under 211" })
      local result = export.run { client = client, writer = writer, nodes = { tree:find(211) }, list = scope.list }
      writer:close()
      return result
    end
    assert.same({ 200, 0 }, { run(client:tree()).counts.new, #run(client:tree()).doubts })
    local result = run(helper.client("hide=105"):tree())
    assert.equal(0, result.gone)
    assert.matches("^lab 105 was not read", result.doubts[1].text)
    assert.equal("200\n", query(folder .. "/a.db", "SELECT count(*) FROM bookings WHERE gone_at IS NULL"))
  end)

  it("marks nothing as gone where the service counts more than it shows", function()
    local db = folder .. "/a.db"
    calira("export " .. db .. " --lab 102", helper.url "bookings=120")
    local _, said, status = calira("export " .. db .. " --lab 102", helper.url "bookings=118;invisible=2")
    assert.equal(3, status)
    assert.matches("nothing was marked as gone", said, 1, true)
    assert.equal("0\n", query(db, "SELECT count(gone_at) FROM bookings"))
    _, said, status = calira("export " .. folder .. "/a.csv --lab 102", helper.url "bookings=118;invisible=2")
    assert.equal(3, status)
    assert.matches("the service counts 2 more than it shows", said, 1, true)
  end)

  it("keeps what came where a call fails, and goes on there", function()
    for _, target in ipairs { folder .. "/a.db", folder .. "/a.csv" } do
      local _, said, status = calira("export " .. target .. " --lab 102", helper.url "bookings=120;per=10;failpage=403:8")
      assert.equal(4, status, said)
      assert.matches("what came is kept", said, 1, true)
      local id = helper.id()
      local done, _, right = calira("export " .. target .. " --lab 102", helper.url("bookings=120;per=10", id))
      assert.equal(0, right)
      assert.matches("50 new, 0 changed, 0 as before", done, 1, true)
      for _, line in ipairs(helper.stats(id).log) do
        local page = tonumber(line:match "/bookings%?.*[?&]page=(%d+)")
        assert.is_true(page == nil or page >= 7, "page " .. tostring(page) .. " again")
      end
      assert.equal(120, #exports.rows(target))
    end
  end)

  it("leaves the last whole CSV file alone until the next one is whole", function()
    local csv = folder .. "/a.csv"
    calira("export " .. csv .. " --lab 102", helper.url "bookings=20;per=10")
    local before = exports.read(csv)
    calira("export " .. csv .. " --lab 102", helper.url "bookings=40;per=10;failpage=403:3")
    assert.equal(before, exports.read(csv))
    local state = exports.read(csv .. ".cursor")
    assert.matches("^calira%-export 1\nsource under 102\nsize %d+\nrows 20\ncursor 102 calira1%.", state)
    -- What is torn behind the size that is written down is cut off.
    local part <close> = assert(io.open(csv .. ".part", "a"))
    part:write '12365,"torn'
    part:close()
    local _, _, status = calira("export " .. csv .. " --lab 102", helper.url "bookings=40;per=10")
    assert.equal(0, status)
    assert.equal(40, #exports.rows(csv))
    assert.is_nil(exports.read(csv .. ".cursor"))
    assert.is_nil(exports.read(csv .. ".part"))
    assert.equal("a.csv\na.csv.lock\n", (exports.sh("ls " .. folder)))
  end)

  it("says how many came without an id", function()
    for _, name in ipairs { "/a.db", "/a.csv" } do
      local said, err, status = calira("export " .. folder .. name .. " --lab 102", helper.url "bookings=20;noid=5")
      assert.equal(3, status)
      assert.matches("4 without an id", said, 1, true)
      assert.matches("4 came without an id", err, 1, true)
    end
  end)

  it("refuses a file of another export, and targets that it does not know", function()
    local db = folder .. "/a.db"
    calira("export " .. db .. " --lab 102")
    local _, said, status = calira("export " .. db .. " --lab 103")
    assert.equal(1, status)
    assert.matches("holds another export (under 102)", said, 1, true)
    _, said, status = calira("export " .. folder .. "/a.xls --lab 103")
    assert.equal(2, status)
    assert.matches("FILE.db (SQLite) or FILE.csv", said, 1, true)
  end)

  it("waits for another export to the same file", function()
    local db = folder .. "/a.db"
    local url = helper.url "bookings=100;per=10;latency=20"
    local both = ("{ %s & %s; wait; }"):format(exports.command(url, db), exports.command(url, db))
    local said, status = exports.sh(both)
    assert.equal(0, status, said)
    assert.equal("100|100\n", query(db, "SELECT count(*), count(DISTINCT id) FROM bookings"))
  end)

  it("waits for a reader without locking out others", function()
    local core = require "calira.core"
    local library = require "calira"
    local luasql = require "luasql.sqlite3"
    local path = folder .. "/a.db"
    local writer = require("calira.export").open(path, { source = "x" })
    writer:write({ { id = 1, values = { id = 1 }, summary = "a" } }, "c1")
    local environment = luasql.sqlite3()
    local one, two = environment:connect(path, 1000), environment:connect(path, 1000)
    local slow = one:execute "SELECT id FROM bookings UNION ALL SELECT 2"
    slow:fetch()                                                    -- its transaction is open until it is closed
    local longest = 0
    library.run(function()
      local task = library.spawn(function() writer:write({ { id = 3, values = { id = 3 }, summary = "b" } }, "c2") end)
      for _ = 1, 10 do
        library.sleep(0.05)
        local begun = core.now()
        local rows = assert(two:execute "SELECT count(*) FROM bookings")
        assert.equal(1, math.tointeger(rows:fetch()))
        rows:close()
        longest = math.max(longest, core.now() - begun)
      end
      assert.is_false(task:done())
      slow:close()
      task:wait()
    end)
    assert.is_true(longest < 1, ("a reader waited %.3f s"):format(longest))
    one:close()
    two:close()
    environment:close()
    writer:close()
    assert.equal("2\n", query(path, "SELECT count(*) FROM bookings"))
  end)
end)
