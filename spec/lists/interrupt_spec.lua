--- An interrupt (a hook's error, such as Ctrl-C) at any moment of reading: it passes through unchanged, is taken for nobody's failure, and
-- reading on afterwards brings every record exactly once. CONTRACT sections 5 and 8.

local calira = require "calira"
local helper = require "spec.support.helper"

local sethook <const>, getinfo <const>, find <const>, raise <const> =
  debug.sethook, debug.getinfo, string.find, error -- busted's globals are functions in Lua
local POINTS <const> = 120 -- moments tried for each list and kind of hook: all, or so many spread over the whole reading

--- Reads a list to its end with a hook that raises once, at the n-th event; returns ids, the errors that came through, and events seen.
local function read(list, mask, count, n)
  local next_record, seen = list.next, 0
  local ids, errors = {}, {}
  local function hook()
    local info = getinfo(2, "Sf")
    -- what is delivered is the reader's: when next() returns, and after that
    if info.func == next_record or info.func == sethook or find(info.short_src, "interrupt_spec", 1, true) then return end
    seen = seen + 1
    if seen == n then raise("interrupt", 0) end
  end
  local late = helper.now() + 20
  local function step()
    sethook(hook, mask, count)
    local record, node = next_record(list)
    sethook()
    return record, node
  end
  while true do
    assert(helper.now() < late, "it hangs")
    local ok, record = pcall(step)
    sethook()
    if not ok then
      errors[#errors + 1] = record
      if #errors > 3 then break end
    elseif record then
      ids[#ids + 1] = record.id
    else
      break
    end
  end
  return ids, errors, seen
end

local HOOKS <const> = { { "each instruction", "", 1 }, { "each call", "c", 0 }, { "each return", "r", 0 } }

--- Interrupts the reading of a list at moments spread over all of it.
local function tortured(make, on_end)
  for _, hook in ipairs(HOOKS) do
    it("at " .. hook[1], function()
      local expected, _, events = read(make(), hook[2], hook[3], 0)
      assert.is_true(#expected > 0 and events > 20, events)
      table.sort(expected)
      local came = 0
      local points = math.min(POINTS, events)
      for point = 1, points do
        local n = 1 + (point - 1) * events // points -- how often it waits is another each time, so this is not the same moment
        local list = make()
        local ids, errors = read(list, hook[2], hook[3], n)
        assert.is_true(#errors <= 1, tostring(errors[2]))
        for _, err in ipairs(errors) do assert.equal("interrupt", err, "at event " .. n) end
        came = came + #errors
        table.sort(ids)
        assert.same(expected, ids, ("at event %d of %d"):format(n, events))
        if on_end then on_end(list) end
      end
      assert.is_true(came >= points / 2, came)
    end)
  end
end

--- A branch of three labs with 9, 1 and 14 bookings.
local function branch(client)
  local tree = client:tree()
  local node = tree:find(211)
  node.departments, node.labs = {}, { tree:find(112), tree:find(105), tree:find(117) }
  return node
end

describe("an interrupt while a list under an account is read", function()
  local node = branch(helper.client())
  local client = helper.client()
  local asked = 0
  local function on_error() asked = asked + 1 return true end

  tortured(function() return (client:bookings { under = node, per_page = 5, on_error = on_error }) end, function(list)
    local report = list:report()
    assert.same({ 0, "complete", 0, 24, 0, 3 },
      { asked, report.verdict, #report.skipped, report.received, report.duplicates, report.accounts })
  end)
end)

describe("an interrupt while it is read unordered, through filters and a progress function", function()
  local node = branch(helper.client())
  local client = helper.client()
  tortured(function()
    return (client:bookings {
      under = node, per_page = 5, unordered = true, except_status = "none such", from = "1990-01-01",
      on_page = function() end, on_error = function() return true end,
    })
  end, function(list)
    local report = list:report()
    assert.same({ "complete", 0, 24, 0 }, { report.verdict, #report.skipped, report.received, report.filtered })
  end)
end)

describe("an interrupt while details come", function()
  local node = branch(helper.client())
  local client = helper.client "gone=1050000000;total=none"
  for _, unordered in ipairs { false, true } do
    tortured(function()
      return (client:bookings { under = node, per_page = 5, where = function(b) return b.id % 10 < 2 end, details = true, forms = true,
        equipment = true, unordered = unordered, on_error = function() return true end })
    end, function(list)
      local report = list:report()
      assert.same({ "complete", 0, 1 }, { report.verdict, #report.skipped, report.gone })
    end)
  end
end)

describe("an interrupt in a blocking wait", function()
  it("passes through, and the list goes on", function()
    local out, err, status = helper.script(([[
      local calira = require "calira"
      local client = calira.new { base_url = %q, token = %q }
      local asked, count, seen = 0, 0, {}
      local list = client:bookings { under = 211, details = true, limit = 20, on_error = function() asked = asked + 1 return true end }
      local interrupts = 0
      os.execute("(sleep 0.4; kill -INT " .. io.open("/proc/self/stat"):read "n" .. ") &")
      -- lua5.4's own handler of Ctrl-C sets a hook that raises
      while true do
        local ok, b = pcall(list.next, list)
        if not ok then
          assert(b == "interrupted!" or tostring(b):find "interrupted", tostring(b))
          interrupts = interrupts + 1
        elseif b then
          assert(not seen[b.id] and b.cost)
          seen[b.id], count = true, count + 1
        else
          break
        end
      end
      print(count, interrupts, asked, list:report().gone)]]):format(helper.url "latency=150", helper.token))
    assert.equal("", err)
    assert.equal("20\t1\t0\t0\n", out)
    assert.truthy(status)
    assert.truthy(calira)
  end)
end)
