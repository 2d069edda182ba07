--- core.sync: what was written to a file of Lua's is on the disk, or the reason is told.

local core = require "calira.core"

describe("core.sync", function()
  it("writes what is buffered", function()
    local path <const> = os.tmpname()
    finally(function() os.remove(path) end)
    local file <close> = assert(io.open(path, "w"))
    file:setvbuf("full", 4096)
    file:write "a row"
    local reader <close> = assert(io.open(path))
    assert.equal("", reader:read "a")
    assert.is_true(core.sync(file))
    assert.equal("a row", reader:read "a")
  end)

  it("tells of a disk that is full", function()
    local file = assert(io.open("/dev/full", "w"))
    file:write "a row"
    local ok, message = core.sync(file)
    assert.is_nil(ok)
    assert.matches("No space left", message)
    pcall(file.close, file)
  end)

  it("takes a pipe, which has no disk", function()
    local pipe <close> = assert(io.popen("cat >/dev/null", "w"))
    pipe:write "a row"
    assert.is_true(core.sync(pipe))
  end)

  it("refuses what is no open file", function()
    local file = assert(io.tmpfile())
    file:close()
    assert.has_error(function() core.sync(file) end)
    assert.has_error(function() core.sync {} end)
  end)
end)
