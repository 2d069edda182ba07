--- Texts from elsewhere on terminals and in CSV files.

local text = require "calira.values.text"
local command = require "spec.support.command"

describe("mask", function()
  it("leaves ink as it is", function()
    for _, ink in ipairs { "", "Optics", "Café Ångström — 50 %", "質量分析計", "🔬 lab", "e\u{301}", "a\u{200D}b" } do
      assert.equal(ink, text.mask(ink))
    end
  end)

  it("shows what commands a terminal", function()
    local cases = {
      ["\27[31mred"] = "\\x1B[31mred", ["a\nb"] = "a\\nb", ["a\r\tb"] = "a\\r\\tb", ["\0"] = "\\x00", ["\127"] = "\\x7F",
      ["\u{9B}2J"] = "\\x9B2J", ["\u{85}"] = "\\x85", ["\u{202E}abc"] = "\\u202Eabc", ["\u{2066}x\u{2069}"] = "\\u2066x\\u2069",
      ["\u{200E}\u{200F}\u{61C}"] = "\\u200E\\u200F\\u061C", ["\u{2028}"] = "\\u2028", ["\u{FEFF}"] = "\\uFEFF",
      ["\u{E0041}"] = "\\u{E0041}",
    }
    for given, expected in pairs(cases) do assert.equal(expected, text.mask(given)) end
  end)

  it("lets through no code point that is a control or a mark of direction, anywhere", function()
    for code = 0, 0x2FFF do
      local masked = text.mask("a" .. utf8.char(code) .. "b")
      local command_of_terminal = code < 32 or code >= 127 and code < 160 or code >= 0x202A and code <= 0x202E
        or code >= 0x2066 and code <= 0x2069 or code == 0x200E or code == 0x200F
      assert.equal(not command_of_terminal, masked:find(utf8.char(code), 1, true) ~= nil or code == 0x2028 or code == 0x2029 or code == 0x61C,
        ("U+%04X"):format(code))
    end
  end)

  it("shows bytes that are no UTF-8, and takes any value", function()
    assert.equal("a\\xFFb\\xC3", text.mask "a\xFFb\xC3")
    assert.equal("\\xE2\\x80x", text.mask "\xE2\x80x")
    assert.equal("\\xED\\xA0\\x80", text.mask "\xED\xA0\x80")
    assert.equal("12", text.mask(12))
    assert.equal("nil", text.mask(nil))
    assert.equal("a\n\\x1B", text.mask("a\n\27", "\n"))
  end)
end)

describe("width", function()
  it("counts cells", function()
    local cases = { [""] = 0, abc = 3, ["Café"] = 4, ["e\u{301}"] = 1, ["質量"] = 4, ["한국"] = 4, ["🔬"] = 2, ["ｱ"] = 1, ["Ａ"] = 2, ["☕"] = 2 }
    for given, expected in pairs(cases) do assert.equal(expected, text.width(given), given) end
  end)

  it("agrees with Unicode's own table on what is wide", function()
    local said = command.python([[
import unicodedata
for c in list(range(0x20, 0x7f)) + list(range(0xa0, 0x300)) + list(range(0x1100, 0x1160)) + list(range(0x2190, 0x2bff)) + \
    list(range(0x2e80, 0xa4d0)) + list(range(0xac00, 0xd7a4)) + list(range(0xf900, 0xfb00)) + list(range(0xff00, 0xffe7)) + \
    list(range(0x1f300, 0x1fb00)) + list(range(0x20000, 0x20100)):
    ch = chr(c)
    if unicodedata.category(ch) in ("Mn", "Cn", "Cf"): continue
    print(c, 2 if unicodedata.east_asian_width(ch) in "WF" else 1)
]], "")
    local count, wrong = 0, {}
    for code, cells in said:gmatch "(%d+) (%d)" do
      count = count + 1
      local skin = tonumber(code) >= 0x1F3FB and tonumber(code) <= 0x1F3FF -- belongs to the emoji before it
      if not skin and text.width(utf8.char(tonumber(code))) ~= tonumber(cells) then wrong[#wrong + 1] = ("%X"):format(tonumber(code)) end
    end
    assert.is_true(count > 40000)
    assert.same({}, wrong)
  end)

  it("fits a text into cells", function()
    assert.equal("ab  ", text.fit("ab", 4))
    assert.equal("  ab", text.fit("ab", 4, true))
    assert.equal("abc…", text.fit("abcdef", 4))
    assert.equal("質… ", text.fit("質量分析", 4))
    assert.equal("e\u{301}…", text.fit("e\u{301}xyz", 2))
    for width = 1, 12 do assert.equal(width, text.width(text.fit("質量 spectro 🔬", width))) end
  end)
end)

describe("csv", function()
  it("quotes by RFC 4180", function()
    assert.equal("", text.csv(nil))
    assert.equal("plain", text.csv "plain")
    assert.equal('"a,b"', text.csv "a,b")
    assert.equal('"say ""no"""', text.csv 'say "no"')
    assert.equal('"two\nlines"', text.csv "two\nlines")
  end)

  it("makes formulas harmless, and leaves numbers", function()
    for _, first in ipairs { "=", "+", "-", "@" } do assert.equal("'" .. first .. "1+A1", text.csv(first .. "1+A1")) end
    assert.equal("'\tx", text.csv "\tx")
    assert.equal("\"'\rx\"", text.csv "\rx")
    assert.equal("-5", text.csv(-5))
    assert.equal("-5.00", text.csv "-5.00")
    assert.equal("'+5", text.csv "+5")
    assert.equal("=1+A1", text.csv("=1+A1", true))
    assert.equal("\\x1B[2J", text.csv "\27[2J")
    assert.equal("\27[2J", text.csv("\27[2J", true))
  end)
end)
