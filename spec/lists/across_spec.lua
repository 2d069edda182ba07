--- Lists over several accounts: under = key. CONTRACT section 8.
-- luacheck: ignore 512 (loops that are left at once)

local calira = require "calira"
local helper = require "spec.support.helper"
local build = require("calira.accounts.tree").build
local warnings = require "spec.support.warnings"

local LABS_OF_201 <const> = { 104, 105, 106, 107, 108, 109, 110, 111, 112, 101, 113 } -- the tree's order: departments, then its own
local PHYSICS <const> = { 104, 105, 106, 107 }                                        -- with 0, 1, 99 and 100 bookings

local function ids(records)
  local list = {}
  for i, record in ipairs(records) do list[i] = record.id end
  return list
end

--- The ids that plain lists of the accounts give, one after the other.
local function plainly(client, name, accounts, option, options)
  local found = {}
  for _, account in ipairs(accounts) do
    local all = { [option] = account }
    for key, value in pairs(options or {}) do all[key] = value end
    local list = client[name](client, all)
    for record in list do found[#found + 1] = record.id end
  end
  return found
end

describe("under", function()
  it("reads lab after lab in the tree's order, each with its node", function()
    local client, id = helper.client()
    local list = client:bookings { under = 201 }
    local found, labs, of = {}, {}, {}
    for b, lab in list do
      found[#found + 1] = b.id
      if labs[#labs] ~= lab.id then labs[#labs + 1] = lab.id end
      of[lab.id] = lab
    end
    local expected = {}
    for _, lab in ipairs(LABS_OF_201) do
      if of[lab] then expected[#expected + 1] = lab end
    end
    assert.same(expected, labs)
    assert.equal(10, #labs, "all but 104, which has none")
    assert.same({ "Optics", "lab", 211 }, { of[105].name, of[105].account_type, of[105].parent.id })
    assert.equal(helper.stats(id).calls, list:report().requests)
    assert.same(plainly(client, "bookings", LABS_OF_201, "provider"), found)
  end)

  it("takes whatever find takes; the tree is read once, and not for a node", function()
    local client, id = helper.client()
    local tree = client:tree()
    local full = client:account(211)
    local calls = helper.stats(id).calls
    for key, reads in pairs {
      [211] = 1, ["211"] = 1, ["Faculty of Physics"] = 1, ["faculty of physics"] = 1,
      ["University of Cambridge / Faculty of Physics"] = 1, [tree:find(211)] = 0, [full] = 1, [{ id = 211 }] = 1,
    } do
      local list = client:bookings { under = key }
      local records, nodes = list:collect()
      assert.same({ 200, 200 }, { #records, #nodes })
      assert.same({ 105, 107 }, { nodes[1].id, nodes[200].id })
      calls = calls + reads + 4
      assert.equal(calls, helper.stats(id).calls, tostring(key))
      assert.equal(reads + 4, list:report().requests)
    end
  end)

  it("takes a full account for its id, whatever its arrays hold", function()
    local client = helper.client()
    local full = client:account(211)
    for _, arrays in ipairs { { full.labs, {} }, { {}, {} }, { {}, { full } } } do
      full.labs, full.departments = arrays[1], arrays[2]
      assert.equal(200, #(client:bookings { under = full }:collect()))
    end
  end)

  it("a lab is that lab; an account without labs is nothing, and that is traced", function()
    local events = {}
    local client, id = helper.client("", { trace = function(event)
      if event.event == "under" then events[#events + 1] = event end
    end })
    assert.equal(99, #(client:bookings { under = 106 }:collect()))
    assert.equal(2, helper.stats(id).calls)
    local before = helper.stats(id).calls
    for _, key in ipairs { 206, 214, "Lindqvist Foundation" } do
      local list = client:bookings { under = key }
      assert.same({}, (list:collect()))
      assert.is_nil(list:next())
      assert.same({ "complete", 0, 0 }, { list:report().verdict, #list:report().parts, list:report().accounts })
    end
    assert.equal(before + 3, helper.stats(id).calls)
    assert.equal(3, #events)
    assert.same({ 0, "there is no lab to ask under Lindqvist Foundation (id 206)" }, { events[3].accounts, events[3].message })
    client:bookings { under = 211 }:collect()
    assert.equal(3, #events)
  end)

  it("goes for equipment, with its flag, and for groups", function()
    local client = helper.client()
    for _, name in ipairs { "equipment", "groups" } do
      assert.same(plainly(client, name, LABS_OF_201, "account"), ids((client[name](client, { under = 201 }):collect())))
    end
    local all = #(client:equipment { under = 201 }:collect())
    local leaves = ids((client:equipment { under = 201, exclude_parents = true }:collect()))
    assert.same(plainly(client, "equipment", LABS_OF_201, "account", { exclude_parents = true }), leaves)
    assert.is_true(#leaves < all)
  end)

  it("goes for projects of every account, departments and organisation too", function()
    local client = helper.client()
    local accounts = { 201, 211, 104, 105, 106, 107, 212, 108, 109, 110, 213, 111, 112, 214, 101, 113 }
    local records, nodes = client:projects { under = 201 }:collect()
    assert.same(plainly(client, "projects", accounts, "account"), ids(records))
    local seen = {}
    for _, node in ipairs(nodes) do seen[node.account_type] = true end
    assert.same({ organisation = true, department = true, lab = true }, seen)
    assert.same(plainly(client, "projects", { 206 }, "account"), ids((client:projects { under = 206 }:collect())))
  end)

  it("passes parameters and filters on to each", function()
    local client, id = helper.client()
    local options = { status = "pending", per_page = 50, params = { extra = "1" } }
    options.under = 211
    local found = ids((client:bookings(options):collect()))
    local paths = helper.stats(id).paths
    for path in pairs(paths) do
      assert.truthy(path == "/v1/accounts?page=1&per_page=100" or path:find "extra=1" and path:find "per_page=50", path)
    end
    options.under = nil
    assert.same(plainly(client, "bookings", PHYSICS, "provider", options), found)
    assert.is_true(#found > 0 and #found < 100)
  end)

  it("each record once, also where two accounts list it", function()
    local client, id = helper.client()
    local node = client:tree():find(211)
    node.labs = { node.labs[2], node.labs[3], node.labs[3], node.labs[2] }
    local list = client:bookings { under = node }
    local records, nodes = list:collect()
    assert.equal(100, #records)
    assert.same({ 105, 106 }, { nodes[1].id, nodes[100].id })
    assert.same({ 100, 100, 100, "complete" },
      { list:report().received, list:report().delivered, list:report().duplicates, list:report().verdict })
    assert.equal(5, helper.stats(id).calls)
  end)

  it("pages() tells the node", function()
    local client = helper.client()
    local seen = {}
    for page, records, node in client:bookings { under = 212, per_page = 100 }:pages() do
      seen[#seen + 1] = ("%d/%d:%d"):format(node.id, page, #records)
    end
    assert.same({ "108/1:100", "108/2:1", "109/1:100", "109/2:100" }, { table.unpack(seen, 1, 4) })
  end)

  it("does not go together with the account's own option", function()
    local client, id = helper.client()
    assert.equal("argument", helper.failure(client.bookings, client, { under = 201, provider = 102 }).kind)
    for _, name in ipairs { "equipment", "projects", "groups" } do
      assert.equal("argument", helper.failure(client[name], client, { under = 201, account = 102 }).kind)
    end
    assert.equal("argument", helper.failure(client.projects, client, {}).kind)
    assert.equal("argument", helper.failure(client.accounts, client, { under = 201 }).kind)
    assert.equal("argument", helper.failure(client.equipment_bookings, client, 789, { under = 201 }).kind)
    assert.equal(0, helper.stats(id).calls)
  end)

  it("a name that is not there, or there twice, is an argument error that helps, at every read", function()
    local client, id = helper.client()
    local list = client:bookings { under = "Faculty of Phisics" }
    local err = helper.failure(list.next, list)
    assert.equal("argument", err.kind)
    assert.truthy(err.message:find("Faculty of Physics", 1, true), err.message)
    local _, again = pcall(list.next, list)
    assert.equal(err, again)
    list = client:bookings { under = "Optics" }
    err = helper.failure(list.collect, list)
    assert.equal("argument", err.kind)
    assert.truthy(err.message:find("Faculty of Physics / Optics", 1, true) and err.message:find("Chemistry / Optics", 1, true), err.message)
    for _, key in ipairs { 999, {}, true, 1.5, "" } do
      list = client:bookings { under = key }
      assert.equal("argument", helper.failure(list.next, list).kind)
    end
    for path in pairs(helper.stats(id).paths) do assert.truthy(path:find "^/v1/accounts%?", path) end
  end)

  it("ends where bad data goes in circles", function()
    local client = helper.client "cycle=1"
    assert.equal(200, #(client:bookings { under = 211 }:collect()))
    assert.equal(1, #warnings.take())
  end)

  it("sees labs that lie under what cannot be seen, and leaves out what is hidden", function()
    local client = helper.client "hide=211,106"
    assert.same({ 105, 107 }, (function()
      local seen = {}
      for _, lab in client:bookings { under = 201 } do
        if lab.id < 108 and lab.id > 101 and seen[#seen] ~= lab.id then seen[#seen + 1] = lab.id end
      end
      return seen
    end)())
  end)

  it("a tree of thousands of labs is walked in order", function()
    local client, id = helper.client "accounts=545"
    local tree = client:tree()
    local list = client:groups { under = tree:find(10000) }
    local last, count = 0, 0
    local order = {}
    for place, lab in ipairs(tree:labs(10000)) do order[lab.id] = place end
    for _, lab in list do
      assert.is_true(order[lab.id] >= last)
      last, count = order[lab.id], count + 1
    end
    assert.is_true(count > 40)
    assert.equal(list:report().requests, helper.stats(id).calls - 6)
  end)
end)

describe("calls across accounts", function()
  for limit, calls in pairs { [1] = 3, [2] = 4, [100] = 4, [101] = 5, [200] = 5, [201] = 5 } do
    it(("a limit of %d under 211 makes %d"):format(limit, calls), function()
      local client, id = helper.client("latency=2", { lookahead = 8 })
      local list = client:bookings { under = 211, limit = limit }
      assert.equal(math.min(limit, 200), #(list:collect()))
      assert.equal(calls, helper.stats(id).calls)
      assert.is_nil(list:next())
    end)
  end

  for limit, pages in pairs { [1] = 1, [100] = 1, [101] = 2, [250] = 3, [320] = 4 } do
    it(("a limit of %d within one lab asks for %d pages of it"):format(limit, pages), function()
      local client, id = helper.client("latency=2", { lookahead = 8 })
      assert.equal(limit, #(client:bookings { under = 101, limit = limit }:collect()))
      assert.equal(1 + pages, helper.stats(id).calls)
    end)
  end

  it("a limit over several labs starts the labs that are needed for sure, at once", function()
    local client, id = helper.client("latency=20", { lookahead = 8 })
    local node = client:tree():find(201)
    node.labs, node.departments = { node.labs[1], client:tree():find(102), client:tree():find(103) }, {}
    node.labs[1].parent = node
    local before = helper.stats(id).calls
    local list = client:bookings { under = node, limit = 550 } -- of 320, 250 and 140
    assert.equal(550, #(list:collect()))
    assert.equal(before + 4 + 3, helper.stats(id).calls)
  end)

  it("first() asks for no lab that it does not need", function()
    local client, id = helper.client()
    local b, lab = client:bookings { under = 211 }:first()
    assert.equal(105, lab.id)
    assert.is_not_nil(b.id)
    assert.equal(3, helper.stats(id).calls)
  end)

  it("are in flight for several labs together, no more than four times max_in_flight ahead of the reader", function()
    for _, most in ipairs { 1, 2, 4, 8 } do
      local client, id = helper.client("latency=10", { max_in_flight = most, lookahead = 8 })
      local list = client:bookings { under = 201, per_page = 40 }
      local ahead = 0
      for _ in list do
        local report = list:report()
        ahead = math.max(ahead, report.requests - 1 - report.pages)
      end
      assert.is_true(ahead <= 4 * most and ahead >= math.min(most, 4), most .. ": " .. ahead)
      local seen = helper.stats(id)
      assert.is_true(seen.max_in_flight <= most)
      if most > 1 then assert.is_true(seen.max_in_flight > 1) end
      assert.equal(list:report().requests, seen.calls)
    end
  end)

  it("are as many as there are pages, whatever the lookahead", function()
    for _, lookahead in ipairs { 0, 1, 64 } do
      local client, id = helper.client("", { lookahead = lookahead })
      local list = client:bookings { under = 201, per_page = 30 }
      list:collect()
      assert.same({ 1, "complete" }, { list:report().passes, list:report().verdict })
      assert.equal(list:report().pages + 1, helper.stats(id).calls)
    end
  end)

  it("without totals ask for no page before it is its turn", function()
    local client, id = helper.client "total=none"
    local list = client:bookings { under = 101, per_page = 50 }
    list:next()
    calira.sleep(0.05)
    assert.equal(2 + 1, helper.stats(id).calls, "accounts are two pages, to see that no more follow")
    list:close()
  end)

  it("are cancelled when the loop is left", function()
    local client, id = helper.client "latency=100"
    for _ in client:bookings { under = 201 } do break end
    assert.equal(0, client:stats().in_flight)
    assert.is_true(helper.stats(id).calls < 12)
  end)
end)

describe("what is known of several", function()
  it("total() is the sum once it is known, and asks nothing", function()
    local client, id = helper.client()
    local list = client:bookings { under = 211 }
    assert.is_nil(list:total())
    assert.equal(0, helper.stats(id).calls)
    list:collect()
    assert.equal(200, list:total())
    local none = helper.client "total=none"
    list = none:bookings { under = 211 }
    list:collect()
    assert.is_nil(list:total())
  end)

  it("progress() counts records and lists", function()
    local client = helper.client()
    local list = client:bookings { under = 211, status = "none such" }
    assert.same({ 0, nil, 0, 0 }, { list:progress() })
    list:collect()
    assert.same({ 200, 200, 4, 4 }, { list:progress() })
    list = client:bookings { under = 211 }
    for _ = 1, 50 do list:next() end
    local received, _, finished, all = list:progress()
    assert.same({ 100, 2, 4 }, { received, finished, all })
    list:close()
  end)

  it("report() has a part for each lab", function()
    local client = helper.client()
    local list = client:bookings { under = 211 }
    list:collect()
    local report = list:report()
    assert.same({ "complete", 200, 200, 0, 0, 4, 5, 1 }, { report.verdict, report.received, report.delivered, report.unseen,
      report.duplicates, report.pages, report.requests, report.passes })
    assert.same({ 200, 200 }, { report.total_first, report.total_last })
    assert.same({ 4, 0, 0, 0, 0 }, { report.accounts, report.gone, report.filtered, report.undetailed, report.unreadable })
    for i, lab in ipairs(PHYSICS) do
      assert.equal(lab, report.parts[i].node.id)
      assert.equal("complete", report.parts[i].report.verdict)
    end
    assert.same({}, report.skipped)
  end)

  it("report() is partial before the end and where a limit or close() left something", function()
    local client = helper.client()
    local list = client:bookings { under = 211 }
    assert.equal("partial", list:report().verdict)
    list:next()
    assert.equal("partial", list:report().verdict)
    list:close()
    assert.equal("partial", list:report().verdict)
    list = client:bookings { under = 211, limit = 150 }
    list:collect()
    assert.equal("partial", list:report().verdict)
  end)

  it("has the worst verdict, raised after the records of every lab", function()
    local client = helper.client "churn=1;seed=3"
    local options = { under = 202, per_page = 10, lookahead = 0 }
    local list, labs = client:bookings(options), {}
    local err = helper.failure(function() for _, lab in list do labs[lab.id] = true end end)
    assert.same({ [102] = true, [114] = true, [115] = true, [116] = true }, labs)
    assert.same({ "drift", "drifted" }, { err.kind, err.report.verdict })
    assert.truthy(err.message:find("Equipment Sharing Lab (id 102): the list changed", 1, true), err.message)
    local verdicts = {}
    for _, part in ipairs(err.report.parts) do verdicts[part.node.id] = part.report.verdict end
    assert.same({ [102] = "drifted", [114] = "complete", [115] = "complete", [116] = "complete" }, verdicts)
    options.strict = false
    list = (helper.client "churn=1;seed=3"):bookings(options)
    list:collect()
    assert.equal("drifted", list:report().verdict)
    assert.equal(1, #warnings.take())
  end)

  it("resumed where the accounts come in another order, reads each of them", function()
    local client = helper.client()
    local trees = {}
    for i = 1, 2 do
      local accounts = client:accounts():collect()
      if i == 2 then table.sort(accounts, function(a, b) return a.id > b.id end) end
      trees[i] = build(accounts, client):find(201)
    end
    local got, list = {}, client:bookings { under = trees[1] }
    for b in list do
      got[b.id] = true
      if b.provider_lab_id == 106 or list:report().accounts > 2 then break end
    end
    for _, same in ipairs { true, false } do
      local again = client:bookings { under = trees[same and 1 or 2], resume = list:cursor() }
      local all = setmetatable({}, { __index = got })
      for b in again do all[b.id] = true end
      for id in client:bookings { under = trees[1], where = function(b) return not all[b.id] end } do error("not read: " .. tostring(id.id)) end
      assert.equal(same, again:report().accounts < #LABS_OF_201)
    end
  end)

  it("says in its verdict that accounts may be missing, and takes strict for their list too", function()
    for _, given in ipairs { { { strict = false }, nil }, { {}, false } } do
      local list = (helper.client("accounts=300;ignorepage=1", given[1])):bookings { under = 203, strict = given[2] }
      assert.is_true(#list:collect() > 0)
      assert.equal("clamped", list:report().verdict)
      assert.is_true(#warnings.take() > 0)
    end
  end)

  it("report() knows no total before the accounts are known, and counts the calls for them", function()
    local list = (helper.client "fail=404:1"):bookings { under = 203 }
    assert.same({ 0 }, { list:report().requests, list:report().total_first, list:report().total_last })
    assert.equal("not_found", helper.failure(list.collect, list).kind)
    assert.equal(1, list:report().requests)
  end)
end)
