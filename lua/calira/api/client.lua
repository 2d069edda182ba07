--- The client's calls: methods made out of the routes, on the userdata of the C module. What a call asks is checked here, before
-- anything is sent; how lists are put together is in lists.lua.

local core <const> = require "calira.core"
local lazy <const> = require "calira.values.lazy"
local lists <const> = lazy "calira.lists"
local oauth <const> = lazy "calira.oauth"
local options <const> = require "calira.values.options"
local routes <const> = require "calira.api.routes"
local shard <const> = lazy "calira.accounts.shard"
local supply <const> = lazy "calira.tasks.supply"
local tree <const> = lazy "calira.accounts.tree"

local M = {}

local kind <const> = options.kind

-- ── Making a client ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

local function token(value)
  if type(value) == "function" then return value end
  if type(value) == "string" and value:find("^[\x21-\x7e]+$") then return value end
  -- never shown: it may be a token with a line break at its end
  core.raise("argument", "option token takes a function, or a text without white space and control characters")
end

--- What shares a limit: a table with `attach(self, rate)`, which returns a limiter and what is to be told the trace's events.
local function limits(value)
  return type(value) == "table" and value.attach and value or nil, "what calira.limits.postgres{…} returns"
end

local BACKOFF <const> = { base = kind.seconds(0), max = kind.seconds(0) }

local CLIENT <const> = {
  base_url = kind.text, token = token, oauth = kind.secret(kind.table),
  timeout = kind.seconds(0, 0), connect_timeout = kind.seconds(0, 0), deadline = kind.seconds(0, 0),
  retries = kind.whole(0, 100), backoff = function(value) return options.check(value, BACKOFF, "backoff") end,
  max_wait = kind.seconds(0), max_in_flight = kind.whole(1, 1000), rate = kind.positive,
  lookahead = kind.whole(0, 64), adaptive = kind.boolean, limiter = kind.callable, limits = kind.secret(limits),
  max_body = kind.whole(1, 1 << 40), strict = kind.boolean, user_agent = kind.text_or_none,
  proxy = kind.secret(kind.text_or_none),
  ca_file = kind.text, ca_path = kind.text, insecure = kind.boolean, allow_http = kind.boolean, trace = kind.callable,
}

local DEFAULTS <const> = {
  base_url = "https://api.clustermarket.com/v1", user_agent = "calira/" .. core.version, max_in_flight = 8,
  adaptive = true, strict = true,
}

