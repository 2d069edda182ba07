local core = require "calira.core"
local add = require "calira.values.money".add

local function refusal(...)
  local ok, err = pcall(add, ...)
  assert.is_false(ok, "expected an error")
  assert.equal("argument", err.kind)
  return tostring(err)
end

--- Schoolbook addition of magnitudes, digit by digit, and subtraction by counting down: nothing like the code under test.
local function slow_add(x, y, scale)
  local function digits(text)
    local minus, whole, decimals = text:match("^(%-?)(%d+)%.?(%d*)$")
    local all = whole .. decimals .. ("0"):rep(scale - #decimals)
    local list = {}
    for i = 1, 60 do
      local at = #all - i + 1
      list[i] = at >= 1 and tonumber(all:sub(at, at)) or 0
    end
    if minus == "-" then                              -- ten's complement
      local borrow = 1
      for i = 1, 60 do
        local d = 9 - list[i] + borrow
        list[i], borrow = d % 10, d // 10
      end
    end
    return list
  end
  local a, b, carry, sum = digits(x), digits(y), 0, {}
  for i = 1, 60 do
    local d = a[i] + b[i] + carry
    sum[i], carry = d % 10, d // 10
  end
  local minus = ""
  if sum[60] >= 5 then
    minus = "-"
    local borrow = 1
    for i = 1, 60 do
      local d = 9 - sum[i] + borrow
      sum[i], borrow = d % 10, d // 10
    end
  end
  local text = table.concat(sum):reverse()
  local whole, decimals = text:sub(1, 60 - scale):gsub("^0+", ""), text:sub(60 - scale + 1)
  return minus .. (whole == "" and "0" or whole) .. (scale > 0 and "." .. decimals or "")
end

describe("money.add", function()
  local cases = {
    { "150.00", "-5", "145.00" },
    { "0.1", "0.2", "0.3" },
    { "-5", "150.00", "145.00" },
    { "150.00", nil, "150.00" },
    { nil, "150.00", "150.00" },
    { nil, nil, "0" },
    { "150.00", 5, "155.00" },
    { 7, -9, "-2" },
    { math.mininteger, -1, "-9223372036854775809" },
    { math.maxinteger, math.maxinteger, "18446744073709551614" },
    { "1", "-1", "0" },
    { "-0", nil, "0" },
    { "-0.00", "0", "0.00" },
    { "-0.00", "-0.0", "0.00" },
    { "1.50", "-1.5", "0.00" },
    { "-1.50", "1.49", "-0.01" },
    { "0.01", "-1", "-0.99" },
    { "-0.5", "-0.5", "-1.0" },
    { "007.50", nil, "7.50" },
    { "000", "0", "0" },
    { "99.99", "0.01", "100.00" },
    { "100.00", "-0.01", "99.99" },
    { "999999999999999999", "1", "1000000000000000000" },
    { "1000000000000000000", "-1", "999999999999999999" },
    { "1000000000000000000000000000000000000", "-1", "999999999999999999999999999999999999" },
    { "-1000000000000000000000000000000000000", "1", "-999999999999999999999999999999999999" },
    { "999999999999999999999999999999999999.99", "0.01", "1000000000000000000000000000000000000.00" },
    { "0.000000000000000000000000000001", "-0.000000000000000000000000000002", "-0.000000000000000000000000000001" },
    { "12345678901234567890123456789.5", "-12345678901234567890123456789.25", "0.25" },
    { "999999999999999999999999999999999999", "999999999999999999999999999999999999", "1999999999999999999999999999999999998" },
  }
  for _, case in ipairs(cases) do
    it(("%s + %s"):format(case[1], case[2]), function()
      assert.equal(case[3], add(case[1], case[2]))
      assert.equal(case[3], add(case[2], case[1]))
    end)
  end

  it("sums a cent a hundred thousand times", function()
    local total
    for _ = 1, 100000 do total = add(total, "0.01") end
    assert.equal("1000.00", total)
  end)

  it("sums ten thousand digits", function()
    assert.equal("1" .. ("0"):rep(10000) .. ".0", add(("9"):rep(10000) .. ".9", "0.1"))
    assert.equal("-" .. ("9"):rep(10000), add("-1" .. ("0"):rep(10000), "1"))
  end)

  it("agrees with addition by hand", function()
    math.randomseed(20240115)
    local function digits(most)
      local list = {}
      for i = 1, math.random(1, most) do list[i] = math.random(4) == 1 and 9 * math.random(0, 1) or math.random(0, 9) end
      return table.concat(list)
    end
    local function amount()
      return (math.random(2) == 1 and "-" or "") .. digits(40) .. (math.random(3) > 1 and "." .. digits(15) or "")
    end
    local function scale_of(text) return #(text:match("%.(%d+)$") or "") end
    for _ = 1, 5000 do
      local a, b = amount(), amount()
      if math.random(10) == 1 then b = a:sub(1, 1) == "-" and a:sub(2) or "-" .. a end
      local expected = slow_add(a, b, math.max(scale_of(a), scale_of(b)))
      local sum = add(a, b)
      if sum ~= expected then assert.equal(expected, sum, a .. " + " .. b) end
    end
  end)

  for _, text in ipairs {
    "", " ", "-", ".", "1.", ".5", "-.5", " 1", "1 ", "1\n", "+1", "--1", "1-", "1e5", "1.5e2", "1,50", "1.2.3", "0x10", "inf", "nan",
    "£5", "١", "1\0",
  } do
    it(("refuses %q on either side"):format(text), function()
      local shown = ("%q"):format(text):gsub("%c", "?") -- messages hold no control characters
      assert.matches(shown, refusal(text, "1"), 1, true)
      assert.matches(shown, refusal("1", text), 1, true)
    end)
  end

  it("refuses floats, whole ones too, and other types", function()
    assert.matches("0.1", refusal(0.1, "1"), 1, true)
    assert.matches("150.0", refusal("1", 150.0), 1, true)
    refusal(0 / 0)
    refusal(math.huge)
    for _, value in ipairs { true, false, {}, print, core.null } do
      assert.matches(type(value), refusal(nil, value), 1, true)
    end
  end)
end)
