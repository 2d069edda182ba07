--- Exports that are ended at any moment go on where they were: nothing lost, nothing twice, and readers get in meanwhile.

local exports = require "spec.support.exports"
local helper = require "spec.support.helper"

describe("an export that is killed again and again", function()
  for _, target in ipairs { "db", "csv" } do
    for _, signal in ipairs { "KILL", "TERM" } do
      it(("to FILE.%s by SIG%s holds every booking once in the end"):format(target, signal), function()
        local result = exports.torment {
          target = target, signal = signal, kills = 4, seed = 20261127, scenario = "bookings=60;per=10;latency=10", more = "--details",
        }
        assert.same({}, result.wrong)
        assert.is_true(result.kills >= 4, "no export was ended on its way")
        assert.equal(0, result.locked, "a reader that waits a second at the most was locked out")
      end)
    end
  end
end)

describe("an export to a disk that is full", function()
  for _, target in ipairs { "db", "csv" } do
    it(("to FILE.%s says so, and goes on once there is room"):format(target), function()
      local path = os.tmpname()
      os.remove(path)
      path = path .. "." .. target
      finally(function() os.execute("rm -f " .. path .. "*") end)
      local url = helper.url "bookings=250;per=10"
      -- Files of no more than 24 KiB; that writing beyond is an error and no signal.
      local said, status = exports.sh(("trap '' XFSZ; ulimit -f 48; %s"):format(exports.command(url, path)))
      assert.equal(1, status, said)
      assert.matches("what came is kept in " .. path, said, 1, true)
      assert.is_truthy(said:find "too large" or said:find "full" or said:find "disk I/O error", said)
      local again, right = exports.sh(exports.command(url, path))
      assert.equal(0, right, again)
      assert.is_nil(again:find("250 new", 1, true), "it did not go on: " .. again)
      local rows, seen = exports.rows(path), {}
      for _, row in ipairs(rows) do seen[row.id] = (seen[row.id] or 0) + 1 end
      assert.equal(250, #rows)
      for id, count in pairs(seen) do assert.equal(1, count, id) end
    end)
  end
end)
