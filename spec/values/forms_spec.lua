local core = require "calira.core"
local answers = require "calira.values.forms".answers

local function refusal(form)
  local ok, err = pcall(answers, form)
  assert.is_false(ok, "expected an error")
  assert.equal("argument", err.kind)
  return tostring(err)
end

--- A form of short texts: each argument is { text, value }.
local function form_of(...)
  local items = {}
  for i, pair in ipairs { ... } do items[i] = { type = "shortText", text = pair[1], value = pair[2] } end
  return { form_response = items }
end

describe("forms.answers", function()
  it("reads the form of the API reference", function()
    local files = { { signed_id = "x--y", filename = "project-summary.xlsx" } }
    local boxes = { "Option 1", "Option 2" }
    local map, order = answers { custom_form_response_id = 16, form_response = {
      { type = "heading", text = "Project details" },
      { type = "paragraph", text = "Provide the requested project information for this booking." },
      { type = "shortText", text = "Project code", value = "PRJ-2026-0042" },
      { type = "number", text = "Estimated samples", value = 12 },
      { type = "valueUnit", text = "Target thickness", value = 22.5, validations = { unitType = "nm" } },
      { type = "dateTime", text = "Requested completion date", value = "2026-04-21T23:00:00.000Z" },
      { type = "checkboxGroup", text = "Safety requirements", value = boxes },
      { type = "fileUpload", text = "Supporting documents", value = files },
    } }
    assert.same({ "Project code", "Estimated samples", "Target thickness", "Requested completion date", "Safety requirements",
      "Supporting documents" }, order)
    assert.equal("PRJ-2026-0042", map["Project code"])
    assert.equal("integer", math.type(map["Estimated samples"]))
    assert.equal(22.5, map["Target thickness"])
    assert.equal(boxes, map["Safety requirements"])
    assert.equal(files, map["Supporting documents"])
    assert.is_nil(map["Project details"])
  end)

  it("leaves out what has no value, and only that", function()
    local map, order = answers(form_of({ "a" }, { "b", core.null }, { "c", "" }, { "d", false }, { "e", 0 }, { "f", {} }))
    assert.same({ c = "", d = false, e = 0, f = {} }, map)
    assert.same({ "c", "d", "e", "f" }, order)
  end)

  local repeats = {
    { "twice, three times", { { "X", 1 }, { "X", 2 }, { "X", 3 } }, { "X", "X (2)", "X (3)" } },
    { "between others", { { "X", 1 }, { "Y", 2 }, { "X", 3 } }, { "X", "Y", "X (2)" } },
    { "where the first is unanswered", { { "X" }, { "X", 2 } }, { "X (2)" } },
    { "where the second is unanswered", { { "X", 1 }, { "X" }, { "X", 3 } }, { "X", "X (3)" } },
    { "beside a literal (2) before", { { "X (2)", 1 }, { "X", 2 }, { "X", 3 } }, { "X (2)", "X", "X (3)" } },
    { "beside a literal (2) after", { { "X", 1 }, { "X", 2 }, { "X (2)", 3 } }, { "X", "X (3)", "X (2)" } },
    { "beside literals (2) and (3)", { { "X", 1 }, { "X", 2 }, { "X (3)", 3 }, { "X (2)", 4 }, { "X", 5 } },
      { "X", "X (4)", "X (3)", "X (2)", "X (5)" } },
    { "with a literal (2) twice", { { "X (2)", 1 }, { "X (2)", 2 }, { "X", 3 }, { "X", 4 } }, { "X (2)", "X (2) (2)", "X", "X (3)" } },
    { "with a pattern in it", { { "100%d?", 1 }, { "100%d?", 2 } }, { "100%d?", "100%d? (2)" } },
  }
  for _, case in ipairs(repeats) do
    it("numbers a text asked " .. case[1], function()
      local map, order = answers(form_of(table.unpack(case[2])))
      assert.same(case[3], order)
      local expected, got = {}, {}
      for _, pair in ipairs(case[2]) do expected[#expected + 1] = pair[2] end
      for i, key in ipairs(order) do got[i] = map[key] end
      assert.same(expected, got)
    end)
  end

  it("does not count headings and paragraphs as questions", function()
    local map = answers { form_response = {
      { type = "heading", text = "X" }, { type = "paragraph", text = "X" }, { type = "number", text = "X", value = 1 } } }
    assert.same({ X = 1 }, map)
  end)

  it("keeps the value of any item, whatever its type", function()
    local map, order = answers { form_response = {
      { type = "heading", text = "H", value = "odd" }, { type = "hologram", text = "N", value = 1 }, { text = "no type", value = 2 } } }
    assert.same({ H = "odd", N = 1, ["no type"] = 2 }, map)
    assert.same({ "H", "N", "no type" }, order)
  end)

  it("names an item without text by its type", function()
    local _, order = answers { form_response = {
      { type = "number", value = 1 }, { type = "number", text = "", value = 2 }, { type = "number", text = core.null, value = 3 },
      { value = 4 }, core.null, { text = 5, value = 5 } } }
    assert.same({ "number", "number (2)", "number (3)", "answer", "answer (2)" }, order)
  end)

  it("loses no answer of any form", function()
    math.randomseed(7)
    for _ = 1, 2000 do
      local pairs_of, count = {}, math.random(0, 12)
      for i = 1, count do
        local text = "X"
        while math.random(3) == 1 do text = ("%s (%d)"):format(text, math.random(2, 4)) end
        pairs_of[i] = { text, i }
      end
      local map, order = answers(form_of(table.unpack(pairs_of)))
      assert.equal(count, #order)
      for i, key in ipairs(order) do assert.equal(i, map[key]) end
    end
  end)

  it("numbers ten thousand equal texts at once", function()
    local items = {}
    for i = 1, 10000 do items[i] = { type = "number", text = "X", value = i } end
    local before = os.clock()
    local map = answers { form_response = items }
    assert.equal(10000, map["X (10000)"])
    assert.is_true(os.clock() - before < 1)
  end)

  it("has no answers for an empty form", function()
    for _, form in ipairs { {}, { form_response = {} }, { form_response = core.null } } do
      local map, order = answers(form)
      assert.same({}, map)
      assert.same({}, order)
    end
  end)

  it("refuses what is no form response", function()
    refusal(nil)
    assert.matches("number", refusal(16), 1, true)
    assert.matches("string", refusal { form_response = "text" }, 1, true)
    assert.matches("form_response(entry)", refusal { response_id = 9001, custom_form_version_id = 1 }, 1, true)
  end)

  it("changes nothing in the form", function()
    local form = form_of({ "X", 1 }, { "X", core.null })
    answers(form)
    assert.same(form_of({ "X", 1 }, { "X", core.null }), form)
  end)
end)
