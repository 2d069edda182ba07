--- The files that the command writes as a whole: links are followed, a FIFO is written into, and the mode of a file stays.

local command = require "spec.support.command"
local exports = require "spec.support.exports"

local COMMANDS <const> = {
  ["a.html"] = "report idle --lab 102 --html %s", ["a.prom"] = "metrics --lab 102 --output %s", ["a.csv"] = "export %s --lab 102",
}
local BEGINNINGS <const> = { ["a.html"] = "^<!DOCTYPE", ["a.prom"] = "^# HELP", ["a.csv"] = "^id," }

describe("a file that a command writes", function()
  local folder, remove
  before_each(function() folder, remove = exports.folder() end)
  after_each(function() remove() end)

  it("is where a link leads, and keeps its mode", function()
    os.execute(("mkdir %s/data"):format(folder))
    for name, line in pairs(COMMANDS) do
      os.execute(("cd %s; : >data/%s; chmod 604 data/%s; ln -s data/%s %s"):format(folder, name, name, name, name))
      command.out(line:format(folder .. "/" .. name))
      assert.matches(BEGINNINGS[name], exports.read(folder .. "/data/" .. name))
      assert.equal(("symbolic link %s 604\n"):format(name), (exports.sh(("cd %s; stat -c '%%F %%n' %s | tr '\\n' ' '; stat -c %%a data/%s")
        :format(folder, name, name))))
    end
    assert.equal("a.csv\na.csv.lock\na.html\na.prom\n", (exports.sh(("ls %s/data"):format(folder))))
  end)

  it("is written in place where it is a FIFO", function()
    for name, line in pairs(COMMANDS) do
      local fifo = folder .. "/" .. name
      local out, err, status = command.shell(("mkfifo %s; timeout 60 cat %s >%s.out & timeout 60 %s; s=$?; wait; exit $s")
        :format(fifo, fifo, fifo, command.line(line:format(fifo))))
      assert.equal(0, status, out .. err)
      assert.matches(BEGINNINGS[name], exports.read(fifo .. ".out"))
      assert.equal("fifo\n", (exports.sh("stat -c %F " .. fifo)))
      assert.is_nil(exports.read(fifo .. ".part"))
    end
  end)

  it("is refused where its folder is not there, or it is one", function()
    for _, line in pairs(COMMANDS) do
      local _, err, status = command.run(line:format(folder .. "/none/a.csv"))
      assert.equal(1, status)
      assert.matches(folder .. "/none/a.csv: ", err, 1, true)
      assert.is_nil((os.rename(folder .. "/none", folder .. "/none"))) -- it is not made
    end
    os.execute(("mkdir %s/a.csv"):format(folder))
    local _, err, status = command.run(COMMANDS["a.csv"]:format(folder .. "/a.csv"))
    assert.equal(1, status)
    assert.matches("/a.csv: ", err, 1, true)
  end)
end)
