--- Every combination of the options that decide what is asked when: each record once, or an error, within a number of calls that is stated
-- here; a hang is a failure. CONTRACT sections 5 and 8.

local calira = require "calira"
local helper = require "spec.support.helper"

local PER_PAGE <const>, LIMIT <const>, WATCHDOG <const> = 5, 17, 10
local LABS <const> = { [112] = 9, [104] = 0, [117] = 14, [105] = 1, [122] = 19 } -- lab → bookings
local ORDER <const> = { 112, 104, 117, 105, 122 }
local WRONG <const> = 3

--- Scenario, what a total claims beyond the truth (nil: there are none).
local TOTALS <const> = { right = { "", 0 }, none = { "total=none" }, wrong = { "total=%2B" .. WRONG, WRONG } }

local function pages_of(records) return math.max((records + PER_PAGE - 1) // PER_PAGE, 1) end

--- The most calls that reading a lab to its end may take: its pages, as often as they are read, and two more where the server does not
-- say how many there are, or says it wrongly: to see that nothing follows.
local function most_calls(records, totals, exact)
  local claimed = TOTALS[totals][2]
  local passes = exact and (totals == "wrong" and 8 or 2) or totals == "wrong" and 2 or 1
  return passes * (pages_of(records + (claimed or 0)) + (claimed == 0 and 0 or 2))
end

--- Pages that a limit needs, read lab by lab.
local function pages_within(labs, limit)
  local pages = 0
  for _, lab in ipairs(labs) do
    if limit <= 0 then break end
    local records = math.min(LABS[lab], limit)
    pages, limit = pages + pages_of(records), limit - LABS[lab]
  end
  return pages
end

--- Calls f in a task; a failure after so many seconds.
local function watched(f)
  return calira.run(function()
    local task = calira.spawn(f)
    local watchdog = calira.spawn(function()
      calira.sleep(WATCHDOG)
      task:cancel()
    end)
    local ok, result = pcall(task.wait, task)
    watchdog:cancel()
    if not ok then error(result, 0) end
    return result
  end)
end

local function read(list)
  local ids = {}
  local ok, err = pcall(function()
    for b in list do ids[#ids + 1] = b.id end
  end)
  return { ids = ids, err = not ok and err or nil }
end

local function each_once(ids, expected, what)
  local seen = {}
  for _, id in ipairs(ids) do
    assert(expected[id] and not seen[id], what .. ": twice or not its own: " .. tostring(id))
    seen[id] = true
  end
end

local function check(case, what, result, calls, expected)
  local records, most, labs = 0, 0, case.under and ORDER or { 122 }
  for _, lab in ipairs(labs) do
    records = records + LABS[lab]
    most = most + most_calls(LABS[lab], case.totals, case.exact)
  end
  local wanted = math.min(case.limit or records, records)
  each_once(result.ids, expected, what)
  if case.exact and case.totals == "wrong" then
    assert(result.err and result.err.kind == "drift", what .. ": no drift error")
  else
    assert(not result.err, what .. ": " .. tostring(result.err))
    assert(#result.ids == wanted, ("%s: %d of %d records"):format(what, #result.ids, wanted))
  end
  if case.totals == "right" and not case.exact and not case.unordered then
    most = case.limit and pages_within(labs, case.limit) or most
  end
  -- details: one each; in any order, those of the window may be asked for when the limit is reached
  local details = case.details and wanted + (case.limit and case.unordered and case.most - 1 or 0) or 0
  assert(calls <= most + details, ("%s: %d calls, at most %d + %d"):format(what, calls, most, details))
  if not case.limit and not case.exact and case.totals == "right" then
    assert(calls == most + details, ("%s: %d calls, not %d + %d"):format(what, calls, most, details))
  end
end

local function text_of(case)
  local parts = {}
  for name, value in pairs(case) do parts[#parts + 1] = name .. "=" .. tostring(value) end
  table.sort(parts)
  return table.concat(parts, " ")
end

describe("every combination", function()
  local node, expected = nil, { under = {}, plain = {} }
  setup(function()
    local client = helper.client()
    local tree = client:tree()
    node = tree:find(211)
    node.departments, node.labs = {}, {}
    for i, lab in ipairs(ORDER) do node.labs[i] = tree:find(lab) end
    for _, lab in ipairs(ORDER) do
      for b in client:bookings { provider = lab } do
        expected.under[b.id] = true
        expected.plain[b.id] = lab == 122 or nil
      end
    end
  end)

  --- All cases of some options: the product of the values of each.
  local function product(fixed, axes, place, found)
    local axis = axes[place]
    if not axis then
      local case = {}
      for name, value in pairs(fixed) do case[name] = value end
      found[#found + 1] = case
      return found
    end
    for _, value in ipairs(axis[2]) do
      fixed[axis[1]] = value ~= "unset" and value or nil
      product(fixed, axes, place + 1, found)
    end
    fixed[axis[1]] = nil
    return found
  end

  for totals, scenario in pairs(TOTALS) do
    for _, most in ipairs { 1, 2, 8 } do
      it(("with %s totals and %d in flight"):format(totals, most), function()
        local client = helper.client(scenario[1], { max_in_flight = most })
        local cases = product({ totals = totals, most = most }, {
          { "unordered", { false, true } }, { "details", { false, true } }, { "under", { false, true } }, { "exact", { false, true } },
          { "limit", { "unset", LIMIT } }, { "lookahead", { 0, 1, 4, "unset" } },
        }, 1, {})
        assert.equal(2 ^ 5 * 4, #cases)
        for _, case in ipairs(cases) do
          local options = {
            per_page = PER_PAGE, unordered = case.unordered, details = case.details, exact = case.exact, limit = case.limit,
            lookahead = case.lookahead, under = case.under and node or nil, provider = not case.under and 122 or nil,
          }
          local what = text_of(case)
          if case.unordered and not (case.under or case.details) then
            assert.equal("argument", helper.failure(client.bookings, client, options).kind, what)
          else
            local before = client:stats().calls
            local list = client:bookings(options)
            local ok, result = pcall(watched, function() return read(list) end)
            assert(ok, what .. ": it hangs, or " .. tostring(result))
            check(case, what, result, client:stats().calls - before, case.under and expected.under or expected.plain)
            assert.equal(0, client:stats().in_flight, what)
          end
        end
      end)
    end
  end
end)
