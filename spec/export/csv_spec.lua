--- The CSV writer: cells as they are kept, and rows with line breaks found again.

local csv = require "calira.export.csv"
local exports = require "spec.support.exports"

describe("the CSV writer", function()
  local folder, remove
  before_each(function() folder, remove = exports.folder() end)
  after_each(function() remove() end)

  local function row(id, note) return { id = id, values = { id = id, note = note }, summary = ("%016x"):format(id) } end

  it("makes formulas harmless and quotes what needs it", function()
    local path = folder .. "/a.csv"
    local writer = csv.open(path, { source = "x" })
    writer:write({ row(1, "=1+1"), row(2, 'two\nlines, "quoted"'), row(3, "-5"), row(4, "\27[31mred") }, "c")
    assert.equal(4, writer:finish({}).rows)
    writer:close()
    local text = exports.read(path)
    assert.matches("1,,,,,,,,'=1+1,,,", text, 1, true)
    assert.matches('"two\nlines, ""quoted"""', text, 1, true)
    assert.matches("3,,,,,,,,-5,,,", text, 1, true)
    assert.is_nil(text:find "\27")
  end)

  it("replaces an export, whatever its columns, and nothing else", function()
    local path = folder .. "/a.csv"
    csv.open(path, { source = "x" }):finish {}
    csv.open(path, { source = "x", details = true }):finish {}
    assert.matches("^id,.*,cost,", exports.read(path))
    for _, text in ipairs { "name,grade\nAda,1\n", "\"", "id\n" } do
      local file <close> = assert(io.open(path, "w"))
      file:write(text)
      file:flush()
      local ok, message = pcall(csv.open, path, { source = "x" })
      assert.same({ false, text }, { ok, exports.read(path) })
      assert.matches("is no export", message, 1, true)
    end
  end)

  it("goes on behind a row with line breaks, and takes unchanged rows over as they are", function()
    local path = folder .. "/a.csv"
    local writer = csv.open(path, { source = "x" })
    writer:write({ row(1, "a\nb"), row(2, "c") }, "here")
    writer:close()
    writer = csv.open(path, { source = "x" })
    assert.equal("here", writer.last.cursor)
    writer:write({ row(2, "again"), row(3, "d\r\ne") }, "there")   -- 2 came twice: it is held once
    assert.equal(3, writer:finish({}).rows)
    writer:close()
    local first = exports.read(path)
    assert.is_nil(first:find "again")
    writer = csv.open(path, { source = "x" })
    local known = writer:known { 1, 3, 9 }
    assert.same({ "0000000000000001", "0000000000000003" }, { known[1].summary, known[3].summary })
    assert.is_nil(known[9])
    local same = {}
    for i, id in ipairs { 1, 2, 3 } do
      same[i] = row(id, "another text")
      same[i].known = writer:known({ id })[id]
    end
    writer:write(same, "end")
    writer:finish {}
    writer:close()
    assert.equal(first, exports.read(path))
  end)
end)
