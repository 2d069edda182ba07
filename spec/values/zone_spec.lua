--- Time zones, held against the C library's, as `date` prints them.

local zones = require "calira.values.zone"

--- What `date` makes of instants in a zone: an array of "YYYY-MM-DD HH:MM:SS ±seconds name".
local function dates(name, instants)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "w"))
  for _, epoch in ipairs(instants) do file:write("@", epoch, "\n") end
  file:flush()
  local pipe <close> = assert(io.popen(("TZ='%s' LC_ALL=C date -f %s '+%%Y-%%m-%%d %%H:%%M:%%S %%z %%Z'"):format(name, path)))
  local lines = {}
  for line in pipe:lines() do lines[#lines + 1] = line:gsub("-0000", "+0000") end
  os.remove(path)
  return lines
end

local function told(zone, epoch)
  local offset, abbreviation = zone:offset(epoch)
  local minutes = math.abs(offset) // 60
  return ("%s %s%02d%02d %s"):format(zone:date("%Y-%m-%d %H:%M:%S", epoch), offset < 0 and "-" or "+", minutes // 60, minutes % 60, abbreviation)
end

local NAMES <const> = {
  "UTC", "Europe/London", "Europe/Berlin", "Europe/Dublin", "America/New_York", "America/St_Johns", "Asia/Kolkata", "Asia/Tokyo",
  "Australia/Lord_Howe", "Pacific/Auckland", "Africa/Casablanca", "America/Santiago", "Asia/Gaza", "Antarctica/Troll", "Pacific/Apia",
  "CET-1CEST,M3.5.0,M10.5.0/3", "<+0330>-3:30", "EST5EDT4,J60/1,J300", "NZST-12NZDT,M9.5.0,M4.1.0/3", "IST-1GMT0,M10.5.0,M3.5.0/1",
}

describe("a time zone", function()
  it("has the offsets and names of the C library, past and future", function()
    math.randomseed(11)
    for _, name in ipairs(NAMES) do
      local instants = { 0, -1, 2147483647, 2147483648, 1711846799, 1711846800, 1729990799, 1729990800 }
      local first = name:find "," and 0 or -1000000000 -- glibc applies a rule from 1970 on
      if first == 0 then instants[2] = 1 end
      for _ = 1, 300 do instants[#instants + 1] = math.random(first, 4000000000) end
      for day = 0, 730 do instants[#instants + 1] = 1767225600 + day * 86400 + 3600 end
      local zone, expected = assert(zones.find(name)), dates(name, instants)
      assert.equal(#instants, #expected)
      for i, epoch in ipairs(instants) do assert.equal(expected[i], told(zone, epoch), ("%s at %d"):format(name, epoch)) end
    end
  end)

  it("takes the C library's days of summer time where the text says none", function()
    for _, name in ipairs { "CET-1CEST", "EST5EDT", "AEST-10AEDT-11" } do
      local instants = {}
      for day = 0, 730 do
        local epoch = 1767225600 + day * 86400 + 43200
        local date = os.date("!%m%d", epoch)
        -- At the change itself glibc goes by New York's clocks where the zone database is installed: not looked at.
        local near = date >= "0307" and date <= "0316" or date >= "1031" and date <= "1109"
        if not near then instants[#instants + 1] = epoch end
      end
      local zone, expected = assert(zones.find(name)), dates(name, instants)
      for i, epoch in ipairs(instants) do assert.equal(expected[i], told(zone, epoch), ("%s at %d"):format(name, epoch)) end
    end
    local zone = zones.find "CET-1CEST"
    assert.same({ 3600, 7200 }, { (zone:offset(1772931599)), (zone:offset(1772931600)) })
    for _, name in ipairs { "CET-1CEST,", "CET-1C", "Europe/Nowhere", "CET-1CEST,M3.5.0" } do assert.is_nil((zones.find(name)), name) end
  end)

  it("has years that an API time has no room for", function()
    local zone = assert(zones.find "Europe/London")
    assert.equal(253402300800, zone:epoch(10000, 1, 1))
    assert.equal(zone:epoch(1999, 12, 31), zone:epoch(2000, 1, 1) - 86400)
    assert.equal(-62167219200 - 86400, (zones.find "UTC"):epoch(-1, 12, 31))
  end)

  it("has the instant of each local time", function()
    for _, name in ipairs { "UTC", "Europe/London", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Auckland" } do
      local zone = zones.find(name)
      for i = 0, 3000 do
        local epoch = 1700000000 + i * 19800
        local t = zone:date("*t", epoch)
        local back = zone:epoch(t.year, t.month, t.day, t.hour, t.min, t.sec)
        assert.is_true(back == epoch or back < epoch and zone:date("%c", back) == zone:date("%c", epoch), ("%s %d"):format(name, epoch))
      end
    end
  end)

  it("takes the first of two, and the later for one that is left out", function()
    local london = zones.find "Europe/London"
    assert.equal(1729990800 - 3600 + 1800, london:epoch(2024, 10, 27, 1, 30)) -- 01:30 is there twice
    assert.equal("02:30", london:date("%H:%M", london:epoch(2024, 3, 31, 1, 30)))
    assert.equal(london:epoch(2024, 3, 1), london:epoch(2024, 2, 30))
    assert.equal(zones.find "UTC":epoch(2024, 1, 1), 1704067200)
  end)

  it("is found by the ways of TZ, or not at all", function()
    assert.equal("Europe/London", zones.find(":Europe/London").name)
    assert.equal(3600, (zones.find "/usr/share/zoneinfo/Europe/Berlin":offset(1704067200)))
    for _, name in ipairs { "Europe/Nowhere", "", "../../../etc/passwd", "Europe", "/etc/passwd", "CET-", "X1",
      "CET-1CEST,M13.1.0,M1.1.0" } do
      local zone, message = zones.find(name)
      assert.is_nil(zone, name)
      assert.matches("there is no time zone", message)
    end
  end)
end)
