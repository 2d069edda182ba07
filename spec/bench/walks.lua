-- See run.sh. Run as `walks.lua PAIRS`, it starts itself as `walks.lua walk URL RECORDS` for each walk.

local calira = require "calira"

local PAGES <const>, PER_PAGE <const>, AT_ONCE <const> = 200, 100, 8
local TOKEN <const> = "sandbox-token"

--- A walk over the bookings of lab 102, in a process of its own: prints records, calls and the peak of its memory in KiB.
local function walk(url, expected)
  local client = calira.new{ base_url = url, token = TOKEN, lookahead = AT_ONCE, ca_file = os.getenv "CALIRA_SANDBOX_CA" }
  local count = 0
  for _ in client:bookings{ provider = 102 } do count = count + 1 end
  assert(count == tonumber(expected), "records missing: " .. count)
  local peak = "?"
  for line in io.lines "/proc/self/status" do peak = line:match "^VmHWM:%s*(%d+)" or peak end
  print(count, client:stats().calls, peak)
end

if arg[1] == "walk" then return walk(arg[2], arg[3]) end

-- ── Measuring ─────────────────────────────────────────────────────────────────────────────────────────────────────────

local now = require("calira.core").now

local function median(values)
  table.sort(values)
  return values[(#values + 1) // 2]
end

local function run_walk(url, records)
  local pipe <close> = assert(io.popen(("lua5.4 spec/bench/walks.lua walk '%s' %d"):format(url, records)))
  local _, calls, peak = assert(pipe:read "a"):match "(%d+)%s+(%d+)%s+(%d+)"
  return tonumber(calls), tonumber(peak)
end

--- A config file for curl that asks for the same pages.
local function curl_config(url)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "w"))
  for page = 1, PAGES do
    file:write(('url = "%s/bookings?page=%d&per_page=%d&provider_account=102"\noutput = "/dev/null"\n')
      :format(url, page, PER_PAGE))
  end
  return path
end

local function timed(f, ...)
  local started = now()
  local result = f(...)
  return now() - started, result
end

local function compare(name, origin, pairs_wanted)
  local url = ("%s/~id=bench-%s;latency=20;bookings=%d/v1"):format(origin, name, PAGES * PER_PAGE)
  local config = curl_config(url)
  local command = ("curl -s -Z --parallel-max %d --compressed --cacert '%s' -H 'Authorization: Bearer %s' -K %s 2>/dev/null")
    :format(AT_ONCE, os.getenv "CALIRA_SANDBOX_CA", TOKEN, config)
  local ours, theirs, ratios, calls = {}, {}, {}, nil
  os.execute(command) -- the sandbox renders each page once
  for i = 1, pairs_wanted do
    theirs[i] = timed(os.execute, command)
    ours[i], calls = timed(run_walk, url, PAGES * PER_PAGE)
    ratios[i] = ours[i] / theirs[i]
  end
  os.remove(config)
  print(("%-8s walk %.3f s, curl -Z %.3f s, ratio %.2f (%.2f to %.2f, %d pairs), %d calls"):format(
    name, median(ours), median(theirs), median(ratios), ratios[1], ratios[#ratios], pairs_wanted, calls))
end

local function memory()
  local peaks = {}
  for i, records in ipairs { 10000, 1000000 } do
    local url = ("%s/~id=bench-m%d;bookings=%d/v1"):format(os.getenv "CALIRA_SANDBOX", i, records)
    local _, peak = run_walk(url, records)
    peaks[i] = peak
  end
  print(("memory   peak %.1f MiB over 10,000 records, %.1f MiB over 1,000,000: %.1f MiB more"):format(
    peaks[1] / 1024, peaks[2] / 1024, (peaks[2] - peaks[1]) / 1024))
end

compare("http1.1", os.getenv "CALIRA_SANDBOX", tonumber(arg[1]))
compare("http2", os.getenv "CALIRA_SANDBOX_TLS", tonumber(arg[1]))
memory()
