--- Workers that export together into PostgreSQL and are killed at random moments: what the database holds in the end. For
-- spec/export/fleet_spec.lua, and larger by hand (labs, bookings each, workers, kills of each worker, seed, --details):
--
--   sh spec/one.sh spec/support/fleet_export.lua 45 445 4 30 9 --details

local helper = require "spec.support.helper"
local postgres = require "spec.support.postgres"

local M = {}

--- One worker: killed so many times after a random while, then left to work until the run is over. Prints its status at the end.
local WORKER <const> = [[
kills=0; seed=%d
while [ $kills -lt %d ]; do
  seed=$(( (seed * 1103515245 + 12345) %% 2147483648 ))
  timeout -s KILL "0.$(( 150 + seed / 65536 %% 700 ))" %s >/dev/null 2>&1
  status=$?
  [ $status -eq 137 ] || { [ $status -ne 0 ] || break; cat %s.err; exit $status; }
  kills=$((kills + 1))
done
%s >%s.out 2>%s.err
status=$?
echo "$status $kills"
[ $status -eq 0 ] || cat %s.err >&2
]]

--- Runs workers until all have ended.
---@param o table `database`, `scenario`, `id`, `workers`, `kills`, `seed`, `more`: arguments
---@return table seen `seconds`, `statuses`, `kills`
function M.run(o)
  local dsn = ("postgresql:///postgres?host=%s&user=tester"):format(o.database.folder)
  local line = ("env CALIRA_TOKEN=%s CALIRA_BASE_URL='%s' lua5.4 bin/calira export '%s' %s"):format(
    helper.token, (helper.url(o.scenario, o.id)), dsn, o.more or "")
  local folder = os.tmpname()
  os.remove(folder)
  os.execute("mkdir " .. folder)
  local script = {}
  for i = 1, o.workers do
    local path = folder .. "/" .. i
    script[#script + 1] = "(" .. WORKER:format(o.seed + 7919 * i, o.kills, line, path, line, path, path, path) .. ") &"
  end
  script[#script + 1] = "wait"
  local file <close> = assert(io.open(folder .. "/run", "w"))
  file:write(table.concat(script, "\n"))
  file:close()
  local begun = helper.now()
  local pipe <close> = assert(io.popen("sh " .. folder .. "/run"))
  local text = pipe:read "a"
  local seen = { seconds = helper.now() - begun, statuses = {}, kills = 0, text = text }
  for status, kills in text:gmatch "(%d+) (%d+)\n" do
    seen.statuses[#seen.statuses + 1] = tonumber(status)
    seen.kills = seen.kills + tonumber(kills)
  end
  os.execute("rm -rf " .. folder)
  return seen
end

--- What a database holds of the labs of `large=LABS:BOOKINGS`: rows, distinct ids, labs, rows with what the details bring.
function M.held(database)
  local text = database:sql "SELECT count(*), count(DISTINCT id), count(DISTINCT lab_id), count(cost), count(gone_at) FROM calira_bookings"
  local rows, ids, labs, costs, gone = text:match "^(%d+)|(%d+)|(%d+)|(%d+)|(%d+)$"
  assert(rows, text)
  return { rows = tonumber(rows), ids = tonumber(ids), labs = tonumber(labs), costs = tonumber(costs), gone = tonumber(gone) }
end

if arg and arg[0]:find "fleet_export%.lua$" then
  local labs, bookings, workers = tonumber(arg[1]) or 45, tonumber(arg[2]) or 445, tonumber(arg[3]) or 4
  local database <close> = postgres.start()
  local id = helper.id()
  local seen = M.run {
    database = database, scenario = ("large=%d:%d;latency=20"):format(labs, bookings), id = id, workers = workers,
    kills = tonumber(arg[4]) or 30, seed = tonumber(arg[5]) or 9, more = "--under 9000 --run measured " .. (arg[6] or ""),
  }
  local held = M.held(database)
  print(("%d workers: %.1f s, statuses %s, %d kills; rows %d, distinct %d, labs %d, with cost %d, gone %d; calls %d; %s"):format(
    workers, seen.seconds, table.concat(seen.statuses, " "), seen.kills, held.rows, held.ids, held.labs, held.costs, held.gone,
    helper.calls(id), database:sql "SELECT sum(attempts), count(*) FILTER (WHERE state = 'done') FROM calira_labs"))
end

return M
