--- docs/reference.html is what types.lua makes; the generator refuses what is not documented.

local function read(path)
  local file <close> = assert(io.open(path, "rb"), path)
  return file:read "a"
end

local PAGE <const> = "docs/reference.html"

--- Runs the generator in a folder where types.lua is another text: its status and its words.
local function generate(types)
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute(("mkdir -p %s/lua/calira %s/docs"):format(folder, folder)))
  assert(os.execute(("cp docs/generate.lua docs/reference.template.html %s/docs"):format(folder)))
  do
    local file <close> = assert(io.open(folder .. "/lua/calira/types.lua", "wb"))
    file:write(types)
  end
  local _, _, status = os.execute(("cd %s && lua5.4 docs/generate.lua 2>words >words"):format(folder))
  local words, page = read(folder .. "/words"), io.open(folder .. "/" .. PAGE)
  if page then page:close() end
  os.execute("rm -rf " .. folder)
  return status, words, page ~= nil
end

describe("docs/reference.html", function()
  it("is what types.lua makes", function()
    local _, _, status = os.execute "lua5.4 docs/generate.lua --check"
    assert.equal(0, status)
  end)

  it("is not made of a function without a description, nor of a parameter without one", function()
    local types = read "lua/calira/types.lua"
    assert.same({ 0, "", true }, { generate(types) })
    local bare, count = types:gsub(
      "%-%-%- One booking%. May wait%.\n(%-%-%-@param id calira%.Id\n%-%-%-@return calira%.Booking\nfunction Client)", "%1")
    assert.equal(1, count)
    assert.same({ 1, "lua/calira/types.lua: calira.Client:booking has no description\n", false }, { generate(bare) })
    bare, count = types:gsub("%-%-%-@param seconds number\n(function calira%.sleep)", "%1")
    assert.equal(1, count)
    assert.same({ 1, "lua/calira/types.lua: calira.sleep: parameter seconds is not described\n", false }, { generate(bare) })
  end)

  it("is one page whose links lead somewhere", function()
    local page = read(PAGE)
    for _, word in ipairs { "<script", "src=", "@import", "url(", "http://" } do assert.is_nil(page:find(word, 1, true), word) end
    local count = 0
    for address in page:gmatch 'href="#([^"]+)"' do
      assert.is_truthy(page:find(('id="%s"'):format(address), 1, true), address)
      count = count + 1
    end
    assert.is_true(count > 150)
    local ids = {}
    for id in page:gmatch 'id="([^"]+)"' do
      assert.is_nil(ids[id], id)
      ids[id] = true
    end
    for _, name in ipairs { "section", "table", "tr", "td", "details", "p", "code", "main", "nav" } do
      local _, opened = page:gsub("<" .. name .. "[ >]", "")
      local _, closed = page:gsub("</" .. name .. ">", "")
      assert.equal(opened, closed, name)
    end
  end)

  it("has every function of the module", function()
    local page = read(PAGE)
    for name, value in pairs(require "calira") do
      if type(value) == "function" then
        assert.is_truthy(page:find("calira." .. name .. "(", 1, true) or page:find("calira." .. name .. "<span>(", 1, true), name)
      end
    end
  end)
end)
