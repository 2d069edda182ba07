--- A host may set any locale at any time: no value changes. The locale is made for this spec, with localedef (Debian: libc-bin, locales).

local core = require "calira.core"
local H = require "spec.support.helper"

local SCRIPT <const> = [=[
local core = require "calira.core"
local text = '{"ids":[1,2,3],"half":0.5,"long":0.1234567890123456789012345,"big":1.5e300,"small":[-2.5e-300,1e-2],"whole":1.0}'
local function check()
  local value = assert(core.decode(text))
  assert(#value.ids == 3 and value.ids[3] == 3)
  assert(value.half == 1 / 2 and value.long == 0x1.f9add3746f65fp-4 and value.big == 0x1.1eb2d66005835p+997)
  assert(value.small[1] == -0x1.ac9a7b3b7302fp-996 and value.small[2] == 1 / 100)
  assert(math.type(value.whole) == "integer")
end
check()
for _, category in ipairs { "numeric", "all" } do
  if not os.setlocale("de_DE.UTF-8", category) then os.exit(3) end
  assert(("%.1f"):format(0.5) == "0,5", "the locale has a point")
  check()
end
os.setlocale "C"
check()
io.write "right"]=]

describe("the decoder", function()
  it("gives the same values in any locale", function()
    local pipe <close> = assert(io.popen "mktemp -d")
    local folder = pipe:read "l"
    local _, _, made = os.execute(("localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >%s/log 2>&1"):format(folder, folder))
    local out, err, status = H.script(SCRIPT, "LC_ALL= LOCPATH=" .. folder)
    os.execute("rm -r " .. folder)
    if made ~= 0 and status == 3 then return pending "no locale with a decimal comma here, and localedef could not make one" end
    assert.equal("right", out, err)
  end)

  it("and needs none to be right", function() assert.equal(0.5, core.decode "0.5") end)
end)