--- What CALIRA_TRACE=1 does: a line on stderr for each event.
local function print_event(event)
  local parts = { "calira: " .. event.event }
  for _, name in ipairs { "method", "path", "attempt", "status", "verdict", "seconds", "limit", "rate", "message" } do
    if event[name] then
      local value = event[name]
      if math.type(value) == "float" then value = ("%.3f"):format(value) end
      parts[#parts + 1] = (name == "method" or name == "path") and value or name .. "=" .. tostring(value)
    end
  end
  io.stderr:write(table.concat(parts, " "), "\n")
end

--- Calls one function after the other, either of which may be missing.
local function both(first, second)
  if not (first and second) then return first or second end
  return function(...)
    first(...)
    second(...)
  end
end

--- A shared limit asks before each call and hears of each answer; it keeps the rate for all, so the client has none of its own.
local function share_limits(checked)
  local limiter, hear = checked.limits:attach(checked.rate)
  checked.limiter, checked.trace = both(checked.limiter, limiter), both(hear, checked.trace)
  checked.rate = nil
end

--- Makes a client. CONTRACT section 2 lists the options.
---@param given table
---@return userdata client; raises kind `argument`. Sends nothing.
function M.new(given)
  local checked = options.check(given, CLIENT, "a client")
  for name, value in pairs(DEFAULTS) do
    if checked[name] == nil then checked[name] = value end
  end
  local backoff = checked.backoff or {}
  checked.backoff_base, checked.backoff_max, checked.backoff = backoff.base or 0.5, backoff.max or 30, nil
  local provider = type(checked.token) == "function" and oauth.function_provider(checked.token) or nil
  if checked.oauth then
    if checked.token then core.raise("argument", "a client takes token or oauth, not both") end
    provider = oauth.provider(checked.oauth, checked, routes.lists.accounts.path)
  end
  if provider then checked.token, checked.token_from_lua, checked.oauth = nil, true, nil end
  if not checked.token and not provider then
    core.raise("argument", "a client takes a token, or oauth (and calira.default() takes them from the environment)")
  end
  if not checked.trace and os.getenv "CALIRA_TRACE" == "1" then checked.trace = print_event end
  if checked.limits then share_limits(checked) end
  local limiter = checked.limiter
  checked.limiter = limiter and true or nil
  local client = core.client(checked)
  if limiter then supply.limit(client, limiter) end
  if provider then oauth.attach(client, provider) end
  return client
end

-- ── Checking calls ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local function check_self(client, name)
  if not core.is_client(client) then
    core.raise("argument", ("on a client, methods take a colon: client:%s(…)"):format(name))
  end
end

local LIST <const> = {
  per_page = kind.whole(1, 100), page = kind.whole(1, 1 << 40), limit = kind.whole(0, math.maxinteger),
  lookahead = kind.whole(0, 64), params = kind.table, strict = kind.boolean, exact = kind.boolean, resume = kind.any,
  where = kind.callable, on_page = kind.callable,
}
local DETAILED <const> = { details = kind.boolean, unordered = kind.boolean }
local DATED <const> = {
  from = kind.any, to = kind.any, status = kind.any, except_status = kind.any, forms = kind.boolean, equipment = kind.boolean,
}
local TYPED <const> = { booking_type = kind.any }
local UNDER <const> = { under = kind.any, on_error = kind.callable, shard = function(value) return shard.read(value) end }

local function add(to, from)
  for name, value in pairs(from or {}) do to[name] = value end
end

--- An account as an option: an id. A word without a digit is one by the rules for paths, but surely meant as a name.
local function account_id(value)
  local id = kind.id(value)
  if type(value) == "string" and not value:find "%d" then id = nil end
  return id, "an id; for an account's name use under = name"
end

--- The options that a list call takes.
local function kinds_of(route)
  local kinds = {}
  add(kinds, LIST)
  if route.one then add(kinds, DETAILED) end
  if route.dated then add(kinds, DATED) end
  if route.typed then add(kinds, TYPED) end
  if route.under then
    add(kinds, UNDER)
    kinds[route.under] = account_id
  end
  if route.shared then kinds.shard = function(value) return shard.read(value) end end
  for name in pairs(route.flags or {}) do kinds[name] = kind.boolean end
  return kinds
end

--- Query parameters that `params` may not set → what sets them.
local function reserved_of(route)
  local reserved = { page = "option page", per_page = "option per_page" }
  for name, parameter in pairs(route.parameters or {}) do reserved[parameter] = "option " .. name end
  for name, parameter in pairs(route.flags or {}) do reserved[parameter] = "option " .. name end
  return reserved
end

--- The parameters of a list call as a query array.
local function query_of(route, what, given, reserved)
  local query = {}
  for name, parameter in pairs(route.parameters or {}) do query[parameter] = given[name] end
  for name, parameter in pairs(route.flags or {}) do query[parameter] = given[name] end
  local named, further = options.query(query, what), options.query(given.params, what, reserved)
  return table.move(further, 1, #further, #named + 1, named)
end

local function fill_path(path, arguments)
  return (path:gsub("{(%w+)}", arguments))
end

--- Refuses options that would have no effect.
local function check_together(route, what, given)
  local function refuse(message) core.raise("argument", what .. ": " .. message) end
  local under = given.under ~= nil
  if under and given[route.under] ~= nil then refuse(("under and %s do not go together"):format(route.under)) end
  if given.on_error and not under then refuse "on_error goes with under" end
  if given.shard and not under and not route.shared then refuse "shard goes with under" end
  if given.unordered and not (under or given.details or given.forms or given.equipment) then
    refuse(route.under and "unordered goes with under or details" or "unordered goes with details")
  end
end

-- ── Lists ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- What lists.lua needs to know of a call.
local function call_of(route, what, given, arguments, reserved)
  local call = {
    path = fill_path(route.path, arguments), query = query_of(route, what, given, reserved), scope = route.scope,
    one = routes.records[route.one], routes = routes.records, account = arguments.account,
  }
  if given.under ~= nil then
    call.under, call.every_account = given.under, route.accounts
    function call.address(id)
      local own = { [route.under] = id, params = given.params, exclude_parents = given.exclude_parents }
      return fill_path(route.path, { account = id }), query_of(route, what, own, reserved)
    end
  end
  return call
end

--- `bookings{…}` and the like.
local function list_method(name, route)
  local kinds, reserved = kinds_of(route), reserved_of(route)
  local takes_id = route.path:find("{id}", 1, true)
  return function(client, ...)
    check_self(client, name)
    local arguments, given = {}, ...
    if takes_id then
      arguments.id = options.check_id(given, name)
      given = select(2, ...)
    elseif given ~= nil and type(given) ~= "table" then
      core.raise("argument", ("%s takes a table of options (got %s); one record is %s(id)")
        :format(name, tostring(given), route.one))
    end
    given = options.check(given, kinds, name)
    check_together(route, name, given)
    if route.accounts then
      if given.under == nil and given.account == nil then
        core.raise("argument", ("%s takes one of the options account and under"):format(name))
      end
      arguments.account = given.account
    end
    return lists.open(client, call_of(route, name, given, arguments, reserved), given)
  end
end

-- ── Records ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local function looks_like_options(value)
  return type(value) == "table" and value.id == nil
end

--- `booking(id)` and the like: the record alone.
local function record_method(name, route)
  local takes_account = route.path:find("{account}", 1, true)
  return function(client, ...)
    check_self(client, name)
    local account, id = nil, ...
    if takes_account then account, id = ... end
    if route.many and (looks_like_options(id) or looks_like_options(account)) then
      core.raise("argument", ("%s takes an id; a list is %s{…}"):format(name, route.many))
    end
    local path = fill_path(route.path, {
      account = takes_account and options.check_id(account, name) or nil, id = options.check_id(id, name, route.id),
    })
    return (core.get(client, path, nil, route.scope, true))
  end
end

-- ── The methods ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local methods <const> = core.client_methods

for name, route in pairs(routes.lists) do methods[name] = list_method(name, route) end
for name, route in pairs(routes.records) do
  if not methods[name] then methods[name] = record_method(name, route) end
end

local list_equipment <const>, one_equipment <const> = methods.equipment, record_method("equipment", routes.records.equipment)

--- `equipment{…}` is a list, `equipment(id)` or of a table with a field `id` one record.
function methods.equipment(client, ...)
  check_self(client, "equipment")
  local argument = ...
  if select("#", ...) > 0 and argument == nil then
    core.raise("argument", "equipment(nil): an id is one instrument, equipment{…} or equipment() is the list of them")
  end
  if argument == nil or looks_like_options(argument) then return list_equipment(client, ...) end
  return one_equipment(client, ...)
end

local function check_path(path, what)
  if type(path) ~= "string" then core.raise("argument", ("%s takes a path (got %s)"):format(what, tostring(path))) end
  core.check_path(path)
  return path
end

--- Any path: the decoded body and the response. May wait; raises as every call does.
function methods.get(client, path, query)
  check_self(client, "get")
  return core.get(client, check_path(path, "get"), options.query(query, "get"))
end

--- `get` without waiting: a request with `wait()`, `done()`, `cancel()`.
function methods.request(client, path, query)
  check_self(client, "request")
  return core.request(client, check_path(path, "request"), options.query(query, "request"))
end

--- The list at any path.
function methods.list(client, path, query, given)
  check_self(client, "list")
  given = options.check(given, LIST, "list")
  local reserved = reserved_of {}
  local named, further = options.query(query, "list", reserved), options.query(given.params, "list", reserved)
  table.move(further, 1, #further, #named + 1, named)
  check_path(path, "list")
  return lists.open(client, { path = path, query = named, routes = routes.records }, given)
end

--- The hierarchy of accounts, read anew. May wait.
function methods.tree(client)
  check_self(client, "tree")
  local list <close> = client:accounts()
  return tree.build(list:collect(), client)
end

--- The names of the client's methods, for the module's own functions of the same names.
M.methods = methods

return M
