local core = require "calira.core"
local build = require "calira.accounts.tree".build

local function organisation(id, name) return { id = id, name = name, account_type = "organisation" } end
local function department(id, name, above) return { id = id, name = name, account_type = "department", organisation = above } end
local function lab(id, name, top, middle)
  return { id = id, name = name, account_type = "lab", organisation = top, department = middle }
end

--- The university of the examples below.
local function university()
  return {
    lab(30, "Optics", 1, 20),
    organisation(1, "University"),
    department(20, "Physics", 1),
    department(21, "Chemistry", 1),
    lab(31, "Lasers", 1, 20),
    lab(32, "NMR / Spectra", 1, 21),
    lab(33, "Workshop", 1),
    lab(40, "Solo"),
    organisation(2, "Institute"),
    lab(34, "Optics", 2),
    department(22, "Hidden above", 99),
    lab(35, "Below an orphan", 99, 22),
    lab(36, "Orphan", 99, 98),
  }
end

local function ids(nodes)
  local list = {}
  for i, node in ipairs(nodes) do list[i] = node.id end
  return list
end

local function refusal(tree, ...)
  local ok, err = pcall(tree.find, tree, ...)
  assert.is_false(ok, "expected an error")
  assert.equal("argument", err.kind)
  return tostring(err)
end

