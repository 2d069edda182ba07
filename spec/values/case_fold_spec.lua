local fold = require "calira.values.case_fold"

describe("case folding", function()
  local same = {
    { "ZÜRICH", "zürich" }, { "STRASSE", "Straße" }, { "STRAẞE", "straße" }, { "ÅNGSTRÖM", "ångström" }, { "\u{212B}", "å" }, { "\u{212A}", "k" },
    { "ŁÓDŹ", "łódź" }, { "ČESKÉ BUDĚJOVICE", "české budějovice" }, { "TRƯỜNG ĐẠI HỌC", "trường đại học" }, { "ÞÓRSMÖRK", "þórsmörk" },
    { "ΑΘΉΝΑ ΣΊΣΥΦΟΣ", "αθήνα σίσυφος" }, { "ΌΡΟΣ", "όρος" }, { "МОСКВА ЁЛКА", "москва ёлка" }, { "КИЇВ ҐАНОК", "київ ґанок" }, { "Œuvre", "œuvre" },
    { "ŸPRES", "ÿpres" }, { "Ωmega", "\u{2126}MEGA" }, { "µ", "μ" }, { "ⅫTH", "ⅻth" }, { "", "" },
  }
  for _, case in ipairs(same) do
    it(("%s is %s"):format(case[1], case[2]), function() assert.equal(fold(case[2]), fold(case[1])) end)
  end

  it("leaves other texts and what is no UTF-8 alone, and letters apart that are others", function()
    for _, text in ipairs { "漢字", "\u{10428}", "שלום", "\xff\xfe", "\xc3", "a\xc3z", "÷×", "1 / 2 [_]{}@" } do assert.equal(text, fold(text)) end
    assert.equal("a\xc3z", fold "A\xc3Z")
    for _, pair in ipairs { { "i", "ı" }, { "e", "é" }, { "ö", "o" }, { "е", "e" }, { "×", "÷" }, { "ss", "s" } } do
      assert.not_equal(fold(pair[1]), fold(pair[2]))
    end
  end)

  it("folds what it has folded to itself", function()
    for code = 0x80, 0x24FF do
      local once = fold(utf8.char(code))
      assert.equal(once, fold(once))
    end
  end)

  it("does not depend on the locale", function()
    local before = os.setlocale()
    for _, name in ipairs { "C", "C.UTF-8", "de_DE.UTF-8", "tr_TR.UTF-8", "en_US.ISO-8859-1" } do
      if os.setlocale(name) then
        assert.equal("institut für physik i", fold "INSTITUT FÜR PHYSIK I")
      end
    end
    os.setlocale(before)
  end)
end)
