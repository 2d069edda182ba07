--- The rows of the benchmark, as data. A row:
---
---   name, title         what run.sh chooses it by, what it is
---   scenario, paths     of the sandbox, and what peers ask for there: the same as this library does
---   records             what every client has to find
---   clients             see below; the first is the base of ×, unless `base` is seconds, or `best` the prefix of the names of those whose
---                       fastest is the base
---   goals               { client, field [, divided by: another client, or a field of its own], at_most = number | exactly = number }
---   together            the clients of a round run at the same time: they sleep nearly all of it
---   runs                of each client in a round, 1
---
--- A client: name, command (a function of what bench.lua knows of the run), and, where they differ, `scenario`, `records`, `tls`;
--- `needs`: a peer or an option of this library without which it is left out.

local M = {}

-- ── Clients ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local function calira(name, what, options, more)
  local client = more or {}
  client.name, client.fields = name, { "records", "own_cpu" }
  client.command = function(run) return ("lua5.4 spec/bench/clients/calira.lua %s '%s' %s"):format(what, run.url, options or "") end
  return client
end

local function over_files(name, command, needs)
  return { name = name, needs = needs, fields = { "records" }, command = function(run) return ("%s '%s'"):format(command, run.file) end }
end

local CURL <const> = "curl -s -Z --parallel-max 8 --compressed --cacert '%s' -H 'Authorization: Bearer %s' -K '%s'"
local function curl(name, more)
  local client = more or {}
  client.name, client.fields = name, {}
  client.command = function(run) return CURL:format(os.getenv "CALIRA_SANDBOX_CA", os.getenv "CALIRA_TOKEN", run.config) end
  return client
end

local floor <const> = over_files("C: libcurl, cjson", "build/bench/floor")
local floor_gzip <const> = over_files("the same, asking for gzip", "build/bench/floor gzip")
local luasocket <const> = over_files("LuaSocket, cjson", "lua5.4 spec/bench/clients/luasocket.lua", "LuaSocket")
local lua_http <const> = over_files("lua-http, dkjson", "lua5.1 spec/bench/clients/lua_http.lua", "lua-http")
local requests <const> = over_files("requests", "/usr/bin/python3 spec/bench/clients/with_requests.py", "requests")
local aiohttp <const> = over_files("aiohttp, 8 in flight", "/usr/bin/python3 spec/bench/clients/with_aiohttp.py", "aiohttp")

--- Peers that may not be there: what finds out, and the package that brings it. Python is Debian's, whatever comes before it in PATH.
M.peers = {
  { name = "LuaSocket", test = [[lua5.4 -e 'require "socket.http"']], package = "lua-socket" },
  { name = "lua-http", test = [[lua5.1 -e 'require "http.request" require "dkjson"']], package = "lua5.1 lua-http lua-dkjson" },
  { name = "requests", test = "/usr/bin/python3 -c 'import requests'", package = "python3-requests" },
  { name = "aiohttp", test = "/usr/bin/python3 -c 'import aiohttp'", package = "python3-aiohttp" },
  { name = "adaptive", test = "lua5.4 spec/bench/clients/calira.lua supports adaptive" },
}

