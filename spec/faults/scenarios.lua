--- What memory.c, finalizers.c and interrupts.c disturb, at one point after the other. Each scenario is prepared undisturbed: it sets
-- `t.client`, `t.request` and mostly `t.list`, for hostile finalizers, and returns its work: a function that can be called again where
-- it was left by an error, and then reads on. What the work reads it notes in `t.seen`, without a call and without an allocation, so
-- that nothing comes between a record's delivery and its count.

local calira = require "calira"
local core = require "calira.core"

local t = {}

local ROOM <const> = 200

t.seen, t.noted = {}, 0
for i = 1, ROOM do t.seen[i] = false end

-- ── Clients ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local origin, ca

local count = 0

--- The base URL of faults whose counters nobody else has.
local function url(faults)
  count = count + 1
  local id = ("t%d-%d"):format(core.now() * 1e9 // 1, count)
  return ("%s/~id=%s;%s"):format(origin, id, faults)
end

local function new(faults, options)
  local all = {
    base_url = url(faults) .. "/v1", token = "sandbox-token", ca_file = ca, retries = 1,
    backoff = { base = 0, max = 0 }, timeout = 2,
  }
  for name, value in pairs(options or {}) do all[name] = value end
  return calira.new(all)
end

local function open(faults, options)
  t.client = new(faults, options)
  if options and options.token then return end -- what befalls the token is told to the work alone
  t.request = t.client:request "/bookings/12345"
end

-- ── Reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local function read(list)
  for b in list do
    t.noted = t.noted + 1
    t.seen[t.noted] = b.id
  end
end

--- What a call brought that should have been refused as `kind`, or may have come to its end before; raises any other error unchanged.
local function expect(kind, ok, err)
  if not ok and not (calira.is_error(err) and err.kind == kind) then error(err, 0) end
end

--- A scenario that reads one list.
local function reading(faults, options, client_options)
  return function()
    open(faults, client_options)
    t.list = t.client:bookings(options)
    return function() read(t.list) end
  end
end

--- A function that reads what `pages()` gave to its end.
local function reading_pages(next_page)
  return function()
    for _, records in next_page do
      for i = 1, #records do
        t.noted = t.noted + 1
        t.seen[t.noted] = records[i].id
      end
    end
  end
end

-- ── The scenarios ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local scenarios <const> = {}

scenarios.walk = reading("bookings=6", { provider = 102, per_page = 2 }, { trace = function() end })
scenarios.limit = reading("bookings=9", { provider = 102, per_page = 3, limit = 5, status = { "Confirmed", "Pending", "Completed" } })
scenarios.walk_without_totals = reading("bookings=5;total=none", { provider = 102, per_page = 2 })
scenarios.without_ids = reading("bookings=5;noid=2;total=none", { provider = 102, per_page = 2 })
scenarios.under_with_details = reading("large=2:3;labs=9001,9002", { under = 9000, details = true, per_page = 2 })
scenarios.unordered = reading("large=2:3;labs=9001,9002", { under = 9000, unordered = true, on_error = function() end, per_page = 2 })
scenarios.forms = reading("bookings=3", { provider = 102, per_page = 2, forms = true, equipment = true })
scenarios.exact = reading("bookings=5", { provider = 102, per_page = 2, exact = true })
scenarios.drift = reading("bookings=6;insert=2:0", { provider = 102, per_page = 2, strict = false })

function scenarios.pages()
  open "bookings=6"
  t.list = t.client:bookings { provider = 102, per_page = 2, where = function(b) return b.id > 0 end, on_page = function() end }
  t.fails = true
  return reading_pages(t.list:pages())
end

function scenarios.pages_in_parts()
  open "bookings=5"
  t.list = t.client:bookings { provider = 102, per_page = 3, details = true }
  return reading_pages(t.list:pages())
end

function scenarios.first()
  open "bookings=3"
  local lists = {}
  return function()
    for i = t.noted + 1, 3 do
      local list = lists[i] or t.client:bookings { provider = 102, per_page = 1, page = i }
      lists[i] = list
      local id = list:first().id
      t.noted, t.seen[i] = i, id
    end
  end
end

function scenarios.resume()
  open "bookings=6"
  t.list = t.client:bookings { provider = 102, per_page = 2, limit = 3 }
  local cursor, rest
  return function()
    if not cursor then
      read(t.list)
      cursor = t.list:cursor()
    end
    rest = rest or t.client:bookings { provider = 102, per_page = 2, resume = cursor }
    read(rest)
  end
end

function scenarios.run_and_gather()
  open "bookings=6"
  t.list = t.client:bookings { provider = 102, per_page = 2 }
  local other = t.client:bookings { provider = 105 }
  local function read_both()
    local task = calira.spawn(function()
      calira.sleep(0)
      read(t.list)
      return 7
    end)
    calira.gather { function() read(t.list) end, function() read(other) end }
    assert(task:wait() == 7)
    return "end"
  end
  return function() assert(calira.run(read_both) == "end") end
end

function scenarios.generator()
  open "bookings=5"
  t.list = t.client:bookings { provider = 102, per_page = 2 }
  local taken
  local function inner()
    for b in t.list do
      taken = taken + 1
      t.noted = t.noted + 1
      t.seen[t.noted] = b.id
      calira.sleep(0)
      coroutine.yield(b.id)
    end
  end
  local function outer()
    for id in calira.generator(inner) do coroutine.yield(id) end
  end
  return function()
    local passed = 0
    taken = 0
    for _ in calira.generator(outer) do passed = passed + 1 end
    assert(passed == taken, "a generator's record was lost")
  end
end

--- A generator whose records were taken from nobody: each is passed on once, or a read raises.
function scenarios.generated()
  t.fails = true
  open "bookings=1"
  local generator = calira.generator(function()
    for id = 12345, 12345 + 5 do
      coroutine.yield(id)
      calira.sleep(0)
    end
    return "end"
  end)
  return function()
    for id in generator.next, generator do -- not closed by an error
      t.noted = t.noted + 1
      t.seen[t.noted] = id
    end
    if t.noted < 6 then core.raise("closed", "an error has ended the generator's function") end
  end
end

function scenarios.token()
  local asked = 0
  t.fails = true
  open("bookings=4", { token = function()
    asked = asked + 1
    calira.sleep(0)
    return asked == 1 and "expired-" .. asked or "sandbox-token"
  end })
  t.list = t.client:bookings { provider = 102, per_page = 2 }
  return function() read(t.list) end
end

function scenarios.grant()
  t.fails = true
  local base = url "rotate=use;bookings=4"
  local kept = { refresh_token = "rt-0", access_token = "expired-0" }
  local oauth = {
    client_id = "c", client_secret = "s", refresh_token = "rt-0", token_url = base .. "/oauth/token",
    store = { load = function() return kept end, save = function(grant) kept = grant end },
  }
  t.client = calira.new { base_url = base .. "/v1", oauth = oauth, ca_file = ca, retries = 1, timeout = 2 }
  t.list = t.client:bookings { provider = 102, per_page = 2 }
  return function() read(t.list) end
end

function scenarios.limiter()
  t.fails = true
  open("bookings=4", { limiter = function() calira.sleep(0) end })
  t.list = t.client:bookings { provider = 102, per_page = 2 }
  return function() read(t.list) end
end

function scenarios.retries()
  open("bookings=4;fail=503:2;retry_after=0", { retries = 6 })
  t.list = t.client:bookings { provider = 102, per_page = 2 }
  return function() read(t.list) end
end

function scenarios.cancel()
  open "bookings=6"
  return function()
    local request, other = t.client:request "/bookings/12346", t.client:request "/bookings/12347"
    request:cancel()
    expect("cancelled", pcall(request.wait, request))
    local task = calira.spawn(function()
      for _ in t.client:bookings { provider = 102, per_page = 2 } do calira.sleep(0) end
    end)
    calira.step(0)
    task:cancel()
    expect("cancelled", pcall(task.wait, task))
    local id = other:wait().id
    t.noted, t.seen[1] = 1, id
  end
end

function scenarios.close()
  open "bookings=6"
  return function()
    do
      local list <close> = t.client:bookings { provider = 102, per_page = 2 }
      t.list = list
      list:next()
    end
    expect("closed", pcall(t.list.next, t.list))
    for _ in t.client:bookings { provider = 102, per_page = 2 } do break end -- luacheck: ignore 512
    local client <close> = new "bookings=6"
    local request, list = client:request "/bookings/12346", client:bookings { provider = 102, per_page = 2 }
    local id = list:first().id
    client:close()
    expect("closed", pcall(client.get, client, "/accounts"))
    expect("closed", pcall(list.next, list))
    request:cancel()
    t.noted, t.seen[1] = 1, id
  end
end

t.order = {}
for name in pairs(scenarios) do t.order[#t.order + 1] = name end
table.sort(t.order)

-- ── Hostile finalizers ────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- What a finalizer does in the middle of the work. `may`: kinds of error that the work may end with then; none of the others.
t.acts = {
  close_list = function() if t.list then t.list:close() end end,
  close_client = function() t.client:close() end,
  cancel = function() if t.request then t.request:cancel() end end,
  step = function() calira.step(0.001) end,
  request = function() t.kept = t.client:request "/accounts/101" end,
  get = function() t.client:get "/accounts/101" end,
  read = function()
    if not t.list then return end
    local b = t.list:next()
    if b then
      t.noted = t.noted + 1
      t.seen[t.noted] = b.id
    end
  end,
  run = function() calira.run(function() calira.sleep(0) end) end,
  fail = function() error "an error in a finalizer" end,
}
t.may = { close_list = { closed = true }, close_client = { closed = true, cancelled = true } }

t.act_names = {}
for name in pairs(t.acts) do t.act_names[#t.act_names + 1] = name end
table.sort(t.act_names)

--- Leaves garbage behind whose finalizer does `name`.
function t.arm(name)
  local act = t.acts[name]
  setmetatable({}, { __gc = function()
    t.ran()
    act()
  end })
end

--- An object whose finalizer does everything; kept, so that lua_close runs it.
local function last_of_all()
  return setmetatable({}, { __gc = function()
    for _, name in ipairs(t.act_names) do pcall(t.acts[name]) end
  end })
end

-- ── Checking ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Prepares a scenario. `wanted`: the ids that it notes when nothing disturbs it, or "".
function t.prepare(where, authority, name, wanted)
  origin, ca = where, authority
  t.wanted, t.before = {}, last_of_all()
  for id in wanted:gmatch "%S+" do t.wanted[id] = (t.wanted[id] or 0) + 1 end
  t.work = scenarios[name]()
  t.after = last_of_all()
end

--- The ids that were noted, as a text.
function t.ids()
  local ids = {}
  for i = 1, t.noted do ids[i] = tostring(t.seen[i]) end
  return table.concat(ids, " ")
end

--- Checks what was noted: each record once; all of them if `whole`.
function t.check(whole)
  local left = {}
  for id, times in pairs(t.wanted) do left[id] = times end
  for i = 1, t.noted do
    local id = tostring(t.seen[i])
    left[id] = (left[id] or 0) - 1
    if left[id] < 0 then error(("record %s came too often: %s"):format(id, t.ids()), 0) end
  end
  for id, times in pairs(left) do
    if whole and times > 0 then error(("record %s is missing: %s"):format(id, t.ids()), 0) end
  end
end

--- Reads on after an error: to the end; or, where it was the library's own or the scenario `fails` for good by any (one that waits for a
-- token, or has functions of the user's), to such an error. Checks what came.
function t.read_on(err)
  local ours = calira.is_error(err)
  local ok, again = pcall(t.work)
  if ok then return t.check(true) end
  if not ours and not t.fails then error("reading on does not work: " .. tostring(again), 0) end
  if not calira.is_error(again) then error("reading on after an error: " .. tostring(again), 0) end
  t.check(false)
end

--- What has to work whatever was before: a call of the same client, unless that was closed, and a list of another one.
function t.prove()
  t.work = nil
  local open_still, request = pcall(t.client.request, t.client, "/accounts")
  if open_still then
    local ok, accounts = pcall(request.wait, request)
    if not ok then error("a call afterwards: " .. tostring(accounts), 0) end
    assert(#accounts > 0)
  end
  local client = new "bookings=3"
  local ids = {}
  for b in client:bookings { provider = 102, per_page = 2 } do ids[#ids + 1] = b.id end
  assert(table.concat(ids, " ") == "12345 12346 12347", "records missing afterwards")
  assert(calira.run(function() return client:account(101).id end) == 101)
end

return t
