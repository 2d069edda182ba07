--- `calira watch`: what is new, changed and gone, told at least once, and nothing taken for gone too early.

local cjson = require "cjson"
local command = require "spec.support.command"
local exports = require "spec.support.exports"

describe("calira watch", function()
  local folder, remove, state
  before_each(function()
    folder, remove = exports.folder()
    state = folder .. "/state.json"
  end)
  after_each(function() remove() end)

  --- One look: the events, stderr, the status.
  local function look(scenario, more)
    local out, err, status = command.run(("watch --once --format ndjson --state %s %s"):format(state, more or "--lab 102"), { scenario = scenario })
    local events = {}
    for line in out:gmatch "[^\n]+" do events[#events + 1] = cjson.decode(line) end
    return events, err, status
  end

  local function names(events)
    local list = {}
    for i, each in ipairs(events) do list[i] = ("%s %d"):format(each.event, each.booking.id) end
    return list
  end

  it("fills its state first, then tells what is new and gone, once", function()
    assert.same({}, (look "bookings=120"))
    assert.same({ "new 12465" }, names(look "bookings=121"))
    assert.same({}, (look "bookings=121"))
    local gone = look "bookings=120"
    assert.same({ "gone 12465" }, names(gone))
    assert.equal(102, gone[1].lab.id)
    assert.is_truthy(gone[1].booking.start_time)
  end)

  it("tells what has changed, with what was before", function()
    look "bookings=3"
    local text = exports.read(state)
    local file <close> = assert(io.open(state, "w"))
    file:write((text:gsub('"digest":"%x+",("end_time":"[^"]*","equipment":{[^}]*},"equipment_id":%d+,"id":12345)', '"digest":"0",%1')))
    file:close()
    local events = look "bookings=3"
    assert.same({ "changed 12345" }, names(events))
    assert.equal("0", events[1].before.digest)
  end)

  it("tells again where --exec failed, and gives the event on stdin", function()
    look "bookings=10"
    local _, err = look("bookings=11", "--lab 102 --exec false")
    assert.matches("--exec failed for booking 12355", err, 1, true)
    look("bookings=11", ("--lab 102 --exec 'cat >>%s/events'"):format(folder))
    look("bookings=11", ("--lab 102 --exec 'cat >>%s/events'"):format(folder))
    local text = exports.read(folder .. "/events")
    assert.equal(1, select(2, text:gsub("\n", "")))
    assert.equal("new", cjson.decode(text).event)
    assert.same({ "new 12356" }, names(look("bookings=12", "--lab 102 --exec true"))) -- that reads nothing
  end)

  it("takes nothing for gone where the list is in doubt or a lab is not visible", function()
    look "bookings=120"
    local events, err, status = look "bookings=118;invisible=2"
    assert.same({}, events)
    assert.equal(3, status)
    assert.matches("possibly incomplete", err, 1, true)
    os.remove(state)
    look(nil, "--under 202")
    events, err, status = look("labs=114,115,116", "--under 202")
    assert.same({}, events)
    assert.equal(3, status)
    assert.matches("lab 102 is not visible any more", err, 1, true)
  end)

  it("says how many bookings it cannot know again", function()
    local _, err, status = look "noid=3"
    assert.equal(3, status)
    assert.matches("83 bookings have no id", err, 1, true)
  end)

  it("refuses the state of another watch", function()
    look "bookings=1"
    local _, err, status = look("bookings=1", "--lab 103")
    assert.equal(1, status)
    assert.matches("is of another watch", err, 1, true)
  end)

  it("ends with 130 and no traceback where it is interrupted", function()
    local _, err, status = command.shell(
      ("timeout --preserve-status --foreground -s INT 1 lua5.4 bin/calira watch --lab 102 --interval 30 --state %s"):format(state))
    assert.equal(130, status)
    assert.equal("calira: interrupted\n", err)
    assert.is_truthy(exports.read(state), "what was seen before is kept")
  end)
end)
