--- Records as JSON text: sorted, exact, read back the same; however many shapes of records there are.

local core = require "calira.core"
local json = require "calira.values.json"

--- A record of `count` names, put in one of many orders; some stay as places that were taken and are free again.
local function record_of(random, count)
  local record, names = {}, {}
  for i = 1, count do names[i] = "f" .. random(40) end
  for _, name in ipairs(names) do record[name] = 0 end
  for _, name in ipairs(names) do
    if random(3) == 1 then record[name] = nil end
  end
  for _, name in ipairs(names) do record[name] = random(3) == 1 and { id = random(9), name = "n\"\n" } or random(1 << 60) end
  return record
end

--- The same without a memory of shapes.
local function plain(value)
  if type(value) ~= "table" then return json.encode(value) end
  local names, parts = {}, {}
  for name in pairs(value) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do parts[i] = json.encode(name) .. ":" .. plain(value[name]) end
  return "{" .. table.concat(parts, ",") .. "}"
end

describe("a record as JSON", function()
  it("has its names sorted, in whatever order they came", function()
    local one, other = {}, {}
    for i = 1, 20 do one["f" .. i], other["f" .. 21 - i] = i, 21 - i end
    assert.equal(json.encode(one), json.encode(other))
    assert.equal('{"a":1,"b":{"c":[{"d":null}]}}', json.encode { b = { c = { { d = core.null } } }, a = 1 })
  end)

  it("is what a plain encoder makes of it, of 30,000 shapes", function()
    math.randomseed(7)
    for i = 1, 30000 do
      local record = record_of(math.random, 1 + i % 12)
      assert.equal(plain(record), json.encode(record))
    end
  end)

  it("has the names that are asked for, in that order", function()
    assert.equal('{"b":2,"a":null,"c\\"":1}', json.encode({ b = 2, ['c"'] = 1, d = 4 }, { "b", "a", 'c"' }))
    assert.equal("{}", json.encode({ b = 2 }, {}))
  end)
end)
