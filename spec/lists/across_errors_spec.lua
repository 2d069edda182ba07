--- Errors of one account among several, and on_error. CONTRACT section 8.

local calira = require "calira"
local helper = require "spec.support.helper"

describe("an error of one lab", function()
  local FAILS <const> = "failpath=403:provider_account=107"

  it("names the lab, after the records before it", function()
    for status, kind in pairs { [403] = "forbidden", [404] = "not_found" } do
      local client = helper.client(("failpath=%d:provider_account=107"):format(status))
      local list, count = client:bookings { under = 201 }, 0
      local err = helper.failure(function() for _ in list do count = count + 1 end end)
      assert.equal(100, count, "all of 104, 105 and 106")
      assert.equal(kind, err.kind)
      assert.truthy(err.message:find("Attosecond Lab (id 107)", 1, true), err.message)
      assert.truthy(tostring(err):find("Attosecond Lab (id 107)", 1, true))
      assert.equal(status, err.status)
      local _, again = pcall(list.next, list)
      assert.equal(err, again)
      assert.equal("partial", list:report().verdict)
    end
  end)

  it("in the middle of the lab comes after its pages before", function()
    local client = helper.client "failpage=403:2"
    local list, last, count = client:bookings { under = 212 }, nil, 0
    local err = helper.failure(function() for _, lab in list do last, count = lab.id, count + 1 end end)
    assert.same({ 108, 100 }, { last, count })
    assert.truthy(err.message:find "NMR Suite")
  end)

  it("is seen by on_error, which may skip the rest of the lab", function()
    local client = helper.client(FAILS)
    local seen = {}
    local list = client:bookings { under = 211, on_error = function(err, node)
      seen[#seen + 1] = { err, node }
      return true
    end }
    local records = list:collect()
    assert.equal(100, #records)
    assert.equal(1, #seen)
    assert.same({ "forbidden", 107 }, { seen[1][1].kind, seen[1][2].id })
    local report = list:report()
    assert.equal("partial", report.verdict)
    assert.equal(1, #report.skipped)
    assert.equal(seen[1][1], report.skipped[1].error)
    assert.equal(seen[1][2], report.skipped[1].node)
    assert.is_nil(list:next())
    assert.same({ 100, nil, 4, 4 }, { list:progress() })
  end)

  it("skips every lab that fails, in any order too", function()
    for _, unordered in ipairs { false, true } do
      local client = helper.client "failpath=403:provider_account"
      local list = client:bookings { under = 201, unordered = unordered, on_error = function() return 1 end }
      assert.same({}, (list:collect()))
      assert.equal(11, #list:report().skipped)
    end
  end)

  it("is told to on_error once about a lab, though its details fail as well", function()
    for _, answer in ipairs { true, false } do
      local client = helper.client "failpage=403:2;failpath=403:bookings%2F1010000099"
      local asked = 0
      local list = client:bookings { under = 101, details = true, on_error = function()
        asked = asked + 1
        return answer
      end }
      local count = 0
      local ok, err = pcall(function() for _ in list do count = count + 1 end end)
      assert.same({ answer, 99, 1 }, { ok, count, asked })
      if answer then
        assert.equal(1, #list:report().skipped)
      else
        assert.equal("forbidden", err.kind)
        assert.equal(1, select(2, err.message:gsub("%(id 101%)", "")))
      end
    end
  end)

  it("is not what closes the client", function()
    local client, asked = helper.client "latency=50", 0
    local list = client:bookings { under = 201, on_error = function() asked = asked + 1 return true end }
    list:next()
    client:close()
    assert.equal("closed", helper.failure(list.collect, list).kind)
    assert.equal(0, asked)
  end)

  it("is one of an account without a usable id, when it is its turn", function()
    local client = helper.client()
    local node = client:tree():find(211)
    node.labs[3].id = "../x"
    local list, count = client:bookings { under = node }, 0
    local err = helper.failure(function() for _ in list do count = count + 1 end end)
    assert.same({ "argument", 1 }, { err.kind, count })
    list = client:bookings { under = node, on_error = function() return true end }
    assert.equal(101, #(list:collect()))
    assert.equal(4, list:report().accounts)
  end)

  it("that on_error does not skip is raised", function()
    for _, answer in ipairs { false, 0 } do
      local client = helper.client(FAILS)
      local calls = 0
      local list = client:bookings { under = 211, on_error = function()
        calls = calls + 1
        if answer == 0 then return end
        return answer
      end }
      assert.equal("forbidden", helper.failure(list.collect, list).kind)
      assert.equal("forbidden", helper.failure(list.next, list).kind)
      assert.equal(1, calls)
      assert.same({}, list:report().skipped)
    end
  end)

  it("an error of on_error is raised unchanged and closes the list", function()
    local client = helper.client(FAILS)
    local mine = {}
    local list = client:bookings { under = 211, on_error = function() error(mine) end }
    local ok, err = pcall(list.collect, list)
    assert.is_false(ok)
    assert.equal(mine, err)
    assert.equal("closed", helper.failure(list.next, list).kind)
  end)

  it("on_error may wait and call, not read its own list", function()
    local client = helper.client(FAILS)
    local name
    local list = client:bookings { under = 211, on_error = function(_, node)
      calira.sleep(0.001)
      name = client:account(node).name
      return true
    end }
    assert.equal(100, #(list:collect()))
    assert.equal("Attosecond Lab", name)
    list = client:bookings { under = 211, on_error = function() return list:next() end }
    assert.equal("argument", helper.failure(list.collect, list).kind)
  end)

  it("of reading the tree is none of a lab's", function()
    local client = helper.client "failpath=403:accounts"
    local called = false
    local list = client:bookings { under = 211, on_error = function() called = true return true end }
    local err = helper.failure(list.next, list)
    assert.same({ "forbidden", "/accounts" }, { err.kind, err.path })
    assert.is_false(called)
  end)

  it("of one detail is the lab's too", function()
    local client = helper.client "failpath=403:bookings%2F1060"
    local list, count = client:bookings { under = 211, details = true }, 0
    local err = helper.failure(function() for _ in list do count = count + 1 end end)
    assert.equal(1, count)
    assert.truthy(err.message:find "Cryogenics Lab")
    local skipped = {}
    list = client:bookings { under = 211, details = true, on_error = function(_, node)
      skipped[#skipped + 1] = node.id
      return true
    end }
    count = 0
    for b, lab in list do
      assert.is_not_nil(b.cost)
      assert.not_equal(106, lab.id)
      count = count + 1
    end
    assert.equal(101, count)
    assert.same({ 106 }, skipped)
    assert.same({ "partial", 1 }, { list:report().verdict, #list:report().skipped })
  end)
end)