--- Runs f with `warn` caught; returns what it returned and the warnings.
local function with_warnings(f, ...)
  local warnings, original = {}, warn
  _G.warn = function(...) warnings[#warnings + 1] = table.concat { ... } end
  local ok, result = pcall(f, ...)
  _G.warn = original
  assert(ok, result)
  return result, warnings
end

describe("tree.build", function()
  it("puts each account where it belongs, in the server's order", function()
    local tree, warnings = with_warnings(build, university())
    assert.same({ 1, 2 }, ids(tree.organisations))
    assert.same({ 40 }, ids(tree.independent_labs))
    assert.same({ 22, 36 }, ids(tree.orphans))
    assert.same({ 20, 21 }, ids(tree.by_id[1].departments))
    assert.same({ 33 }, ids(tree.by_id[1].labs))
    assert.same({ 30, 31 }, ids(tree.by_id[20].labs))
    assert.same({ 34 }, ids(tree.by_id[2].labs))
    assert.same({ 35 }, ids(tree.by_id[22].labs))
    assert.equal(tree.by_id[20], tree.by_id[30].parent)
    assert.is_nil(tree.by_id[1].parent)
    assert.same({}, tree.cycles)
    assert.same({}, warnings)
  end)

  it("copies the accounts with all their fields", function()
    local account = { id = 5, name = "L", account_type = "lab", new_field = { 1 }, organisation = 77, parent = "odd", labs = "odd" }
    local node = build({ account }).by_id[5]
    assert.not_equal(account, node)
    assert.equal(account.new_field, node.new_field)
    assert.equal(77, node.organisation)
    assert.is_nil(node.parent)
    assert.same({}, node.labs)
    assert.equal("odd", account.parent)
  end)

  local places = {
    { "a lab under its department", lab(9, "L", 1, 20), 20 },
    { "a lab under its organisation where its department is not visible", lab(9, "L", 1, 98), 1 },
    { "a lab under its department where its organisation is not visible", lab(9, "L", 99, 20), 20 },
    { "a lab that names a department alone", lab(9, "L", nil, 20), 20 },
    { "ids in objects", lab(9, "L", { id = 1, name = "U" }, { id = 20, name = "P" }), 20 },
    { "a null department", lab(9, "L", 1, core.null), 1 },
    { "nulls at the top", lab(9, "L", core.null, core.null), "independent_labs" },
    { "a lab of which neither is visible", lab(9, "L", 99, 98), "orphans" },
    { "a department without an organisation", department(9, "D"), "orphans" },
    { "a department of an organisation that is not visible", department(9, "D", 99), "orphans" },
    { "an organisation", organisation(9, "O"), "organisations" },
    { "a type in capitals", { id = 9, name = "L", account_type = "LAB" }, "independent_labs" },
    { "an unknown type under a department", { id = 9, account_type = "team", department = 20 }, 20 },
    { "an unknown type at the top", { id = 9, account_type = "team" }, "independent_labs" },
    { "no type at all", { id = 9 }, "independent_labs" },
    { "an unknown type of which nothing is visible", { id = 9, account_type = "team", organisation = 99 }, "orphans" },
  }
  for _, case in ipairs(places) do
    it("places " .. case[1], function()
      local tree = build { organisation(1, "U"), department(20, "P", 1), case[2] }
      local node, where = tree.by_id[9], case[3]
      local siblings = tree[where]
      if type(where) == "number" then
        siblings = tree.by_id[where].labs
        assert.equal(tree.by_id[where], node.parent)
      else
        assert.is_nil(node.parent)
      end
      assert.equal(node, siblings[#siblings])
      local seen = 0
      for other in tree:walk() do seen = seen + (other == node and 1 or 0) end
      assert.equal(1, seen)
    end)
  end

  it("takes an unknown type with accounts under it for no lab", function()
    local tree = build { { id = 1, name = "Campus", account_type = "campus" }, lab(2, "L", 1) }
    assert.same({ 1 }, ids(tree.organisations))
    assert.same({ 2 }, ids(tree:labs()))
  end)

  it("takes the first of an account listed twice", function()
    local tree = build { organisation(1, "first"), lab(2, "L", 1), organisation(1, "second"), lab(2, "again", 1) }
    assert.equal("first", tree.by_id[1].name)
    assert.same({ 1 }, ids(tree.organisations))
    assert.same({ 2 }, ids(tree.by_id[1].labs))
  end)

  it("takes an id for the same as a number and as a text", function()
    local tree = build { organisation("1", "U"), lab("211", "A", 1), lab(3, "B", "1"), lab("211", "again", 1), lab("x", "C", "01") }
    assert.same({ "211", 3 }, ids(tree.by_id[1].labs))
    assert.same({ "x" }, ids(tree.orphans))
    for key, name in pairs { [211] = "A", ["211"] = "A", [3] = "B", ["3"] = "B", x = "C" } do
      assert.equal(name, tree:find(key).name)
    end
    assert.equal("A", tree.by_id[211.0].name)
    for _, id in ipairs { "01", "1.0", " 1", "0x1", 2, 1.5, "-1" } do assert.is_nil(tree.by_id[id]) end
  end)

  it("keeps accounts without an id apart", function()
    local tree = build { organisation(1, "U"), lab(nil, "A", 1), lab(nil, "B", 1), lab(1e300, "C", 1) }
    assert.equal(3, #tree:labs())
    assert.equal("U / B", tree:path(tree:labs()[2]))
    assert.equal("account 7", build({ lab(7) }):path(7))
    assert.equal(7, build({ lab(7) }):find("account 7").id)
    assert.matches("account without id", tostring(build { lab() }), 1, true)
    assert.is_string(tostring(tree))
    for _, node in ipairs(tree:labs()) do assert.equal(node, tree:find(node)) end
  end)

  it("is empty for no accounts", function()
    local tree = build {}
    assert.is_nil((tree:walk()()))
    assert.same({}, tree:labs())
    assert.equal("(no accounts)", tostring(tree))
    assert.equal("U (organisation 1)", tostring(build { organisation(1, "U") }))
    refusal(tree, "anything")
  end)
end)

describe("a circle in bad data", function()
  local circles = {
    { "an account in itself", { department(1, "A", 1) }, { { 1 } }, { 1 } },
    { "a lab of the reference's example, all ids 0", { lab(0, "string", 0, 0) }, { { 0 } }, { 0 } },
    { "two in each other", { department(1, "A", 2), department(2, "B", 1) }, { { 1, 2 } }, { 1, 2 } },
    { "three, with a lab below", { department(1, "A", 2), department(2, "B", 3), department(3, "C", 1), lab(4, "L", nil, 2) },
      { { 1, 2, 3 } }, { 1, 2, 3 } },
    { "one that is met from outside", { lab(4, "L", nil, 1), department(1, "A", 2), department(2, "B", 1) }, { { 1, 2 } }, { 1, 2 } },
    { "organisations", { { id = 1, name = "A", account_type = "organisation", organisation = 2 },
      { id = 2, name = "B", account_type = "organisation", organisation = 1 } }, { { 1, 2 } }, { 1, 2 } },
    { "two circles", { department(1, "A", 2), department(2, "B", 1), department(3, "C", 4), department(4, "D", 3) },
      { { 1, 2 }, { 3, 4 } }, { 1, 2, 3, 4 } },
  }
  for _, case in ipairs(circles) do
    it("is reported: " .. case[1], function()
      local tree, warnings = with_warnings(build, case[2])
      local found = {}
      for i, cycle in ipairs(tree.cycles) do found[i] = ids(cycle) end
      assert.same(case[3], found)
      assert.same(case[4], ids(tree.orphans))
      assert.equal(1, #warnings)
      assert.matches(case[2][#case[2]].name, warnings[1] .. "L", 1, true)
      local count = 0
      for node in tree:walk() do
        count = count + 1
        assert.is_string(tree:path(node))
      end
      assert.equal(#case[2], count)
      assert.is_string(tostring(tree))
    end)
  end

  it("does not hide the organisation of a lab that names itself as department", function()
    local tree, warnings = with_warnings(build, { organisation(1, "U"), lab(2, "L", 1, 2) })
    assert.equal(tree.by_id[1], tree.by_id[2].parent)
    assert.same({}, tree.orphans)
    assert.same({ 2 }, ids(tree.cycles[1]))
    assert.equal(1, #warnings)
  end)
end)

describe("tree:walk, labs, path, tostring", function()
  it("walks depth first", function()
    local seen = {}
    for node, depth in build(university()):walk() do seen[#seen + 1] = depth .. ":" .. node.id end
    assert.same({ "0:1", "1:20", "2:30", "2:31", "1:21", "2:32", "1:33", "0:2", "1:34", "0:40", "0:22", "1:35", "0:36" }, seen)
  end)

  it("lists labs at any depth, in the order of the walk", function()
    local tree = build(university())
    assert.same({ 30, 31, 32, 33, 34, 40, 35, 36 }, ids(tree:labs()))
    assert.same({ 30, 31, 32, 33 }, ids(tree:labs(1)))
    assert.same({ 30, 31 }, ids(tree:labs "Physics"))
    assert.same({ 35 }, ids(tree:labs(tree.by_id[22])))
    assert.same({ 40 }, ids(tree:labs "Solo"))
    assert.same({}, build({ organisation(1, "U") }):labs(1))
  end)

  it("never takes a missing key for every lab", function()
    local tree = build(university())
    local ok, err = pcall(tree.labs, tree, nil)
    assert.is_false(ok)
    assert.equal("argument", err.kind)
  end)

  it("prints paths that find takes back", function()
    local tree = build(university())
    assert.equal("University / Physics / Optics", tree:path(tree.by_id[30]))
    assert.equal("University", tree:path(1))
    for node in tree:walk() do
      assert.equal(node, tree:find(tree:path(node)))
      assert.equal(node, tree:find(tree:path(node):upper()))
    end
  end)

  it("draws itself", function()
    local accounts = university()
    accounts[#accounts + 1] = lab(41, "Bell\7\27[2J")
    assert.equal([[
University (organisation 1)
├── Physics (department 20)
│   ├── Optics (lab 30)
│   └── Lasers (lab 31)
├── Chemistry (department 21)
│   └── NMR / Spectra (lab 32)
└── Workshop (lab 33)
Institute (organisation 2)
└── Optics (lab 34)
Independent labs
├── Solo (lab 40)
└── Bell??[2J (lab 41)
Orphans (what they belong to is not visible)
├── Hidden above (department 22)
│   └── Below an orphan (lab 35)
└── Orphan (lab 36)]], tostring(build(accounts)))
  end)
end)

describe("tree:find", function()
  local accounts = university()
  table.move({
    lab(50, "50", 1), lab(51, "60", 1), lab(60, "Sixty", 1),           -- names made of digits
    lab(70, "Laser", 2), lab(71, "laser", 2), lab(72, "LASER", 1),
    department(80, "A / B", 1), lab(81, "C", 1, 80), department(82, "A", 1), lab(83, "B / C", 1, 82), lab(84, " / ", 1),
    { id = "key-9", name = "Text id", account_type = "lab" },
  }, 1, 12, #accounts + 1, accounts)
  local tree = build(accounts)

  local keys = {
    { 20, 20 }, { 20.0, 20 }, { "20", 20 }, { { id = 20 }, 20 }, { { id = "20" }, 20 }, { tree.by_id[20], 20 }, { "key-9", "key-9" },
    { "Physics", 20 }, { "physics", 20 }, { "PHYSICS", 20 }, { "University", 1 }, { "Lasers", 31 },
    { "University / Physics", 20 }, { "university / PHYSICS / optics", 30 }, { "Institute / Optics", 34 },
    { "NMR / Spectra", 32 }, { "nmr / spectra", 32 }, { "University / Chemistry / NMR / Spectra", 32 },
    { "50", 50 }, { "60", 60 }, { "University / 60", 51 },             -- an id goes before a name
    { "laser", 71 }, { "Laser", 70 }, { "LASER", 72 },                 -- exact goes before any case
    { "University / laser", 72 }, { "A / B", 80 }, { "B / C", 83 }, { " / ", 84 }, { "University /  / ", 84 },
  }
  for _, case in ipairs(keys) do
    it(("takes %s %s"):format(type(case[1]), tostring(case[1]):gsub("0x%x+", "")), function()
      assert.equal(case[2], tree:find(case[1]).id)
    end)
  end

  it("takes names and paths in any case of Latin, Greek and Cyrillic", function()
    local zurich = build { organisation(1, "Université de Zürich"), lab(2, "ΟΠΤΙΚΉΣ", 1), lab(3, "Лаборатория Ёлки", 1), lab(4, "Straße", 1) }
    for name, id in pairs {
      ["UNIVERSITÉ DE ZÜRICH"] = 1, ["οπτικής"] = 2, ["ЛАБОРАТОРИЯ ЁЛКИ"] = 3, ["STRASSE"] = 4,
      ["UNIVERSITÉ DE ZÜRICH / straSSe"] = 4, ["université de zürich / ЛАБОРАТОРИЯ ЁЛКИ"] = 3,
    } do
      assert.equal(id, zurich:find(name).id, name)
    end
    assert.matches("Université de Zürich", refusal(zurich, "UNIVERSITÉ DE ZÜRCH"), 1, true)
    refusal(zurich, "Universite de Zürich x")
  end)

  it("knows its nodes from accounts that look like them", function()
    local is_node = require("calira.accounts.tree").is_node
    local small = build { organisation(1, "U"), lab(2, "L", 1) }
    assert.is_true(is_node(small.by_id[1]) and is_node(small:find "L"))
    for _, other in ipairs { { id = 1, name = "U", labs = {}, departments = {} }, {}, 1, "U", true, setmetatable({}, { __index = small }) } do
      assert.is_false(is_node(other))
    end
    assert.is_false(is_node(nil))
  end)

  it("refuses to choose between namesakes", function()
    local message = refusal(tree, "Optics")
    assert.matches("University / Physics / Optics (lab 30)", message, 1, true)
    assert.matches("Institute / Optics (lab 34)", message, 1, true)
    assert.matches("2 accounts", message, 1, true)
    assert.matches("2 accounts", refusal(tree, "University / A / B / C"), 1, true)
    assert.matches("3 accounts", refusal(tree, "lAsEr"), 1, true)
  end)

  local unknown = {
    { "Phisics", "University / Physics (department 20)" },
    { "physic", "University / Physics (department 20)" },
    { "Universty / Physics", "University / Physics (department 20)" },
    { "Physics / Lasers", "University / Physics / Lasers (lab 31)" },
    { "Spectra", "University / Chemistry / NMR / Spectra (lab 32)" },
    { "nmr", "University / Chemistry / NMR / Spectra (lab 32)" },
    { "PHYS", "University / Physics (department 20)" },
    { "University / Physics / Laserz", "University / Physics / Lasers (lab 31)" },
  }
  for _, case in ipairs(unknown) do
    it(("names what is near %q"):format(case[1]), function()
      assert.matches(("%q; nearest: %s"):format(case[1], case[2]), refusal(tree, case[1]), 1, true)
    end)
  end

  it("finds a typo in one word of a longer name", function()
    local named = build { { id = 1, name = "University of Cambridge", account_type = "organisation" } }
    assert.matches("nearest: University of Cambridge (organisation 1)", refusal(named, "Univresity"), 1, true)
    assert.matches("nearest: University of Cambridge (organisation 1)", refusal(named, "of Cambrigde"), 1, true)
  end)

  it("measures the nearest as a plain computation of edit distances does", function()
    local function distance(a, b)
      local d = {}
      for i = 0, #a do
        d[i] = { [0] = i }
        for j = 1, #b do
          d[i][j] = i == 0 and j or math.min(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a:sub(i, i) == b:sub(j, j) and 0 or 1))
        end
        d[0][0] = 0
      end
      return d[#a][#b]
    end
    math.randomseed(11)
    local function word()
      local letters = {}
      for i = 1, math.random(1, 14) do letters[i] = string.char(96 + math.random(3)) end
      return table.concat(letters)
    end
    local met = 0                                                      -- pairs that are near
    for _ = 1, 3000 do
      local name = word()
      local key = math.random(2) == 1 and word() or name:gsub("%w", function(c) return math.random(4) == 1 and word():sub(1, 2) or c end)
      local limit = math.max(1, math.min(#key // 3, 4))
      if name ~= key and not (#key >= 3 and name:find(key, 1, true)) then
        local near = distance(key, name) <= limit
        local message = refusal(build { lab(1, name) }, key)
        assert.equal(near, message:find("nearest: ", 1, true) ~= nil, name .. " and " .. key)
        if near then met = met + 1 end
      end
    end
    assert.is_true(met > 300 and met < 2000)
  end)

  it("lists the nearest first, of namesakes one", function()
    local message = refusal(build { lab(1, "abcdexx"), lab(2, "abcdefx"), lab(3, "the abcdefg lab"), lab(4, "abcdefx") }, "abcdefg")
    assert.matches("nearest: the abcdefg lab (lab 3), abcdefx (lab 2), abcdexx (lab 1)", message, 1, true)
    assert.is_nil(message:find("lab 4", 1, true))
  end)

  for _, key in ipairs { "", "Phys", "sics", "Physics ", "Optic", "999", "-20", "0x14", "20.0", "2e1", "%", ".*", "/", "[[[", "%a+",
    "University / Lasers", "University - Physics / Optics" } do
    it(("never widens: %q"):format(key), function() refusal(tree, key) end)
  end

  it("refuses other keys", function()
    for _, key in ipairs { 999, 20.5, 0 / 0, math.huge, -1, true, {}, { id = 999 }, { id = "Physics" }, { name = "Physics" }, print,
      core.null } do
      refusal(tree, key)
    end
    refusal(tree)
    refusal(tree, nil)
  end)

  it("says so where nothing is near", function()
    assert.matches('"Astronomy", nor one with a name like it; there are: University (organisation 1)', refusal(tree, "Astronomy"), 1, true)
    assert.matches("tostring(calira.tree()) shows all", refusal(tree, "Observatory / Astronomy"), 1, true)
  end)

  it("shows what it could not take", function()
    assert.matches("got 20.5", refusal(tree, 20.5), 1, true)
    assert.matches("got boolean", refusal(tree, true), 1, true)
    assert.matches("id 999,", refusal(tree, 999), 1, true)
    assert.matches("id 998,", refusal(tree, { id = 998 }), 1, true)
  end)

  it("limits what a message lists", function()
    local five = {}
    for i = 1, 5 do five[i] = lab(i, "Lab") end
    assert.matches("called \"Lab\": Lab (lab 1), Lab (lab 2), Lab (lab 3), Lab (lab 4), Lab (lab 5)", refusal(build(five), "Lab"), 1, true)
    assert.is_nil(refusal(build(five), "Lab"):find("more", 1, true))
    local many = { organisation(1, "U") }
    for i = 2, 1000 do many[i] = lab(i, "Lab", 1) end
    local message = refusal(build(many), "Lab")
    assert.matches("999 accounts", message, 1, true)
    assert.matches("U / Lab (lab 6), 994 more", message, 1, true)
    assert.is_true(#message < 400)
    assert.is_true(#refusal(build(many), ("x"):rep(1000000)) < 500)
  end)

  it("takes an id of this tree from a node of another", function()
    assert.equal(tree.by_id[30], tree:find(build(university()).by_id[30]))
  end)
end)

describe("tree:missing", function()
  --- A client that answers from a table of details and records what is asked, when it is waited for and what is cancelled.
  local function client_of(details)
    local log = { asked = {}, waited = {}, cancelled = {}, most = 0 }
    function log:request(path)
      assert(self == log)
      table.insert(log.asked, path)
      log.most = math.max(log.most, #log.asked - #log.waited)
      return {
        wait = function()
          table.insert(log.waited, path)
          local record = details[path]
          if type(record) == "string" then error(record, 0) end
          return record or {}, "response"
        end,
        cancel = function() table.insert(log.cancelled, path) end,
      }
    end
    return log
  end

  it("finds the labs that only the details name", function()
    local client = client_of {
      ["/accounts/1"] = { labs = { { id = 33, name = "Workshop" }, { id = 90, name = "Unseen" }, { id = 91, name = "Both" } },
        departments = { { id = 23, name = "Unseen department" } } },
      ["/accounts/20"] = { labs = { { id = 30, name = "Optics" }, { id = 91, name = "Both" }, core.null, {} } },
      ["/accounts/22"] = { labs = { { id = 92, name = "Below an orphan too" }, { id = 92, name = "twice" } } },
    }
    local tree = build(university(), client)
    local labs = tree:missing()
    assert.same({ "/accounts/1", "/accounts/20", "/accounts/21", "/accounts/2", "/accounts/22" }, client.asked)
    assert.same({ 90, 91, 92 }, ids(labs))
    assert.equal("Unseen", labs[1].name)
    assert.equal(tree.by_id[1], labs[1].parent)
    assert.equal(tree.by_id[20], labs[2].parent)
    assert.equal(tree.by_id[22], labs[3].parent)
    assert.same({}, client.cancelled)
  end)

  it("keeps eight calls in flight, no more", function()
    local accounts = {}
    for i = 1, 30 do accounts[i] = organisation(i, "O" .. i) end
    accounts[31], accounts[32] = organisation(nil, "no id"), organisation(1e300, "no id either")
    local client = client_of {}
    build(accounts, client):missing()
    assert.equal(30, #client.asked)
    assert.same(client.asked, client.waited)
    assert.equal(8, client.most)
  end)

  it("raises what a call raises, and cancels the others", function()
    local accounts = {}
    for i = 1, 30 do accounts[i] = organisation(i, "O" .. i) end
    local client = client_of { ["/accounts/3"] = "refused" }
    local tree = build(accounts, client)
    assert.has_error(function() tree:missing() end, "refused")
    local cancelled = {}
    for _, path in ipairs(client.cancelled) do cancelled[path] = true end
    for i = 4, 10 do assert.is_true(cancelled["/accounts/" .. i]) end
    assert.equal(10, #client.asked)
  end)

  it("asks nothing where there are only labs", function()
    local client = client_of {}
    assert.same({}, build({ lab(1, "L") }, client):missing())
    assert.same({}, client.asked)
  end)
end)

describe("ten thousand accounts", function()
  local accounts = {}
  for o = 1, 10 do
    accounts[#accounts + 1] = organisation(o, "Organisation " .. o)
    for d = 1, 20 do
      local id = o * 100 + d
      accounts[#accounts + 1] = department(id, ("Department %d of %d"):format(d, o), o)
      for l = 1, 49 do accounts[#accounts + 1] = lab(id * 1000 + l, ("Laboratory %d-%d-%d"):format(o, d, l), o, id) end
    end
  end

  local function seconds(f, ...)
    local start = os.clock()
    f(...)
    return os.clock() - start
  end

  it("are built, walked, drawn and searched at once", function()
    local tree
    assert.is_true(seconds(function() tree = build(accounts) end) < 0.5)
    assert.is_true(seconds(function() assert.equal(9800, #tree:labs()) end) < 0.5)
    assert.is_true(seconds(tostring, tree) < 1)
    assert.is_true(seconds(function() assert.equal(101001, tree:find("laboratory 1-1-1").id) end) < 0.5)
    assert.is_true(seconds(function() for i = 1, 1000 do tree:find("Laboratory 3-7-" .. i % 49 + 1) end end) < 0.5)
    assert.is_true(seconds(refusal, tree, "Labratory 10-20-17") < 1)
    assert.is_true(seconds(refusal, tree, "Organisation 10 / Departmint 20 of 10 / Labratory 10-20-17") < 1)
  end)

  it("in one chain, or one circle, do no harm", function()
    local chain = {}
    for i = 1, 10000 do chain[i] = department(i, "D", i + 1) end
    local tree = build(chain)
    assert.same({ 10000 }, ids(tree.orphans))
    local deepest = 0
    for _, depth in tree:walk() do deepest = math.max(deepest, depth) end
    assert.equal(9999, deepest)
    assert.equal(9998, tree:find("D / D / D").id)
    assert.is_true(seconds(refusal, tree, "D") < 2)
    assert.is_true(seconds(refusal, tree, "D / E") < 2)
    chain[10000].organisation = 1
    local _, warnings = with_warnings(build, chain)
    assert.is_true(#warnings[1] < 100000)
  end)
end)
