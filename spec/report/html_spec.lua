--- The pages of reports: legible, whole, and without anything of the service's in their markup.

local html = require "calira.report.html"
local utilisation = require "calira.report.utilisation"
local page = require "calira.report.utilisation_page"
local zones = require "calira.values.zone"

--- Relative luminance and contrast, as WCAG 2.1 defines them.
local function luminance(colour)
  local sum = 0
  for i, weight in ipairs { 0.2126, 0.7152, 0.0722 } do
    local c = tonumber(colour:sub(2 * i, 2 * i + 1), 16) / 255
    sum = sum + weight * (c <= 0.04045 and c / 12.92 or ((c + 0.055) / 1.055) ^ 2.4)
  end
  return sum
end

local function contrast(a, b)
  local x, y = luminance(a), luminance(b)
  return (math.max(x, y) + 0.05) / (math.min(x, y) + 0.05)
end

describe("a page", function()
  it("has labels with a contrast of 4.5:1 at least, light and dark", function()
    for name, colours in pairs { light = html.LIGHT, dark = html.DARK } do
      for i, step in ipairs(colours) do
        assert.is_true(contrast(step[1], step[2]) >= 4.5, ("%s step %d: %.2f"):format(name, i - 1, contrast(step[1], step[2])))
      end
      for _, ink in ipairs { "text", "soft", "warn" } do
        assert.is_true(contrast(colours[ink], colours.page) >= 4.5, name .. " " .. ink)
      end
      assert.is_true(contrast(colours.bar, colours[1][1]) >= 3, name .. " bars")
    end
  end)

  it("escapes and masks what comes from the service", function()
    local text = html.page {
      title = "<script>\27[2J\u{202E}", body = html.table({ { title = "A", field = "a" } }, { { a = '"><img src=x onerror=alert(1)>' } }),
      made = { "</footer><b>" }, warnings = { "a & b" },
    }
    assert.is_nil(text:find("<script", 1, true))
    assert.is_nil(text:find("<img", 1, true))
    assert.is_nil(text:find("</footer><b>", 1, true))
    assert.is_nil(text:find "\27")
    assert.is_nil(text:find("\u{202E}", 1, true))
    assert.matches("a &amp; b", text, 1, true)
  end)

  it("draws bars to scale, folds nights, and says when and from what it was made", function()
    local zone = zones.find "UTC"
    local from = zone:epoch(2025, 3, 3)
    local function sum(start)
      local every <const> = { true, true, true, true, true, true, true }
      local u = utilisation.new { from = start, to = start + 86400, zone = zone, hours = { 0, 1440 }, days = every }
      for id, hours in ipairs { 12, 6, 0 } do
        u:instrument({ id = id, name = "I" .. id }, { id = 1, name = "L" })
        if hours > 0 then
          local first, last = os.date("!%Y-%m-%dT%H:%M:%SZ", from), os.date("!%Y-%m-%dT%H:%M:%SZ", from + hours * 3600)
          u:booking { id = id, equipment_id = id, start_time = first, end_time = last }
        end
      end
      local result = u:result()
      result.name = "a day"
      return result
    end
    local text = page.page(sum(from), sum(from - 86400), { title = "T", subtitle = "S", made = { "Made now.", "Complete." }, day = { 7, 20 } })
    assert.matches("<b>25.0 %%</b><span>of the bookable hours were booked", text)
    assert.matches("<b>1 of 3</b><span>instruments idle", text)
    assert.matches('width:100.00%%"></i></div></li>', text)         -- 50 % on a scale that ends at 50 %
    assert.matches('width:50.00%%"></i></div></li>', text)
    assert.equal(11, select(2, text:gsub('<tr class="night">', "")))
    assert.matches("Made now.", text, 1, true)
    for _, media in ipairs { "min%-width: 48rem", "@media print", "prefers%-color%-scheme: dark" } do assert.matches(media, text) end
  end)
end)
