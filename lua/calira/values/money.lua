--- Money as the API sends it: decimal strings, summed exactly. Nothing here waits.
-- `cost` is a decimal string such as `"150.00"` (API.md, "The records"); a float would lose cents.

local core <const> = require "calira.core"

local M = {}

-- A number is an array of limbs in base 10^18, the lowest first, each with the number's sign. Two of them add without overflow.
local WIDTH <const> = 18
local BASE <const> = 1000000000000000000

local function refuse(value)
  local kind = math.type(value) or type(value)
  local shown = kind == "string" and ("%q"):format(value:sub(1, 60)) or kind == "float" and "the float " .. value or "a " .. kind
  core.raise("argument", ('add: expected a decimal string such as "150.00", got %s'):format(shown))
end

--- Sign (1 or -1), digits before the point, digits after it.
local function read(value)
  if value == nil then return 1, "0", "" end
  local text = math.type(value) == "integer" and tostring(value) or value
  if type(text) ~= "string" then refuse(value) end
  local minus, whole, decimals = text:match("^(%-?)(%d+)%.(%d+)$")
  if not minus then
    minus, whole = text:match("^(%-?)(%d+)$")
    if not minus then refuse(value) end
  end
  return minus == "-" and -1 or 1, whole, decimals or ""
end

local function limbs_of(sign, digits)
  local limbs = {}
  for last = #digits, 1, -WIDTH do
    limbs[#limbs + 1] = sign * tonumber(digits:sub(math.max(1, last - WIDTH + 1), last))
  end
  return limbs
end

--- Digits of `sign` times the sum of two numbers, and the carry out of the highest limb, which is negative if and only if that product is.
local function sum(a, b, sign)
  local digits, carry, count = {}, 0, math.max(#a, #b)
  for i = 1, count do
    local limb = sign * ((a[i] or 0) + (b[i] or 0)) + carry
    carry = limb // BASE
    digits[count - i + 1] = ("%018d"):format(limb % BASE)
  end
  return carry .. table.concat(digits), carry
end

--- The exact sum of two amounts (`calira.add`), of any length.
-- It has as many decimals as the summand that has more ("150.00" + "-5" = "145.00"), no needless leading zeros, and zero has no minus.
---@param a? string|integer a decimal string: `-`, digits, and a point between digits, nothing else; nil counts as 0
---@param b? string|integer the same
---@return string sum a decimal string; raises kind `argument` for anything else, floats included, since they are not exact
function M.add(a, b)
  local sign_a, whole_a, decimals_a = read(a)
  local sign_b, whole_b, decimals_b = read(b)
  local scale = math.max(#decimals_a, #decimals_b)
  local limbs_a = limbs_of(sign_a, whole_a .. decimals_a .. ("0"):rep(scale - #decimals_a))
  local limbs_b = limbs_of(sign_b, whole_b .. decimals_b .. ("0"):rep(scale - #decimals_b))
  local minus, digits, carry = "", sum(limbs_a, limbs_b, 1)
  if carry < 0 then minus, digits = "-", sum(limbs_a, limbs_b, -1) end
  digits = digits:match("^0*(.*)$")
  digits = ("0"):rep(scale + 1 - #digits) .. digits                 -- at least one digit before the point
  if scale == 0 then return minus .. digits end
  return minus .. digits:sub(1, -scale - 1) .. "." .. digits:sub(-scale)
end

return M
