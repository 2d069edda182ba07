--- See smoke.sh. Prints what it counted, and fails where that is beyond the bounds.

--- What is allowed, a little above what was measured (in brackets); callgrind's counts vary by about one in a hundred. Lower a bound when
--- the code gets better; the goal of the first is 0.9.
local BOUNDS <const> = {
  list = 1.75, -- instructions a record of a list takes, over those of floor.c without gzip (1.65)
  require = 22.5, -- millions of instructions of require "calira" where libcurl and lua-cjson are loaded (21.0)
}

local FEW <const>, MANY <const> = 5, 25 -- pages; the difference holds no start and no end of a process
local CLIENT <const> = "lua5.4 spec/bench/clients/calira.lua"

local ids = 0

--- A scenario with counters of its own: its base URL and its id.
local function scenario(keys)
  ids = ids + 1
  local id = ("smoke%d-%d"):format(os.time(), ids)
  return ("%s/~id=%s;%s/v1"):format(os.getenv "CALIRA_SANDBOX", id, keys), id
end

local function output_of(command)
  local pipe <close> = assert(io.popen(command))
  return pipe:read "a"
end

local failures = 0

local function judge(good, text, ...)
  print((good and "ok      " or "FAILED  ") .. text:format(...))
  failures = failures + (good and 0 or 1)
end

--- The calls that a walk made, with what it printed first: the number of its records.
local function check_calls(what, keys, records, calls)
  local url, id = scenario(keys)
  local found = tonumber(output_of(("%s %s '%s'"):format(CLIENT, what, url)):match "^%d+")
  local made = tonumber(output_of(("curl -s '%s/control/stats?id=%s'"):format(os.getenv "CALIRA_SANDBOX", id)):match '"calls":(%d+)')
  judge(found == records and made == calls, "%s: %s of %d records in %s calls, %d expected", what, found, records, made, calls)
end

--- Instructions of a command, whose output has to begin with `expected`.
local function instructions(command, expected)
  local text = output_of("valgrind --tool=callgrind --callgrind-out-file=/dev/null " .. command .. " 2>&1")
  local count = tonumber(text:match "Collected : (%d+)")
  if not count or expected and not text:find("\n" .. expected .. "%f[%D]") then error(command .. ": " .. text) end
  return count
end

--- A file with the addresses of pages.
local function addresses(url, pages)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "w"))
  for page = 1, pages do file:write(("%s/bookings?page=%d&per_page=100&provider_account=102\n"):format(url, page)) end
  return path
end

local function of_floor(pages)
  local path = addresses(scenario("bookings=" .. 100 * pages), pages)
  local count = instructions("build/bench/floor " .. path, 100 * pages)
  os.remove(path)
  return count
end

local function of_list(pages)
  return instructions(("%s list '%s'"):format(CLIENT, (scenario("bookings=" .. 100 * pages))), 100 * pages)
end

--- Instructions of one record more.
local function a_record(count)
  return (count(MANY) - count(FEW)) / (100 * (MANY - FEW))
end

check_calls("list", "bookings=20000", 20000, 200)
check_calls("details", "bookings=150", 150, 152)
check_calls("under", "large=20:300", 6000, 1 + 20 * 3)

local floor, list = a_record(of_floor), a_record(of_list)
judge(list <= BOUNDS.list * floor, "a record of a list: %.0f instructions, %.2f times the %.0f of libcurl and lua-cjson alone (%.2f allowed)",
  list, list / floor, floor, BOUNDS.list)

local REQUIRE <const> = "lua5.4 spec/bench/clients/require.lua"
local require_takes = (instructions(REQUIRE) - instructions(REQUIRE .. " without")) / 1e6
judge(require_takes <= BOUNDS.require, "require: %.1f million instructions (%.1f allowed)", require_takes, BOUNDS.require)

os.exit(failures == 0)
