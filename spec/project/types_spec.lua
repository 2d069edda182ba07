--- lua/calira/types.lua says what the module has, no more and no less, and knows every field of the API reference's examples.

local calira = require "calira"
local cjson = require "cjson"
local core = require "calira.core"
local helper = require "spec.support.helper"
local routes = require "calira.api.routes"

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

local TYPES <const> = read "lua/calira/types.lua"

--- Classes by name: `fields` (name → type), `parents`, `methods` (a set), `exact`, `call` (what calling it gives).
local classes = {}
do
  local current
  local variables = {}                                    -- local variable → class
  for line in TYPES:gmatch "[^\n]+" do
    local plain, exact = line:gsub("^(%-%-%-@class )%(exact%) ", "%1")
    local class, parents = plain:match "^%-%-%-@class ([%w._]+):?%s*(.*)$"
    if class then
      current = { name = class, fields = {}, parents = {}, methods = {}, exact = exact == 1 }
      classes[class] = current
      for parent in parents:gmatch "[%w._]+" do current.parents[#current.parents + 1] = parent end
    end
    local call = line:match "^%-%-%-@overload fun%(%): (.+)$"
    if call and current then current.call = call end
    local field, optional, rest = line:match "^%-%-%-@field ([%w_]+)(%??) (.+)$"
    if field then current.fields[field] = optional .. rest end
    local variable = line:match "^local (%w+) = {}" or line:match "^(calira%.%w+) = {}"
    if variable then variables[variable] = current end
    local owner, name = line:match "^function ([%w.]+)[.:]([%w_]+)%("
    local class_of = owner and assert(variables[owner], owner)
    if class_of then class_of.methods[name] = true end
  end
end

--- All fields of a class, its parents' included.
local function fields_of(name)
  local class, all = assert(classes[name], name), {}
  for _, parent in ipairs(class.parents) do
    for field, kind in pairs(fields_of(parent)) do all[field] = kind end
  end
  for field, kind in pairs(class.fields) do all[field] = kind end
  return all
end

local function names(map, test)
  local list = {}
  for name, value in pairs(map) do
    if not test or test(value, name) then list[#list + 1] = name end
  end
  table.sort(list)
  return list
end

--- What a call accepts, as its own message about an unknown option says.
local function accepted(f, ...)
  local err = helper.failure(f, ...)
  local list = {}
  for name in assert(err.message:match "there are: (.*)$", err.message):gmatch "[%w_]+" do list[#list + 1] = name end
  table.sort(list)
  return list
end

local BAD <const> = { no_such_option = true }

describe("types.lua", function()
  it("is Lua, and has the module's functions", function()
    local stub = assert(load(TYPES, "@types.lua"))()
    local function is_function(value) return type(value) == "function" end
    assert.same(names(calira, is_function), names(stub, is_function))
    assert.same(names(calira.oauth), names(stub.oauth))
    assert.same(names(calira.limits), names(stub.limits))
    local rest = names(calira, function(value) return type(value) ~= "function" end)
    assert.same(rest, names(classes.calira.fields))
  end)

  it("has a client's methods", function()
    assert.same(names(core.client_methods), names(classes["calira.Client"].methods))
    for name in pairs(routes.lists) do assert.is_true(classes["calira.Client"].methods[name], name) end
    for name in pairs(routes.records) do assert.is_true(classes["calira.Client"].methods[name], name) end
  end)

  it("has the methods of what calls return", function()
    local client <close> = helper.client()
    local list <close> = client:accounts()
    local request = client:request "/accounts"
    local _, response = request:wait()
    local tree = client:tree()
    local task = calira.spawn(function() end)
    local generator = calira.generator(function() end)
    local objects = { List = list, Request = request, Response = response, Tree = tree, Task = task, Generator = generator }
    for name, object in pairs(objects) do
      for method in pairs(classes["calira." .. name].methods) do
        assert.equal("function", type(object[method]), ("%s:%s"):format(name, method))
      end
    end
    for name, object in pairs { Tree = tree, Task = task, Generator = generator } do
      local own = names(getmetatable(object).__index, function(_, method) return not method:find "^_" end)
      assert.same(own, names(classes["calira." .. name].methods))
    end
    task:wait()
  end)

  it("has the methods of a list for every kind of record, and the values of a loop", function()
    local count = 0
    for name, class in pairs(classes) do
      if class.parents[1] == "calira.List" then
        assert.same({ "collect", "first", "next", "pages" }, names(class.fields), name)
        assert.equal(name:gsub("List$", "") .. ", calira.Node?", class.call)
        count = count + 1
      end
    end
    assert.equal(6, count)
    for _, name in ipairs { "List", "Pages", "Generator" } do assert.is_truthy(classes["calira." .. name].call, name) end
  end)

  it("has the modules beside it", function()
    for _, name in ipairs { "calira.adapters", "calira.adapters.cqueues", "calira.adapters.luv" } do
      assert.same(names((require(name))), names(classes[name].methods))
    end
  end)

  it("says the four values of what a loop takes", function()
    local client <close> = helper.client()
    local returns = {}
    local count = 0
    for line in TYPES:gmatch "[^\n]*" do
      local kind = line:match "^%-%-%-@return (%S+)"
      local owner, method = line:match "^function ([%w.]+)[.:]([%w_]+)%("
      if kind then
        returns[#returns + 1] = kind
      elseif owner then
        local looped = returns[1] and (returns[1]:find "List$" or returns[1] == "calira.Generator" or returns[1] == "calira.Pages")
        if looped then
          assert.same({ returns[1], "nil", "nil", returns[1] }, returns, method)
          count = count + 1
        end
        returns = {}
      end
    end
    assert.equal(2 * 7 + 2, count)                          -- of the client and of the module; generator, pages
    assert.equal(4, select("#", client:accounts()))
    assert.equal(4, select("#", client:list "/accounts"))
    assert.equal(4, select("#", client:accounts():pages()))
    assert.equal(4, select("#", calira.generator(function() end)))
  end)

  it("is closed where options are taken, so that editors find a wrong name", function()
    for name, class in pairs(classes) do
      local options = name:find "Options$" ~= nil or name == "calira.Backoff" or name == "calira.OAuth"
      assert.equal(options, class.exact, name)
    end
  end)

  it("names the parameters of every function", function()
    local described, count = {}, 0
    for line in TYPES:gmatch "[^\n]*" do
      local name = line:match "^%-%-%-@param ([%w_.]+)"
      local full, parameters = line:match "^function ([%w.:_]+)%((.-)%)"
      if name then
        described[#described + 1] = name
      elseif full then
        assert.equal(parameters, table.concat(described, ", "), full)
        described, count = {}, count + 1
      end
    end
    assert.is_true(count > 80)
  end)

  it("has a client's options", function()
    assert.same(accepted(calira.new, BAD), names(fields_of "calira.ClientOptions"))
    assert.same(accepted(calira.new, { token = "t", backoff = BAD }), names(fields_of "calira.Backoff"))
    assert.same(accepted(calira.new, { oauth = BAD }), names(fields_of "calira.OAuth"))
    assert.same(accepted(calira.oauth.authorize_url, BAD), names(fields_of "calira.AuthorizeOptions"))
    assert.same(accepted(calira.oauth.exchange, BAD), names(fields_of "calira.ExchangeOptions"))
    assert.same(accepted(calira.oauth.postgres_store, BAD), names(fields_of "calira.PostgresStoreOptions"))
  end)

  it("has the options of every list", function()
    local client <close> = helper.client()
    for name, route in pairs(routes.lists) do
      local class = "calira." .. name:gsub("^%l", string.upper):gsub("_(%l)", string.upper) .. "Options"
      local arguments = route.path:find("{id}", 1, true) and { 1, BAD } or { BAD }
      assert.same(accepted(client[name], client, table.unpack(arguments)), names(fields_of(class)), name)
      local own = TYPES:match(("\n\n([^\n]*\n[^\f]-)\nfunction Client:%s%%("):format(name)):match ".*\n\n(.*)$"
      assert.is_truthy(own:find(("@param options%%?? %s%%f[%%s]"):format(class)), own)
    end
    assert.same(accepted(client.list, client, "/accounts", nil, BAD), names(fields_of "calira.ListOptions"))
  end)

  it("has the fields of what the library makes", function()
    local function check(object, class)
      local fields = fields_of(class)
      for name in pairs(object) do assert.is_truthy(fields[name], ("%s has no field %s"):format(class, name)) end
    end
    local client <close> = helper.client("fail=503:3", { trace = function(event) check(event, "calira.Event") end })
    local list = client:bookings { provider = 102, on_page = function(page) check(page, "calira.Page") end }
    list:collect()
    check(list:report(), "calira.Report")
    local across = client:bookings { under = "Faculty of Physics", details = true, status = "Confirmed" }
    across:collect()
    check(across:report(), "calira.Report")
    check(client:stats(), "calira.Stats")
    local rated <close> = helper.client("", { rate = 100 })
    assert.same(names(rated:stats()), names(fields_of "calira.Stats"))
    check(helper.failure(client.booking, client, 7), "calira.Error")
    local tree = client:tree()
    check(tree:find(102), "calira.Node")
    for name in pairs(fields_of "calira.Tree") do assert.equal("table", type(tree[name]), name) end
    local _, response = client:get "/accounts"
    for name in pairs(fields_of "calira.Response") do assert.is_truthy(response[name], name) end
  end)

  -- ── Records ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  local RECORDS <const> = {
    account = "Account", accounts = "AccountSummary", booking = "Booking", bookings = "BookingSummary",
    custom_form_response = "FormResponse", equipment = "EquipmentSummary", equipment_bookings = "EquipmentBooking",
    equipment_item = "Equipment", group = "Group", groups = "GroupSummary", project = "Project", projects = "ProjectSummary",
  }

  --- Holds a value against a type as it is written: `integer`, `calira.Note`, `calira.Reference[]`, `a|b`.
  local function check(value, kind, where)
    local optional, text = kind:match "^(%??)(%S+)"
    if value == cjson.null then return assert.equal("?", optional, where .. " may be null") end
    for one in text:gmatch "[^|]+" do
      local class, array = one:match "^(calira%.%w+)(%[?%]?)$"
      local alias = class and not classes[class]
      if alias then assert.is_truthy(TYPES:find("@alias " .. class, 1, true), class) end
      if class and not alias and type(value) == "table" then
        for index, element in ipairs(array ~= "" and value or { value }) do
          local fields = fields_of(class)
          for name, inner in pairs(element) do
            local path = ("%s[%d].%s"):format(where, index, name)
            check(inner, assert(fields[name], path .. " is not in " .. class), path)
          end
        end
        return
      end
      if type(value) == "number" and (one == "number" or one == "integer" and math.tointeger(value)) then return end
      if type(value) == "boolean" and one == "boolean" then return end
      if type(value) == "string" and (one == "string" or alias) then return end
      if type(value) == "table" and one == "string[]" then return end
    end
    error(("%s is no %s"):format(where, text))
  end

  it("has the fields of every example of the reference", function()
    local files <close> = assert(io.popen "ls spec/data/*.json")
    local count = 0
    for path in files:lines() do
      local name = path:match "([%w_]+)%.json$"
      local class = "calira." .. assert(RECORDS[name], path)
      local example = cjson.decode(read(path))
      check(example, "?" .. class .. (#example > 0 and "[]" or ""), name)
      count = count + 1
    end
    assert.equal(12, count)
  end)

  it("has the fields of the sandbox's full records", function()
    local client <close> = helper.client()
    local booking = client:bookings({ provider = 102, forms = true, equipment = true }):first()
    check(booking, "calira.Booking", "booking")
    check(client:equipment({ account = 102, details = true }):first(), "calira.Equipment", "equipment")
    check(client:projects({ account = 101, details = true }):first(), "calira.Project", "project")
    check(client:groups({ account = 101, details = true }):first(), "calira.Group", "group")
    check(client:accounts({ details = true }):first(), "calira.Account", "account")
    check(client:equipment_bookings(1):first(), "calira.EquipmentBooking", "equipment booking")
  end)

  it("names no class that is not there", function()
    for name in TYPES:gmatch "calira%.%u%w*" do
      assert.is_true(classes[name] ~= nil or TYPES:find("@alias " .. name .. " ", 1, true) ~= nil, name)
    end
  end)
end)
