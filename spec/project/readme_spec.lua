--- README.md is true: its scripts run as they stand and print what they say, and its commands name what is there.

local calira = require "calira"
local cjson = require "cjson"
local command = require "spec.support.command"
local helper = require "spec.support.helper"
local routes = require "calira.api.routes"

local function read(path)
  local file <close> = assert(io.open(path), path)
  return file:read "a"
end

local README <const> = read "README.md"

--- The blocks of a language: their text and the line they start at.
local function blocks(language)
  local found = {}
  for start, text in README:gmatch("()```" .. language .. "\n(.-)\n```") do
    local _, line = README:sub(1, start):gsub("\n", "")
    found[#found + 1] = { text = text, line = line + 2 }
  end
  return found
end

--- What the comments `--> text` of a script say that it prints, with single spaces.
local function promised(text)
  local lines = {}
  for line in text:gmatch "%-%-> ([^\n]+)" do lines[#lines + 1] = line end
  return lines
end

describe("README.md", function()
  local scripts = blocks "lua"

  it("has scripts", function() assert.is_true(#scripts > 15) end)

  for _, block in ipairs(scripts) do
    it("runs the script at line " .. block.line, function()
      local text = block.text
      if not text:find('require "calira"', 1, true) then text = 'local calira = require "calira" ' .. text end
      local env = ("CALIRA_BASE_URL='%s' CALIRA_TOKEN='%s'"):format(helper.url(), helper.token)
      local out, err, status = helper.script(text, env)
      assert.equal("", err)
      assert.equal(0, status)
      assert.is_true(out ~= "", "it prints nothing")
      local printed = {}
      for line in out:gmatch "[^\n]+" do printed[(line:gsub("%s+", " "))] = true end
      for _, line in ipairs(promised(text)) do assert.is_true(printed[line], ("no line %q in:\n%s"):format(line, out)) end
    end)
  end

  -- Blocks of the command run in a folder of their own; what a line `#> text` says is printed there. Consent is an administrator's.
  local command_blocks = 0
  for _, block in ipairs(blocks "sh") do
    if ("\n" .. block.text):find "\ncalira " and not block.text:find "calira login" then
      command_blocks = command_blocks + 1
      it("runs the commands at line " .. block.line, function()
        local here <close> = assert(io.popen "pwd")
        local folder, remove = command.folder()
        local lines = { ("root='%s'; cd %s; set -e"):format(here:read "l", folder),
          [[export LUA_PATH="$root/lua/?.lua;$root/lua/?/init.lua;;" LUA_CPATH="$CALIRA_TREE/?.so;;" XDG_STATE_HOME=$PWD]],
          [[calira() { lua5.4 "$root/bin/calira" "$@"; }]], block.text, "true" }
        local out, err, status = command.shell(table.concat(lines, "\n"))
        remove()
        assert.equal(0, status, err)
        local printed = {}
        for line in out:gmatch "[^\r\n]+" do printed[line] = true end
        for line in block.text:gmatch "#> ([^\n]+)" do assert.is_true(printed[line], ("no line %q in:\n%s"):format(line, out)) end
        assert.is_nil(err:find "traceback", err)
      end)
    end
  end

  it("has blocks of commands", function() assert.equal(2, command_blocks) end)

  it("builds a host as the check package does", function()
    local built = read "spec/package/CMakeLists.txt"
    local lines = 0
    for _, block in ipairs(blocks "cmake") do
      for line in block.text:gmatch "[^\n]+" do
        local code = line:gsub("%s*#.*", "")
        assert.is_truthy(built:find(code, 1, true), code)
        lines = lines + 1
      end
    end
    assert.equal(3, lines)
  end)

  it("says which scope each call needs", function()
    for _, kind in ipairs { "lists", "records" } do
      for name, route in pairs(routes[kind]) do
        local row = README:match("\n(| [^\n]*`" .. name .. "[{(][^\n]*)")
        assert.is_truthy(row and row:find("`" .. route.scope .. "`", 1, true), ("%s needs %s"):format(name, route.scope))
      end
    end
  end)

  it("names every command and every exit status", function()
    local help = command.out "--help"
    local commands = 0
    for name in help:match "Commands:\n(.-)\n\n":gmatch " +(%l+)  +%u" do
      assert.is_truthy(README:find("[ `]" .. name .. "[ `]"), name)
      commands = commands + 1
    end
    assert.is_true(commands >= 17)
    for _, status in pairs(require "calira.command.support.status") do
      if type(status) == "number" then assert.is_truthy(README:find(("\n| %d | "):format(status), 1, true), status) end
    end
  end)

  it("lists the variables of the environment", function()
    local count_of = 0
    for _, path in ipairs { "lua/calira/api/environment.lua", "lua/calira/api/client.lua", "lua/calira/command/support/profiles.lua" } do
      for name in read(path):gmatch "CALIRA_[%u_]+" do
        assert.is_truthy(README:find("`" .. name .. "`", 1, true), name)
        count_of = count_of + 1
      end
    end
    assert.is_true(count_of > 10)
  end)

  it("names files that are there", function()
    for path in README:gmatch "%]%(([^)#:]+)%)" do assert(io.open(path), path):close() end
    for _, block in ipairs(blocks "sh") do
      for path in block.text:gmatch "sh ([%w_]+/[%w_./]+)" do read(path) end
      for folder in block.text:gmatch "'([%w_]+)/%?" do
        assert.is_true(folder == "build" or folder == "lua", folder)
      end
    end
  end)

  it("names presets that are there", function()
    local presets = cjson.decode(read "CMakePresets.json")
    local names = {}
    for _, kind in ipairs { "configurePresets", "buildPresets" } do
      for _, preset in ipairs(presets[kind]) do names[preset.name] = true end
    end
    local count = 0
    for name in README:gmatch "%-%-preset ([%w-]+)" do
      assert.is_true(names[name], name)
      count = count + 1
    end
    assert.is_true(count >= 2)
  end)

  it("installs the packages that spec/setup.sh knows", function()
    local known = {}
    for name in read("spec/setup.sh"):gmatch "[%w.+-]+" do known[name] = true end
    for line in README:gmatch "apt%-get install ([%w .+-]+)" do
      for name in line:gmatch "%f[%S]%w[%w+.-]*" do assert.is_true(known[name], name) end
    end
  end)

  it("says what the module and a list can", function()
    local function check(names, what)
      for name in pairs(names) do
        assert.is_truthy(README:find("%f[%w_]" .. name .. "%f[^%w_]"), ("%s %s is not in it"):format(what, name))
      end
    end
    local public = {}
    for name in pairs(calira) do
      if not name:find "^_" then public[name] = true end
    end
    check(public, "calira.")
    check(calira.oauth, "calira.oauth.")
  end)

  it("lists every option and every example", function()
    local ok, err = pcall(calira.new, { token = "t", no_such_option = true })
    assert.is_false(ok)
    local options = tostring(err):match "there are: ([%w_, ]+)"
    for name in options:gmatch "[%w_]+" do assert.is_truthy(README:find("`" .. name .. "`", 1, true), name) end
    local examples <close> = assert(io.popen "ls examples/*.lua")
    for path in examples:lines() do assert.is_truthy(README:find("](" .. path .. ")", 1, true), path) end
  end)
end)
