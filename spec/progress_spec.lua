--- The progress bar: on a terminal it draws over one line of stderr and leaves nothing; elsewhere it hands the list back.

local calira = require "calira"
local helper = require "spec.support.helper"
local progress = require "calira.progress"

local ERASE <const> = "\r\27[K"

--- Runs a script whose stderr is a terminal, by way of util-linux's script: what it wrote to stdout, what to the terminal, its status.
local function on_terminal(text, scenario, term)
  local path, out = os.tmpname(), os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write("local calira, progress = require 'calira', require 'calira.progress'\n", text)
  file:close()
  local url = helper.url(scenario):gsub("[;%%~]", "\\%0")
  local inner = ("env TERM=%s CALIRA_BASE_URL=%s CALIRA_TOKEN=%s lua5.4 %s >%s"):format(term or "xterm", url, helper.token, path, out)
  local pipe = assert(io.popen(("timeout 60 script -qec '%s' /dev/null </dev/null"):format(inner)))
  local terminal = pipe:read "a"
  local _, _, status = pipe:close()
  local from <close> = assert(io.open(out))
  local stdout = from:read "a"
  os.remove(path)
  os.remove(out)
  return stdout, terminal, status
end

--- A bare chroot has no pseudo-terminals; what needs one is pending there.
local has_terminals = os.execute "script -qec true /dev/null </dev/null >/dev/null 2>&1"
local function with_terminal(name, f)
  if has_terminals then it(name, f) else pending(name .. " (there are no pseudo-terminals here)") end
end

describe("progress", function()
  it("hands the list back where stderr is no terminal", function()
    local out, err, status = helper.script([[
      local calira, progress = require "calira", require "calira.progress"
      local list = calira.bookings{ provider = 102 }
      local wrapped, state, control, closing = progress(list)
      print(wrapped == list, state, control, closing == list)
      local count = 0
      for b in progress(calira.bookings{ provider = 102 }) do count = count + (b.id and 1 or 0) end
      print(count)
    ]], ("CALIRA_BASE_URL='%s' CALIRA_TOKEN=%s"):format(helper.url(), helper.token))
    assert.equal("", err)
    assert.equal("true\tnil\tnil\ttrue\n250\n", out)
    assert.equal(0, status)
  end)

  with_terminal("draws nothing on a terminal that cannot erase a line", function()
    for _, term in ipairs { "dumb", "" } do
      local out, terminal = on_terminal([[
        local count = 0
        for _ in progress(calira.bookings{ provider = 102 }) do count = count + 1 end
        print(count)]], "", term)
      assert.same({ "250\n", "" }, { out, terminal })
    end
  end)

  with_terminal("draws a bar with count, rate and time left, and erases it", function()
    local out, terminal, status = on_terminal([[
      local count = 0
      for b in progress(calira.bookings{ provider = 102, lookahead = 0, per_page = 25 }) do count = count + 1 end
      print(count)
    ]], "latency=60")
    assert.equal(0, status)
    assert.equal("250\n", out)
    assert.is_truthy(terminal:find("%[=+ +%] +%d+%%  %d+/250  [%d,]+/s  0:%d%d left"), terminal)
    assert.equal(ERASE, terminal:sub(-#ERASE))
    local last, drawn = 0, 0
    for done in terminal:gmatch "(%d+)/250" do
      assert.is_true(tonumber(done) >= last)
      last, drawn = tonumber(done), drawn + 1
    end
    assert.is_true(drawn >= 3 and drawn <= 20, tostring(drawn))
    for line in terminal:gmatch "[^\r]+" do assert.is_true(#line < 80 + #ERASE, line) end
  end)

  with_terminal("counts the lists under an account, and gives the node", function()
    local out, terminal, status = on_terminal([[
      local labs = {}
      for b, lab in progress(calira.bookings{ under = "Faculty of Physics" }) do labs[lab.id] = true end
      print(labs[105], labs[106], labs[107])
    ]], "latency=120")
    assert.equal(0, status)
    assert.equal("true\ttrue\ttrue\n", out)
    assert.is_truthy(terminal:find "list %d/4", terminal)
  end)

  with_terminal("erases the bar and closes the list where the loop is left", function()
    for _, leave in ipairs { "break", "error('oops', 0)" } do
      local out, terminal, status = on_terminal(([[
        local list
        print(pcall(function()
          list = calira.bookings{ provider = 102 }
          for b in progress(list) do %s end
        end))
        print(select(2, pcall(list.next, list)).kind)
      ]]):format(leave))
      assert.equal(0, status)
      assert.is_truthy(out:find "\nclosed\n$", out)
      assert.equal(ERASE, terminal:sub(-#ERASE))
    end
  end)

  with_terminal("raises what the list raises", function()
    local out, terminal, status = on_terminal("print(pcall(function() for _ in progress(calira.bookings{ provider = 102 }) do end end))",
      "failpage=403:2")
    assert.equal(0, status)
    assert.is_truthy(out:find("403: page 2", 1, true), out)
    assert.equal(ERASE, terminal:sub(-#ERASE))
  end)

  with_terminal("has the list's methods", function()
    local out, _, status = on_terminal([[
      local list = progress(calira.bookings{ provider = 102 })
      print(list:total(), list:next().id, #list:collect(), list:report().verdict, type(list:cursor()))
      list:close()
    ]])
    assert.equal(0, status)
    assert.equal("250\t12345\t249\tcomplete\tstring\n", out)
  end)

  with_terminal("waits as the list does", function()
    local out, _, status = on_terminal([[
      calira.run(function()
        local ticks = 0
        local ticker = calira.spawn(function() while true do calira.sleep(0.01) ticks = ticks + 1 end end)
        for _ in progress(calira.bookings{ provider = 102 }) do end
        print(ticks > 3)
        ticker:cancel()
      end)
    ]], "latency=80")
    assert.equal(0, status)
    assert.equal("true\n", out)
  end)

  it("takes lists alone", function()
    for _, value in ipairs { 7, "x", true } do
      assert.equal("argument", helper.failure(progress, value).kind)
    end
    assert.is_false(calira.is_error(progress))
  end)
end)
