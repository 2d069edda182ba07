--- unordered = true: whatever is there first, each record once, and never a wait for what nobody asked for. CONTRACT sections 5 and 8.

local calira = require "calira"
local helper = require "spec.support.helper"

describe("unordered", function()
  it("brings the same records with the same nodes", function()
    local client = helper.client "jitter=20"
    local expected = {}
    for b, lab in client:bookings { under = 201 } do expected[b.id] = lab.id end
    local list, count = client:bookings { under = 201, unordered = true }, 0
    for b, lab in list do
      assert.equal(expected[b.id], lab.id)
      expected[b.id], count = nil, count + 1
    end
    assert.is_nil(next(expected))
    assert.equal("complete", list:report().verdict)
    assert.equal(count, list:report().delivered)
  end)

  it("does not wait for a lab that does not answer", function()
    local client = helper.client("silence=3", { timeout = 20, retries = 0 }) -- of accounts and four labs, the third call
    local list = client:bookings { under = 211, unordered = true }
    for _ = 1, 100 do assert.is_not_nil(list:next()) end
    list:close()
  end)

  it("nor for a detail", function()
    local client = helper.client("silence=5", { timeout = 20, retries = 0 })
    local list = client:bookings { under = 106, unordered = true, details = true }
    for _ = 1, 20 do assert.is_not_nil(list:next().cost) end
    list:close()
  end)

  it("keeps the limit, its calls bounded by what is needed for sure", function()
    local client, id = helper.client()
    assert.equal(150, #(client:bookings { under = 201, unordered = true, limit = 150 }:collect()))
    assert.is_true(helper.stats(id).calls <= 6)
  end)

  it("takes exact as well, lab by lab", function()
    local client = helper.client()
    assert.equal(200, #(client:bookings { under = 211, unordered = true, exact = true }:collect()))
  end)
end)

describe("unordered reads to its end", function()
  --- Reads in a task that is cancelled when it takes too long.
  local function watched(f)
    return calira.run(function()
      local task = calira.spawn(f)
      local watchdog = calira.spawn(function()
        calira.sleep(20)
        task:cancel()
      end)
      local result = task:wait()
      watchdog:cancel()
      return result
    end)
  end

  local function count_of(list)
    return watched(function()
      local seen, count = {}, 0
      for b in list do
        assert.is_nil(seen[b.id])
        seen[b.id], count = true, count + 1
      end
      return count
    end)
  end

  for scenario, missing in pairs {
    ["total=none"] = 0, ["invisible=1"] = 0, ["invisible=40"] = 0, ["emptypage=2"] = 0, ["past=last;total=none"] = 0, ["past=404"] = 0,
    ["delete=3:0"] = 1,
  } do
    it("where the server has " .. scenario, function()
      for _, lookahead in ipairs { 0, 1, false } do
        local client = helper.client(scenario, { lookahead = lookahead or nil })
        local tree = client:tree()
        local node = tree:find(202)
        local expected = 0
        local plain = helper.client()
        for _, lab in ipairs(tree:labs(202)) do
          for _ in plain:bookings { provider = lab } do expected = expected + 1 end
        end
        local list = client:bookings { under = node, per_page = 20, unordered = true, strict = scenario ~= "emptypage=2" }
        local count = count_of(list)
        if scenario == "emptypage=2" then
          require("spec.support.warnings").take()
          assert.is_true(count > expected - 100)
        else
          assert.is_true(count >= expected - missing and count <= expected, count .. " of " .. expected)
        end
      end
    end)
  end

  it("with a limit and details of which some are gone", function()
    local gone = {}
    for i = 0, 19 do gone[#gone + 1] = 1060000000 + i end
    for _, details in ipairs { "details", "forms" } do
      for _, unordered in ipairs { true, false } do
        local client = helper.client("gone=" .. table.concat(gone, ","))
        local list = client:bookings { under = 211, per_page = 10, limit = 150, [details] = true, unordered = unordered }
        assert.equal(150, count_of(list))
        list = client:bookings { under = 106, per_page = 10, limit = 95, [details] = true, unordered = unordered }
        assert.equal(79, count_of(list))
        assert.equal(20, list:report().gone)
      end
    end
  end)

  it("for first() with a filter that drops the first pages", function()
    local client = helper.client "total=none"
    for _, unordered in ipairs { true, false } do
      local list = client:bookings { under = 211, per_page = 10, unordered = unordered, where = function(b) return b.id == 1070000055 end }
      local b = watched(function() return (list:first()) end)
      assert.equal(1070000055, b.id)
    end
  end)

  it("for details of one list, asked for as its pages come", function()
    for _, scenario in ipairs { "", "total=none", "invisible=3" } do
      local client = helper.client(scenario)
      assert.equal(250, count_of(client:bookings { provider = 102, per_page = 20, details = true, unordered = true }))
    end
  end)
end)
