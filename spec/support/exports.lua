--- Exports that are ended at random moments, again and again, until they are whole: what the file then holds, and what a reader saw
-- meanwhile. For spec/export/kill_spec.lua, and longer by hand:
--
--   sh spec/one.sh spec/support/exports.lua db 50 9 KILL   (target, kills, seed, signal)

local command = require "spec.support.command"
local helper = require "spec.support.helper"

local M = {}

--- Runs a shell command: its output with stderr, and its status.
function M.sh(line)
  local pipe = assert(io.popen(line .. " 2>&1", "r"))
  local said = pipe:read "a"
  local _, _, status = pipe:close()
  return said, status
end

--- Runs `calira ARGUMENTS` at a base URL, by default the sandbox as it is: stdout, stderr, status.
function M.calira(arguments, url)
  return command.run(arguments, { env = { CALIRA_BASE_URL = url or (helper.url ""), TZ = "UTC" } })
end

M.folder, M.read = command.folder, command.read

--- The command that exports lab 102 of a scenario.
function M.command(url, target, more)
  return ("env CALIRA_TOKEN=%s CALIRA_BASE_URL='%s' lua5.4 bin/calira export %s --lab 102 %s"):format(helper.token, url, target, more or "")
end

--- What a file holds: an array of its rows, each `id` and `cost`, in order of the file.
function M.rows(path)
  local rows = {}
  if path:find "%.csv$" then
    local file <close> = assert(io.open(path))
    local names = {}
    for name in file:read("l"):gsub("\r", ""):gmatch "[^,]+" do names[#names + 1] = name end
    for line in file:lines() do
      local row, place = {}, 1
      -- The sandbox has no line breaks in its texts; a quoted cell may hold commas.
      for cell in (line:gsub("\r$", ",")):gmatch '("?[^,]*"?),' do
        row[names[place]], place = cell, place + 1
      end
      assert(place == #names + 1, "a joined or a torn row: " .. line)
      rows[#rows + 1] = row
    end
    return rows
  end
  local said = M.sh(("sqlite3 -cmd '.timeout 5000' -separator ' ' %s 'PRAGMA integrity_check; SELECT id, cost FROM bookings'"):format(path))
  assert(said:find "^ok\n", said)
  for id, cost in said:gmatch "(%d+) ([%d.-]*)\n" do rows[#rows + 1] = { id = id, cost = cost } end
  return rows
end

--- A database is never damaged, not even for a moment.
local function check(path)
  if not path:find "%.db$" then return end
  local said = M.sh(("test ! -e %s || sqlite3 -cmd '.timeout 5000' %s 'PRAGMA integrity_check'"):format(path, path))
  assert(said == "ok\n" or said == "", said)
end

--- The differences of two sets of rows, as texts; empty where each booking is there once, with its cost.
function M.differences(rows, truth)
  local seen, wrong = {}, {}
  for _, row in ipairs(rows) do
    if seen[row.id] then wrong[#wrong + 1] = row.id .. " twice" end
    seen[row.id] = row
  end
  for _, row in ipairs(truth) do
    local own = seen[row.id]
    if not own then wrong[#wrong + 1] = row.id .. " lost" elseif own.cost ~= row.cost then wrong[#wrong + 1] = row.id .. " has another cost" end
  end
  if #rows > #truth then wrong[#wrong + 1] = "more rows than there are bookings" end
  return wrong
end

local READER <const> = [[
  local luasql, core = require "luasql.sqlite3", require "calira.core"
  local path, stop, longest, reads, failed = "%s", "%s", 0, 0, 0
  local late = core.now() + 120
  repeat
    local begun = core.now()
    local database = luasql.sqlite3():connect(path, 1000)
    local cursor, message = database:execute "SELECT count(*), sum(seen_in) FROM bookings"
    if cursor then cursor:fetch() cursor:close() reads = reads + 1
    elseif message:find "locked" then failed = failed + 1 end
    database:close()
    longest = math.max(longest, core.now() - begun)
    core.sleep(0.005)
    local file = io.open(stop)
    if file then file:close() end
  until not file or core.now() > late
  print(longest, reads, failed)
]]

--- Begins to read a database again and again, where that is wanted. `stop()` ends it: the longest read in seconds, how many reads, how
--- many were locked out.
function M.reader(path, wanted)
  local script, stop, pipe = os.tmpname(), os.tmpname(), nil
  if wanted then
    local file <close> = assert(io.open(script, "w"))
    file:write(READER:format(path, stop))
    file:close()
    pipe = assert(io.popen("lua5.4 " .. script))
  end
  local reader = {}
  function reader.stop()
    os.remove(stop)
    local longest, reads, failed
    if pipe then
      longest, reads, failed = pipe:read("n", "n", "n")
      pipe:close()
    end
    pipe = nil
    os.remove(script)
    return longest or 0, reads or 0, failed or 0
  end
  return setmetatable(reader, { __close = reader.stop })
end

local function remove(path)
  for _, ending in ipairs { "", ".lock", ".part", ".part.new", ".cursor", ".cursor.new", "-journal" } do os.remove(path .. ending) end
end

--- Exports until so many exports were ended on the way; each export that gets to its end is compared.
---@param options table `target`: "db" or "csv"; `kills`; `seed`; `signal`: "KILL" or "TERM"; `scenario`; `more`: arguments
---@return table result `kills`, `whole` (exports that ended), `wrong` (differences), `longest`, `reads`, `locked` (of the reader)
function M.torment(options)
  local path, calm = os.tmpname(), os.tmpname()
  os.remove(path)
  os.remove(calm)
  path, calm = path .. "." .. options.target, calm .. "." .. options.target
  math.randomseed(options.seed)
  local url = helper.url(options.scenario)
  local begun = helper.now()
  local said, status = M.sh(M.command(url, calm, options.more))
  assert(status == 0, said)
  local length, truth = helper.now() - begun, M.rows(calm)
  remove(calm)
  local result = { kills = 0, whole = 0, wrong = {}, bookings = #truth, rounds = 0, length = length }
  local reader <close> = M.reader(path, options.target == "db")
  repeat
    result.rounds = result.rounds + 1
    local after = ("%.3f"):format(0.02 + math.random() * length * 0.9)
    said, status = M.sh(("timeout -s %s %s %s"):format(options.signal, after, M.command(url, path, options.more)))
    if status == 137 or status == 124 then
      result.kills = result.kills + 1
      check(path)
    else
      if status ~= 0 then result.wrong[#result.wrong + 1] = said end
      local wrong = M.differences(M.rows(path), truth)
      table.move(wrong, 1, #wrong, #result.wrong + 1, result.wrong)
      result.whole = result.whole + 1
      if options.target == "csv" or result.kills < options.kills then remove(path) end
    end
  until result.kills >= options.kills and (status == 0 or #result.wrong > 0) or result.rounds > 20 * options.kills + 20
  result.longest, result.reads, result.locked = reader.stop()
  remove(path)
  return result
end

if arg and arg[0]:find "exports%.lua$" then
  local target, kills, seed, signal = arg[1] or "db", tonumber(arg[2]) or 50, tonumber(arg[3]) or 1, arg[4] or "KILL"
  local result = M.torment {
    target = target, kills = kills, seed = seed, signal = signal, scenario = "bookings=300;per=10;latency=10", more = "--details",
  }
  print(("%s: %d of SIG%s in %d runs, %d exports ended whole (%d bookings each), wrong: %d; %d reads, longest %.3f s, locked out %d"):format(
    target, result.kills, signal, result.rounds, result.whole, result.bookings, #result.wrong, result.reads, result.longest, result.locked))
  for _, each in ipairs(result.wrong) do print(each) end
  os.exit(#result.wrong == 0 and result.locked == 0)
end

return M
