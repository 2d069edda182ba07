--- RFC 8259 form by form: what the decoder takes, and with which value; what it refuses; and what was decided where the RFC
--- leaves it open. The forms are those that parsers are known to get wrong.

local core = require "calira.core"

local NULL <const> = core.null

--- Equal in value and kind: 1 is not 1.0.
local function equal(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return rawequal(a, b) and math.type(a) == math.type(b) end
  for key, value in pairs(a) do
    if not equal(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

--- Fails unless each text of the rows { text, value } decodes to its value.
local function takes(rows)
  for _, row in ipairs(rows) do
    local text, value = row[1], row[2]
    local got, wrong = core.decode(text)
    assert(wrong == nil, ("%q: %s"):format(text, wrong))
    assert(equal(value, got), ("%q: got %s"):format(text, tostring(type(got) == "table" and (got[1] or next(got)) or got)))
    assert(equal({ value }, core.decode("[" .. text .. "\n]")), text)
  end
end

--- Fails unless each text is refused with words; they hold nothing of the text.
local function refuses(texts)
  for _, text in ipairs(texts) do
    local value, wrong = core.decode(text)
    assert(value == nil and type(wrong) == "string", ("%q is taken"):format(text))
    assert(not wrong:find "[^ -~]", wrong)
    assert(wrong == "the body is empty" or wrong:find " at byte %d+$", wrong)
  end
end

describe("the decoder takes", function()
  it("arrays", function()
    takes {
      { "[[]   ]", { {} } }, { '[""]', { "" } }, { "[]", {} }, { "[false]", { false } }, { '[null, 1, "1", {}]', { NULL, 1, "1", {} } },
      { "[null]", { NULL } }, { "[1\n]", { 1 } }, { " [1]", { 1 } }, { "[1,null,null,null,2]", { 1, NULL, NULL, NULL, 2 } },
      { "[2] ", { 2 } }, { "[\t\r\n 1\t,\r2\n, 3 ]", { 1, 2, 3 } }, { "[[[1],[2,3]],[],[[]]]", { { { 1 }, { 2, 3 } }, {}, { {} } } },
      { "[true,false,[true]]", { true, false, { true } } },
    }
  end)

  it("numbers", function()
    takes {
      { "123e65", 123e65 }, { "0e+1", 0 }, { "0e1", 0 }, { " 4", 4 }, { "-0." .. ("0"):rep(77) .. "1", -1e-78 }, { "20e1", 200 }, { "-0", 0 },
      { "-123", -123 }, { "-1", -1 }, { "0", 0 }, { "-0.0", 0 }, { "-0e5", 0 }, { "0.0e-7", 0 }, { "1E22", 1e22 }, { "1E-2", 0.01 },
      { "1E+2", 100 }, { "123e45", 123e45 }, { "123.456e78", 123.456e78 }, { "1e-2", 0.01 }, { "1e+2", 100 }, { "123.456789", 123.456789 },
      { "1.0", 1 }, { "10.50", 10.5 }, { "1.5e1", 15 }, { "1.5e-1", 0.15 }, { "12345.0", 12345 }, { "1e0", 1 }, { "1E00000000000000000002", 100 },
      { "1e-00000000000000000000000", 1 }, { "0.1", 0.1 }, { "-0.5", -0.5 }, { "3.141592653589793", math.pi },
      { "2.2250738585072014e-308", 0x1p-1022 },
      { "1.7976931348623157e308", 0x1.fffffffffffffp1023 }, { "4.9e-324", 0x1p-1074 }, { "5e-324", 0x1p-1074 },
    }
  end)

  it("whole numbers of 64 bits as integers, however they are written, and larger ones as floats", function()
    takes {
      { "9007199254740991", (1 << 53) - 1 }, { "9007199254740993", (1 << 53) + 1 }, { "999999999999999999", 999999999999999999 },
      { "9223372036854775807", math.maxinteger }, { "-9223372036854775808", math.mininteger }, { "9223372036854775808", 2.0 ^ 63 },
      { "-9223372036854775809", -2.0 ^ 63 }, { "18446744073709551615", 2.0 ^ 64 }, { "18446744073709551616", 2.0 ^ 64 },
      { "12345678901234567890", 12345678901234567890.0 }, { "100000000000000000000", 1e20 }, { "9223372036854775807.0", math.maxinteger },
      { "922337203685477580.7e1", math.maxinteger }, { "9223372036854775807000e-3", math.maxinteger },
      { "-92233720368547758.08E+2", math.mininteger },
      { "1e18", 1000000000000000000 }, { "9e18", 9000000000000000000 }, { "1e19", 1e19 },
      { "0.000000000000000009223372036854775807e36", math.maxinteger },
      { "9007199254740993.0000", (1 << 53) + 1 }, { "1" .. ("0"):rep(300) .. "e-300", 1 }, { "0." .. ("0"):rep(400) .. "7e401", 7 },
    }
    -- a float is never whole below 2^63, though it was rounded to be: 12345.0 would be a surprise
    takes {
      { "0.99999999999999999999999", 1 }, { "9007199254740993.5", (1 << 53) + 2 }, { "9007199254740992.5", 1 << 53 },
      { "4503599627370497.5", (1 << 52) + 2 }, { "2251799813685249.5", 2251799813685249.5 },
    }
  end)

  it("numbers with more digits than a double, rounded to the nearest", function()
    local half = "1.00000000000000011102230246251565404236316680908203125" -- between 1 and the next double: to the even one
    takes {
      { half, 1 }, { half .. ("0"):rep(900), 1 }, { half .. ("0"):rep(900) .. "1", 0x1.0000000000001p0 }, { half:sub(1, -2) .. "4", 1 },
      { half:sub(1, -2) .. "6", 0x1.0000000000001p0 }, { ("1"):rep(400) .. "e-399", 10 / 9 }, { ("9"):rep(2000) .. "e-2000", 1 },
      { "0." .. ("0"):rep(1000) .. "123e1001", 1.23 }, { "179769313486231580793e288", 0x1.fffffffffffffp1023 },
      { "2.4703282292062328e-324", 0x1p-1074 }, { "1.2345678901234567890123456789", 1.2345678901234567890123456789 },
      { "8.5e22", 8.5e22 }, { "123456789012345e22", 123456789012345e22 }, { "123456789012345e-22", 123456789012345e-22 },
      { "123456789012345e23", 123456789012345e23 },
    }
  end)

  it("objects", function()
    takes {
      { '{"asd":"sdf"}', { asd = "sdf" } }, { '{"a":"b","a":"c"}', { a = "c" } }, { '{"a":"b","a":"b"}', { a = "b" } }, { "{}", {} },
      { '{"":0}', { [""] = 0 } }, { '{"foo\\u0000bar": 42}', { ["foo\0bar"] = 42 } },
      { '{ "min": -1.0e+28, "max": 1.0e+28 }', { min = -1e28, max = 1e28 } },
      { ('{"x":[{"id": "%s"}], "id": "%s"}'):format(("x"):rep(40), ("y"):rep(41)), { x = { { id = ("x"):rep(40) } }, id = ("y"):rep(41) } },
      { '{"a":[]}', { a = {} } }, { '{"title":"\\u041f\\u043e\\u043b\\u0442\\u043e\\u0440\\u0430"}', { title = "Полтора" } },
      { '{\n"a"\t:\r\n"b"\n}', { a = "b" } },
      { '{"a":null}', {} }, { '{"a":1,"a":null}', {} }, { '{"a":null,"a":1}', { a = 1 } },
      { '{"a":{"b":[{"c":null}]},"d":2}', { a = { b = { {} } }, d = 2 } },
      { '{"\\u0061":1,"a":2}', { a = 2 } }, { '{"1":1}', { ["1"] = 1 } }, { '{"\u{1F984}":"é"}', { ["\u{1F984}"] = "é" } },
    }
  end)

  it("strings", function()
    takes {
      { [["\u0060\u012a\u12AB"]], "`Ī\u{12AB}" }, { [["\uD801\udc37"]], "\u{10437}" }, { [["\ud83d\ude39\ud83d\udc8d"]], "\u{1F639}\u{1F48D}" },
      { [["\"\\\/\b\f\n\r\t"]], '"\\/\b\f\n\r\t' }, { [["\\u0000"]], "\\u0000" }, { [["\""]], '"' }, { '"a/*b*/c/*d//e"', "a/*b*/c/*d//e" },
      { [["\\a"]], "\\a" },
      { [["\\n"]], "\\n" }, { [["\u0012"]], "\x12" }, { [["\uFFFF"]], "\u{FFFF}" }, { '"asd"', "asd" }, { ' "asd"', "asd" },
      { [["\uDBFF\uDFFF"]], "\u{10FFFF}" },
      { [["new\u00A0line"]], "new\u{A0}line" }, { '"\u{10FFFF}"', "\u{10FFFF}" }, { '"\u{FFFF}"', "\u{FFFF}" }, { [["\u0000"]], "\0" },
      { [["\u002c"]], "," }, { '"π"', "π" },
      { '"\u{1BFFF}"', "\u{1BFFF}" }, { '" "', " " }, { [["\uD834\uDd1e"]], "\u{1D11E}" }, { [["\u0821"]], "\u{821}" }, { [["\u0123"]], "\u{123}" },
      { '"\u{2028}"', "\u{2028}" }, { '"\u{2029}"', "\u{2029}" }, { [["\u0061\u30af\u30EA\u30b9"]], "aクリス" }, { [["new\u000Aline"]], "new\nline" },
      { '"\x7f"', "\x7f" }, { [["\uA66D"]], "\u{A66D}" }, { [["\u005C"]], "\\" }, { '"⍂㈴⍂"', "⍂㈴⍂" }, { [["\uDBFF\uDFFE"]], "\u{10FFFE}" },
      { [["\uD83F\uDFFE"]], "\u{1FFFE}" },
      { [["\u200B"]], "\u{200B}" }, { [["\u2064"]], "\u{2064}" }, { [["\uFDD0"]], "\u{FDD0}" }, { [["\uFFFE"]], "\u{FFFE}" }, { [["\u0022"]], '"' },
      { '"€\u{1D11E}"', "€\u{1D11E}" },
      { '"a\x7fa"', "a\x7fa" }, { '""', "" }, { [["\u00e9\u00E9\u00c9"]], "ééÉ" },
      { '"\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xF0\x90\x80\x80"',
      "\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xF0\x90\x80\x80" },
    }
  end)

  it("strings of every length, with an escape or another character anywhere", function()
    for length = 0, 70 do
      local plain = ("abcdefghijklmnopqrstuvwxyz"):rep(3):sub(1, length)
      takes { { '"' .. plain .. '"', plain } }
      for at = 0, length, 3 do
        for written,
        meant in pairs { ["\\\\"] = "\\", ["\\\""] = '"', ["\\u00e9"] = "é", ["é"] = "é", ["\u{1F984}"] = "\u{1F984}",
        ["\\ud83e\\udd84"] = "\u{1F984}" } do
          takes { { '"' .. plain:sub(1, at) .. written .. plain:sub(at + 1) .. '"', plain:sub(1, at) .. meant .. plain:sub(at + 1) } }
        end
        refuses { '"' .. plain:sub(1, at) .. "\1" .. plain:sub(at + 1) .. '"', '"' .. plain:sub(1, at) .. "\x80" .. plain:sub(at + 1) .. '"',
          '"' .. plain:sub(1, at) .. "\\" .. plain:sub(at + 1):gsub("^[bfnrtu]", "x") .. "?" }
      end
    end
    local long = ("\\n" .. ("x"):rep(997)):rep(100)
    takes { { '"' .. long .. '"', (long:gsub("\\n", "\n")) } }
  end)

  it("what stands alone", function()
    takes { { "false", false }, { "42", 42 }, { "-0.1", -0.1 }, { "null", NULL }, { '"asd"', "asd" }, { "true", true }, { " [] ", {} },
    { "\t\r\n {}\n", {} } }
    assert.equal(NULL, (core.decode "null"))
  end)

  it("keys in any order, that come and go, from record to record", function()
    local records, rows = {}, {}
    for i = 1, 300 do
      local record, fields = {}, {}
      for j = 1, i % 61 do
        local key = ("k%d"):format((j * (i % 7 + 1)) % 67) .. ("x"):rep(j % 19)
        local nested = j % 5 == 0
        record[key] = nested and { [key] = i, id = j } or i * j
        fields[#fields + 1] = nested and ('"%s":{"id":%d,"%s":%d}'):format(key, j, key, i) or ('"%s" : %d'):format(key, i * j)
      end
      records[i] = record
      rows[i] = "{" .. table.concat(fields, ",") .. "}"
    end
    takes { { "[" .. table.concat(rows, ", ") .. "]", records } }
    -- a key that only begins like the one expected, and one that only ends so
    takes { { '[{"ab":1,"b":2},{"abc":1,"b":2},{"a":1,"b":2},{"ab":1,"bb":2},{"":1},{"ab\\"":1}]',
      { { ab = 1, b = 2 }, { abc = 1, b = 2 }, { a = 1, b = 2 }, { ab = 1, bb = 2 }, { [""] = 1 }, { ['ab"'] = 1 } } } }
  end)

  it("a hundred levels", function()
    local function deep(levels) return ("["):rep(levels) .. ("]"):rep(levels) end
    assert.is_table((core.decode(deep(100))))
    assert.is_table((core.decode(('[{"a":'):rep(50) .. "1" .. ("}]"):rep(50))))
    refuses { deep(101), ('{"a":'):rep(101) .. "1" .. ("}"):rep(101), ("["):rep(100000), ('[{"":'):rep(50000), deep(500) }
  end)
end)

describe("the decoder refuses", function()
  it("arrays that are none", function()
    refuses {
      "[1 true]", "[a\xE5]", '["": 1]', '[""],', "[,1]", "[1,,2]", '["x",,]', '["x"]]', '["",]', '["x"', "[x", "[3[4]]", "[\xFF]", "[1;2]", "[,]",
      "[-]",
      '[   , ""]', '["a",\n4\n,1,', "[1,]", "[1,,]", '["\va"\\f]', "[*]", '[""', "[1,", '["a",\n4\n,1', "[{}", "[1}", "[1:2]", "[[1]", "[\f]",
      "[\v]", "[\0]", "[1\xC2\xA0]",
    }
  end)

  it("words that are none", function()
    refuses { "[fals]", "[nul]", "[tru]", "[truth]", "[nulll]", "[falsey]", "nul", "True", "NULL", "[True]", "[undefined]", "true1", "truefalse",
    "n", "t", "f" }
  end)

  it("numbers that are none", function()
    refuses {
      "123\0", "[++1234]", "[+1]", "[+Inf]", "[-01]", "[-1.0.]", "[-2.]", "[-NaN]", "[.-1]", "[.2e-3]", "[0.1.2]", "[0.3e+]", "[0.3e]", "[0.e1]",
      "[0E+]", "[0E]",
      "[0e+]", "[0e]", "[1.0e+]", "[1.0e-]", "[1.0e]", "[1 000.0]", "[1eE2]", "[2.e+3]", "[2.e-3]", "[2.e3]", "[9.e+]", "[Inf]", "[NaN]", "[１]",
      "[1+2]", "[0x1]",
      "[0x42]", "[Infinity]", "[0e+-1]", "[-123.123foo]", "[123\xE5]", "[1e1\xE5]", "[0\xE5]", "[-Infinity]", "[-foo]", "[- 1]", "[-012]",
      "[-.123]", "[-1x]", "[1ea]",
      "[1e\xE5]", "[1.]", "[.123]", "[1.2a-3]", "[1.8011670033376514H-308]", "[012]", "00", "-00", "01.5", "1_000", "1,5", "1e1.5", "1e", "-",
      "--1", "0b1", "1f", "0x1p3", "1.",
    }
  end)

  it("objects that are none", function()
    refuses {
      '["x", truth]', '{[: "x"}', '{"x", null}', '{"x"::"b"}', "{🇨🇭}", '{"a":"a" 123}', "{key: 'value'}", '{"\xB9":"0",}', '{"a" b}', '{:"b"}',
      '{"a" "b"}', '{"a":', '{"a"',
      "{1:1}", "{9999E9999:1}", "{null:null,null:null}", '{"id":0,,,,,}', "{'a':0}", '{"id":0,}', '{"a":"b"}/**/', '{"a":"b"}/**//', '{"a":"b"}//',
      '{"a":"b"}/',
      '{"a":"b",,"c":"d"}', '{a: "b"}', '{"a":"a', '{ "foo" : "bar", "a" }', '{"a":"b"}#', '{"a":1]', "{[]:1}", '{"a":1 "b":2}', '{"a":1;"b":2}',
      '{"a"=1}', '{"a":}', "{,}", '{"\n":1}',
      '{"\\x":1}', '{"a":1,"a', '[{"a":1},{"a', '[{"a":1},{"a"', '[{"ab":1},{"a',
    }
  end)

  it("strings that are none", function()
    refuses {
      [["\uD800\"]], [["\uD800\u"]], [["\uD800\u1"]], [["\uD800\u1x"]], "[é]", '["\\\0"]', [["\x00"]], [["\\\"]], '["\\\t"]', '["\\🌀"]', [["\"]],
      [["\u00A"]],
      [["\uD834\uDd"]], [["\uD800\uD800\x"]], '["\\u\xE5"]', [["\a"]], [["\uqqqq"]], '["\\\xE5"]', [=[[\u0020"asd"]]=], [=[[\n]]=], '"',
      "['single quote']", "abc", '["\\',
      '["a\0a"]', '["new\nline"]', '["\t"]', [["\UA66D"]], '""x', '"a" "b"', [["\u 123"]], [["\u+123"]], [["\u-123"]], [["\u12 3"]], [["\u00g0"]],
      [["\'"]], [["\0"]], '"\x1F"', '"\r"', [["\u"]],
    }
  end)

  it("texts that are none", function()
    refuses {
      "", " ", "\n", "[\u{2060}]", "<.>", "[<null>]", "[1]x", "[1]]", '["asd]', "aå", "1]", '{"x": true,', "[][]", "]", "}", "\xEF\xBB{}", "\xE5",
      "[", "2@", "{}}", '{"":',
      '{"a":/*comment*/"b"}', '{"a": true} "x"', "['", "[,", "[{", '["a', '["a"', "{", "{]", "{,", "{[", '{"a', "{'a'", ('["\\{'):rep(4), "\xE9",
      "*", '{"a":"b"}#{}', [=[[\u000A""]]=], "[1",
      "[ false, nul", "[ true, fals", "[ false, tru", '{"asd":"asd"', "å", "\u{2060}", "[1]\0", "\0[1]", "[]\f", "\v[]", "[]\u{A0}", "[1],[2]",
      "1 2", "\\u005b\\u005d", "/*x*/1", "[1]//x", "[1]#", "\xC2",
    }
  end)
end)

describe("what the RFC leaves open", function()
  it("is decided: a number beyond the range of a double is refused, one below it is 0", function()
    refuses {
      "[0.4e" .. ("0"):rep(2) .. "6699" .. ("9"):rep(90) .. "6]", "[-1e+9999]", "[1.5e+9999]", "[-123123e100000]", "[123123e100000]", "1e400",
      "-1e309", "1.8e308", "1.797693134862315808e308",
      ("9"):rep(400), "1e99999999999999999999999", "0." .. ("0"):rep(1000) .. "1e99999",
    }
    takes { { "123.456e-789", 0 }, { "123e-10000000", 0 }, { "-1e-400", 0 }, { "1e-99999999999999999999999", 0 }, { "2.4e-324", 0 },
      { "-123123123123123123123123123123", -123123123123123123123123123123.0 },
      { "-237462374673276894279832749832423479823246327846", -237462374673276894279832749832423479823246327846.0 } }
  end)

  it("is decided: the escape of an unpaired surrogate is U+FFFD", function()
    local R <const> = "\u{FFFD}"
    takes {
      { [["\uDADA"]], R }, { [["\uD888\u1234"]], R .. "\u{1234}" }, { [["\uD800\n"]], R .. "\n" }, { [["\uDd1ea"]], R .. "a" },
      { [["\uD800\uD800\n"]], R .. R .. "\n" }, { [["\ud800"]], R },
      { [["\ud800abc"]], R .. "abc" }, { [["\uDd1e\uD834"]], R .. R }, { [["\uDFAA"]], R }, { [["\ud800\ud83d\ude00"]], R .. "😀" },
      { [["\ud83d\ude00\ude00"]], "😀" .. R }, { [["\udfff\\u"]], R .. "\\u" },
      { [["\ud800\\udc00"]], R .. "\\udc00" }, { [[{"\uDFAA":0}]], { [R] = 0 } }, { [["\ud800\u0041"]], R .. "A" }, { [["\udc00"]], R },
    }
  end)

  it("is decided: invalid UTF-8 is refused", function()
    refuses {
      '["日\xD1\x88\xFA"]', '["\xED\xA0\x80"]', '["\xFF"]', '["\xE9"]', '["\x81"]', '["\xF4\xBF\xBF\xBF"]', '["\xC0\xAF"]',
      '["\xFC\x83\xBF\xBF\xBF\xBF"]', '["\xFC\x80\x80\x80\x80\x80"]', '["\xE0\xFF"]',
      '["\xC0\x80"]', '["\xF4\x90\x80\x80"]', '["\xE2\x82"]', '["\xF0\x8F\xBF\xBF"]', '["\xE0\x9F\xBF"]', '["\xED\xBF\xBF"]', '["\xC3"]',
      '["\xF0\x90\x80"]', '["\xF5\x80\x80\x80"]', '["\xC1\xBF"]', '{"\xFF":1}', '["\xC3',
    }
  end)

  it("is decided: a byte-order mark and UTF-16 are refused, and named", function()
    for text, word in pairs {
      ["\xEF\xBB\xBF{}"] = "byte-order mark", ["\xEF\xBB\xBF"] = "byte-order mark", ["\xFF\xFE[\0]\0"] = "UTF-16", ["\xFE\xFF\0[\0]"] = "UTF-16",
      ["[\0]\0"] = "UTF-16", ["\0[\0]"] = "UTF-16",
      ["\0\0\0[\0\0\0]"] = "UTF-32", ["[\0\0\0]\0\0\0"] = "UTF-32",
    } do
      local value, wrong = core.decode(text)
      assert.is_nil(value)
      assert.matches(word, wrong, 1, true)
    end
  end)
end)

describe("the words of a refusal", function()
  it("say what and where", function()
    for text, words in pairs {
      [""] = "the body is empty", [" \n"] = "the body is empty", ["\0"] = "a NUL byte at byte 1", ['{"name":"\xFF"}'] = "invalid UTF-8 at byte 10",
      ['["a\1"]'] = "a control character in a string at byte 4",
      ["[1 2]"] = "a comma or ] was expected at byte 4", ['{"a":1]'] = "a comma or } was expected at byte 7", ["[1]\0"] = "a NUL byte at byte 4",
      ["[1] x"] = "more behind the end of the JSON at byte 5",
      ["[1,"] = "the text ends where a value was expected at byte 4", ["[1"] = "the text ends inside an array at byte 3",
      ['{"a":1'] = "the text ends inside an object at byte 7",
      ['["a'] = "the text ends inside a string at byte 4", ['["\\x"]'] = "an invalid escape at byte 3",
      ["{a:1}"] = "a key in double quotes was expected at byte 2", ['{"a",1}'] = "a colon was expected at byte 5",
      ["[1e400]"] = "a number beyond the range of a double at byte 2", [("["):rep(101)] = "arrays and objects more than 100 deep at byte 101",
      ["[01]"] = "a digit after a leading zero at byte 3",
      ["[1.]"] = "a digit was expected at byte 4", ["[trux]"] = "an invalid word at byte 5", ["<html>"] = "a value was expected at byte 1",
    } do
      local value, wrong = core.decode(text)
      assert.is_nil(value)
      assert.equal(words, wrong)
    end
  end)
end)
