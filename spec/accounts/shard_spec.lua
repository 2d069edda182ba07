--- Shares of accounts. CONTRACT section 8.

local shard = require "calira.accounts.shard"

--- The share that an id falls to, of so many; fails unless it is one.
local function share_of(tests, id)
  local found
  for number, falls_to in ipairs(tests) do
    if falls_to(id) then
      if found then error(("%s falls to %d and %d"):format(id, found, number)) end
      found = number
    end
  end
  return found or error(("%s falls to none"):format(id))
end

local function tests_of(count)
  local tests = {}
  for number = 1, count do tests[number] = shard.test(("%d/%d"):format(number, count)) end
  return tests
end

describe("a share", function()
  it("is a number and of how many", function()
    for text, expected in pairs { ["3/16"] = "3/16", ["1/1"] = "1/1", ["03/016"] = "3/16", ["4096/4096"] = "4096/4096" } do
      assert.equal(expected, (shard.read(text)))
    end
    for _, bad in ipairs { "", "3", "/16", "3/", "0/16", "17/16", "3/0", "-1/16", "3/16/2",
      "3 /16", "a/b", "1/4097", "1/99999999999999999999", "1.0/2" } do
      assert.is_nil((shard.read(bad)), bad)
    end
    for _, bad in ipairs { 3, true, {}, 0.5 } do assert.is_nil((shard.read(bad))) end
  end)

  for _, first in ipairs { 1, 101, 10000 } do
    it(("of sixteen has its sixteenth of 10,000 labs from %d on, within 5 %%"):format(first), function()
      local tests, counts = tests_of(16), {}
      for id = first, first + 9999 do
        local share = share_of(tests, id)
        counts[share] = (counts[share] or 0) + 1
      end
      for number = 1, 16 do
        assert.is_true(math.abs(counts[number] / 625 - 1) <= 0.05, number .. ": " .. tostring(counts[number]))
      end
    end)
  end

  it("more moves only its own accounts", function()
    local before, after, moved = tests_of(7), tests_of(8), 0
    for id = 1, 2000 do
      local old, new = share_of(before, id), share_of(after, id)
      if old ~= new then
        assert.equal(8, new)
        moved = moved + 1
      end
    end
    assert.is_true(moved > 150 and moved < 350, moved)
  end)

  it("takes whatever an id is, and a text as the number it spells", function()
    local tests = tests_of(5)
    for _, id in ipairs { "abc", "x-1", 0, math.maxinteger, 2.0 ^ 60, "" } do share_of(tests, id) end
    share_of(tests, nil)
    for id = 1, 50 do assert.equal(share_of(tests, id), share_of(tests, tostring(id))) end
  end)

  it("is the same on every machine and in every version", function()
    local tests, shares = tests_of(16), {}
    for id = 101, 112 do shares[#shares + 1] = share_of(tests, id) end
    assert.same({ 16, 13, 8, 16, 7, 9, 2, 14, 16, 2, 7, 15 }, shares)
  end)
end)
