--- Records without an id, which cannot be told apart: no walk over them is endless, none loses one in silence. CONTRACT section 5.
-- And what a list that was left early says of itself.

local calira = require "calira"
local H = require "spec.support.helper"

local function bookings(scenario, options)
  local client, id = H.client(scenario)
  options = options or {}
  options.provider = 102
  return client:bookings(options), id
end

describe("a walk over records without an id", function()
  for _, more in ipairs { "", ";total=none", ";curhdr=none", ";total=none;curhdr=none", ";total=none;perhdr=none;curhdr=none" } do
    it("ends where the server gives the same page for ever" .. more, function()
      local list, id = bookings("noid=1;ignorepage=1;bookings=25" .. more, { per_page = 10, strict = false })
      assert.equal(10, #list:collect())
      assert.is_true(H.stats(id).calls < 20)
      require("spec.support.warnings").take()
      assert.matches(more:find "total" and "complete" or "looped", list:report().verdict:gsub("clamped", "looped"), 1, true)
    end)
  end

  it("delivers each once where the list holds still", function()
    local list = bookings("noid=1;bookings=25", { per_page = 10 })
    assert.equal(25, #list:collect())
    assert.same({ "complete", 1 }, { list:report().verdict, list:report().passes })
  end)

  it("is complete where the total counts records that are never given", function()
    local list = bookings("noid=1;bookings=25;invisible=2", { per_page = 10 })
    assert.equal(25, #list:collect())
    assert.same({ "complete", 2 }, { list:report().verdict, list:report().unseen })
  end)

  it("tells of drift where one of them may have been missed", function()
    local list = bookings("noid=1;bookings=25;delete=2:0", { per_page = 10, lookahead = 0 })
    local err = H.failure(list.collect, list)
    assert.same({ "drift", "drifted" }, { err.kind, err.report.verdict })
  end)
end)

describe("a list that was left early is partial:", function()
  it("where a detail failed", function()
    local client = H.client("failpath=418:bookings%2F12348;bookings=6")
    local list = client:bookings { provider = 102, details = true }
    H.failure(list.collect, list)
    assert.same({ "partial", 3 }, { list:report().verdict, list:report().delivered })
  end)

  it("where a function of the user's failed", function()
    local list = bookings("bookings=6", { where = function() error("no", 0) end })
    assert.is_false(pcall(list.next, list))
    assert.equal("partial", list:report().verdict)
  end)

  it("where details were left", function()
    local list = bookings("bookings=6", { details = true })
    list:next()
    list:close()
    assert.equal("partial", list:report().verdict)
  end)

  it("where its client was closed, and then it gives no more", function()
    local client = H.client "bookings=6"
    local list = client:bookings { provider = 102 }
    list:next()
    client:close()
    assert.equal("closed", H.failure(list.next, list).kind)
    assert.equal("partial", list:report().verdict)
  end)
end)

describe("small things", function()
  it("an exact walk that is given up says of what, and why", function()
    local list = bookings("bookings=6;invisible=1", { exact = true })
    local err = H.failure(list.next, list)
    assert.same({ "drift", "GET", "/bookings" }, { err.kind, err.method, err.path })
    assert.matches("held still, but the server's total", err.message, 1, true)
  end)

  it("a parameter that is an empty table is refused", function()
    local client = H.client()
    for _, value in ipairs { {}, { x = 1 } } do
      local err = H.failure(client.bookings, client, { params = { x = value } })
      assert.equal("argument", err.kind)
      assert.matches("parameter x", err.message, 1, true)
    end
  end)

  it("a rate is a number", function()
    local err = H.failure(calira.new, { token = "x", rate = 0 })
    assert.matches("rate takes a number, more than 0", err.message, 1, true)
  end)
end)
