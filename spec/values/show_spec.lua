--- calira.show: any value as a text that is bounded, always the same, and safe in a terminal; and what our own objects say of themselves.

local calira = require "calira"
local helper = require "spec.support.helper"

local show = calira.show

describe("calira.show", function()
  it("shows scalars as Lua writes them", function()
    assert.equal("nil", show(nil))
    assert.equal("12345", show(12345))
    assert.equal("1.5", show(1.5))
    assert.equal("true", show(true))
    assert.equal([["a \"b\" \\c"]], show [[a "b" \c]])
    assert.equal("null", show(calira.null))
    assert.equal("<function>", show(print))
    assert.equal("{}", show {})
  end)

  it("sorts keys, elements first, and quotes those that are no names", function()
    local value = { 7, { id = 1 }, b = 1, a = 2, ["c d"] = 3, ["end"] = 4, [2.5] = 5, [false] = 6, [-1] = 7 }
    assert.equal('{ 7, { id = 1 }, [-1] = 7, [2.5] = 5, a = 2, b = 1, ["c d"] = 3, ["end"] = 4, [false] = 6 }', show(value))
  end)

  it("is the same whatever the order in which a table was filled", function()
    local names, forward, backward = {}, {}, {}
    for i = 1, 60 do names[i] = "field" .. i end
    for i = 1, 60 do forward[names[i]] = i end
    for i = 60, 1, -1 do backward[names[i]] = i end
    assert.equal(show(forward), show(backward))
  end)

  it("breaks what is longer than a line, and shows a booking whole", function()
    local client <close> = helper.client()
    local text = show(client:booking(12345))
    assert.is_truthy(text:find("\n  equipment = { id = 789, name = \"Advanced Microscope\" },\n", 1, true), text)
    assert.is_truthy(text:find('code = "EPSRC-2026-01"', 1, true), text)
    assert.is_nil(text:find("…", 1, true), text)
    for line in text:gmatch "[^\n]+" do assert.is_true(#line <= 101, line) end
  end)

  it("cuts cycles", function()
    local value = { name = "a" }
    value.own, value.list = value, { value }
    assert.equal('{ list = { {cycle} }, name = "a", own = {cycle} }', show(value))
    local client <close> = helper.client()
    assert.is_truthy(show(client:tree():find(102)):find("{cycle}", 1, true))
    local shared = { 1 }
    assert.equal("{ { 1 }, { 1 } }", show { shared, shared })
  end)

  it("is bounded", function()
    local deep, wide = {}, {}
    local inner = deep
    for _ = 1, 1000 do
      inner.next = {}
      inner = inner.next
    end
    for i = 1, 100000 do wide[i] = { i, { i } } end
    for _, value in ipairs { deep, wide, { a = wide, b = wide } } do
      local text = show(value)
      assert.is_true(#text < 20000, #text)
      assert.is_truthy(text:find("…", 1, true))
    end
    local text = show(("ä"):rep(100000))
    assert.is_true(#text < 1000 and utf8.len(text) ~= nil, text)
    assert.is_truthy(text:find("… (200000 bytes)", 1, true), text)
    assert.is_true(#show(("\x80"):rep(100000)) < 4000)
  end)

  it("masks what would command a terminal", function()
    local text = show { ["\27[2J"] = "\27]0;x\7\n\u{202E}", n = "\x9B", name = setmetatable({}, { __tostring = function() return "\27[31mred" end }) }
    assert.is_nil(text:find "[%c\x80-\xFF]", text)
    assert.is_truthy(text:find([[\x1B[2J]], 1, true) and text:find([[\u202E]], 1, true) and text:find([[\x1B[31mred]], 1, true), text)
  end)

  it("runs no metamethod but __tostring, and survives it", function()
    local trap = setmetatable({ a = 1 }, { __pairs = error, __index = error, __len = error })
    assert.equal("{ 1, { a = 1 } }", show { 1, trap })
    assert.equal("<its tostring fails>", show(setmetatable({}, { __tostring = error })))
    assert.equal("<thing>", show(setmetatable({ a = 1 }, { __name = "thing" })))
  end)

  it("shows our own objects as tostring does", function()
    local client <close> = helper.client()
    local list <close> = client:bookings { provider = 102 }
    local task, generator = calira.spawn(calira.sleep, 0.2), calira.generator(function() end)
    for _, object in ipairs { client, list, task, generator, client:tree(), helper.failure(client.booking, client, 7) } do
      assert.equal(tostring(object), show(object))
    end
    assert.equal("calira.task (running)", show(task))
    task:wait()
    assert.equal("calira.task (done)", show(task))
    assert.equal("calira.generator (open)", show(generator))
    generator:close()
    assert.equal("calira.generator (ended)", show(generator))
    local failed = calira.spawn(error, "no")
    pcall(failed.wait, failed)
    assert.equal("calira.task (failed)", show(failed))
    local cancelled = calira.spawn(calira.sleep, 9)
    cancelled:cancel()
    assert.equal("calira.task (cancelled)", show(cancelled))
    assert.equal("calira.oauth.file_store (grant.json)", tostring(calira.oauth.file_store "grant.json"))
    assert.equal(calira._VERSION, tostring(calira))
  end)
end)

describe("calira.mask", function()
  it("shows control characters instead of sending them", function()
    assert.equal([[a\x1B[2Jb\n]], calira.mask "a\27[2Jb\n")
    assert.equal("Café 実験", calira.mask "Café 実験")
    assert.equal("7", calira.mask(7))
  end)
end)

describe("a name that the module does not have", function()
  local function failure_of(owner, name)
    return helper.failure(function() return owner[name] end)
  end

  it("is an argument error with the nearest name", function()
    local err = failure_of(calira, "bookngs")
    assert.equal("argument", err.kind)
    assert.equal("the module has no bookngs; nearest: bookings", err.message)
    assert.is_truthy(err.at:find("show_spec.lua:", 1, true), err.at)
    assert.equal("calira.oauth has no file_stor; nearest: file_store", failure_of(calira.oauth, "file_stor").message)
    assert.equal("the module has no qwertyuiop", failure_of(calira, "qwertyuiop").message)
    assert.equal("argument", helper.failure(function() return calira.Bookings { provider = 102 } end).kind)
  end)

  it("is nil where it is no public name, and may be set", function()
    assert.is_nil(calira._NAME)
    assert.is_nil(calira.__call)
    assert.is_nil(calira[1])
    assert.is_nil(rawget(calira, "bookngs"))
    calira.own_thing = 7
    assert.equal(7, calira.own_thing)
    calira.own_thing = nil
    assert.is_false((pcall(function() return calira.own_thing end)))
  end)

  it("leaves the module as one to be walked through, required again, and polled", function()
    local count = 0
    for name, value in pairs(calira) do
      count = count + 1
      assert.equal(value, calira[name])
    end
    assert.is_true(count > 30)
    assert.equal(calira, require "calira")
    assert.is_true(require("cqueues").poll(calira, 0) ~= nil)
  end)
end)
