--- CONTRIBUTING.md is true: what it says of the way of a call exists, and its commands name what is there.

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

local text = read "CONTRIBUTING.md"

describe("CONTRIBUTING.md", function()
  it("names files and functions that exist on the way of a call", function()
    local life = assert(text:match "## The life of.-\n\n(.-)\n## ")
    local steps, named, path = 0, 0, nil
    for line in life:gmatch "[^\n]+" do
      if line:find "^%d+%. " then steps = steps + 1 end
      for word in line:gmatch "`([^`]+)`" do
        if word:find "/" then
          path = word
          assert.is_true(exists(path), path)
        else
          named = named + 1
          assert.is_true(read(path):find(word .. "(", 1, true) ~= nil, ("%s has no function %s"):format(path, word))
        end
      end
    end
    assert.is_true(steps <= 12 and named >= steps, ("%d steps, %d functions"):format(steps, named))
  end)

  it("has a glossary of at most fifteen lines", function()
    local glossary = assert(text:match "## Words of our own\n\n(.-)\n\n")
    local _, lines = glossary:gsub("\n", "")
    assert.is_true(lines - 1 <= 15)
  end)

  it("has commands that can be run", function()
    local checks = read "spec/check.sh"
    local count = 0
    local function check(command)
      for script in command:gmatch "sh (spec/[%w/_]+%.sh)" do assert.is_true(exists(script), script) end
      local name = command:match "spec/check%.sh (%w+)"
      if name then assert.is_true(checks:find("\n  " .. name .. ")", 1, true) ~= nil, "no check " .. name) end
      for path in command:gmatch "(spec/[%w/_]+%.lua)" do assert.is_true(exists(path), path) end
      local program = command:match "build/test/spec/(%w+)_test"
      if program then assert.is_true(exists("build/test/spec/" .. program .. "_test"), program) end
      for preset in command:gmatch "%-%-preset (%w+)" do
        assert.is_true(read("CMakePresets.json"):find(('"name": "%s"'):format(preset), 1, true) ~= nil, preset)
      end
      count = count + 1
    end
    for line in assert(text:match "```sh\n(.-)```"):gmatch "[^\n]+" do check((line:gsub("#.*", ""))) end
    for command in text:gmatch "`([%w_=]* ?sh spec/[^`]+)`" do check(command) end
    assert.is_true(count > 12, tostring(count))
  end)

  it("has a table of figures whose rows are whole", function()
    local figures = assert(text:match "## What was measured.-\n\n.-\n\n(.-)\n\n")
    for row in figures:gmatch "[^\n]+" do
      local _, columns = row:gsub("|", "")
      assert.equal(4, columns, row)
    end
  end)
end)