-- ── What is asked for ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local function pages(count, paths, lab)
  for page = 1, count do paths[#paths + 1] = ("/bookings?page=%d&per_page=100&provider_account=%d"):format(page, lab or 102) end
  return paths
end

local function two_thousand_details()
  local paths = pages(20, {})
  for id = 12345, 14344 do paths[#paths + 1] = "/bookings/" .. id end
  return paths
end

local function hundred_labs()
  local paths = { "/accounts?page=1&per_page=100", "/accounts?page=2&per_page=100" }
  for lab = 9001, 9100 do pages(3, paths, lab) end
  return paths
end

-- ── Rows ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local BUCKET <const>, BUCKET_IDEAL <const> = "latency=20;bookings=20000;bucket=20:10", (200 - 10) / 20

local function bucket(title, scenario)
  return {
    name = "bucket", title = title, scenario = scenario, records = 20000, together = true, base = BUCKET_IDEAL,
    clients = { calira("calira", "list"), calira("calira, adaptive = false", "list", "adaptive=false", { needs = "adaptive" }) },
    goals = {
      { "calira", "wall", BUCKET_IDEAL, at_most = 1.15 },
      { "calira", "refused_share", at_most = 0.03 },
    },
  }
end

--- A client that has so many calls in flight, whatever the service does. `fixed`: "adaptive=false" where the library knows it.
local function in_flight(count, fixed)
  return calira("fixed, " .. count, "list", ("max_in_flight=%d lookahead=%d %s"):format(count, count, fixed))
end

---@param has table<string, boolean> peers and options that are there
function M.rows(has)
  local fixed = has.adaptive and "adaptive=false" or ""
  return {
    {
      name = "list", title = "200 pages of 100, 20 ms", scenario = "latency=20;bookings=20000", paths = pages(200, {}), records = 20000,
      clients = {
        curl "curl -Z", calira("calira", "list"), calira("calira, lookahead = 8", "list", "lookahead=8"), aiohttp, luasocket, requests,
        lua_http,
      },
      goals = { { "calira", "wall", "curl -Z", at_most = 1.03 }, { "calira", "calls", exactly = 200 } },
    },
    {
      name = "cpu", title = "200 pages, no latency", scenario = "bookings=20000", paths = pages(200, {}), records = 20000,
      clients = { floor, floor_gzip, calira("calira", "list"), luasocket, requests, aiohttp, lua_http },
      goals = { { "calira", "cpu", "LuaSocket, cjson", at_most = 1 }, { "calira", "calls", exactly = 200 } },
    },
    {
      name = "cpu", title = "2,000 pages, no latency", scenario = "bookings=200000", paths = pages(2000, {}), records = 200000,
      clients = { floor, floor_gzip, calira("calira", "list"), luasocket },
      goals = { { "calira", "cpu", "C: libcurl, cjson", at_most = 0.9 }, { "calira", "calls", exactly = 2000 } },
    },
    {
      name = "details", title = "details of 2,000, 20 ms", scenario = "latency=20;bookings=2000", paths = two_thousand_details(),
      records = 2000, clients = { curl "curl -Z", calira("calira", "details"), },
      goals = { { "calira", "wall", "curl -Z", at_most = 1.02 }, { "calira", "calls", exactly = 2020 } },
    },
    {
      name = "under", title = "under 100 labs of 3 pages, 20 ms", scenario = "latency=20;large=100:300", paths = hundred_labs(),
      records = 30000, clients = { curl "curl -Z", calira("calira", "under"), calira("calira, lookahead = 8", "under", "lookahead=8") },
      goals = { { "calira", "wall", "curl -Z", at_most = 1.08 }, { "calira", "calls", exactly = 302 } },
    },
    {
      name = "first", title = "first record; leaving; 20 ms", scenario = "latency=20;bookings=20000",
      clients = { calira("calira", "first") }, fields = { "page", "first", "leaving" },
      goals = { { "calira", "first", "page", at_most = 1.05 }, { "calira", "leaving", at_most = 0.010 } },
    },
    {
      name = "million", title = "1,000,000 records against 10,000",
      clients = {
        calira("10,000", "list", "", { scenario = "bookings=10000", records = 10000 }),
        calira("1,000,000", "list", "", { scenario = "bookings=1000000", records = 1000000 }),
      },
      goals = { { "1,000,000", "peak", "-10,000", at_most = 4096 }, { "1,000,000", "own_cpu_per_record", "10,000" } },
    },
    {
      name = "http2", title = "200 pages over HTTP/2, 20 ms", scenario = "latency=20;bookings=20000", paths = pages(200, {}),
      records = 20000,
      clients = {
        calira("calira, HTTP/1.1", "list"), calira("calira, HTTP/2", "list", "", { tls = true }),
        curl("curl -Z, HTTP/2", { tls = true }),
      },
      goals = { { "calira, HTTP/2", "wall", "calira, HTTP/1.1", at_most = 1.03 }, { "calira, HTTP/2", "connections", exactly = 1 } },
    },
    bucket("20 calls a second, 10 at once, Retry-After; × of the ideal", BUCKET),
    bucket("the same without Retry-After", BUCKET .. ";bucket429=none"),
    {
      name = "workers", title = "two workers of 50 ms; × of the best fixed", scenario = "workers=2:50;bookings=20000", records = 20000,
      clients = { in_flight(2, fixed), in_flight(3, fixed), in_flight(4, fixed), in_flight(8, fixed), calira("calira", "list") },
      together = true, best = "fixed",
      goals = { { "calira", "wall", "best", at_most = 1.05 }, { "calira", "line_average", at_most = 1.5 } },
    },
    {
      name = "room", title = "a service with room, 20 ms", scenario = "latency=20;bookings=20000", records = 20000,
      clients = { calira("adaptive = false", "list", "adaptive=false", { needs = "adaptive" }), calira("calira", "list") },
      goals = { { "calira", "wall", "adaptive = false", at_most = 1.03 } },
    },
    {
      name = "require", title = 'require "calira", libcurl and cjson loaded', runs = 5, fields = { "require" },
      clients = { { name = "calira", command = function() return "lua5.4 spec/bench/clients/require.lua" end } },
      goals = { { "calira", "require", at_most = 0.0012 } },
    },
  }
end

return M
