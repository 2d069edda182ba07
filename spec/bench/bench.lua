--- Runs the rows of rows.lua and prints the table: bench.lua DIRECTORY ROUNDS [ROW …]. Started by run.sh, in a sandbox.

local rows = require "spec.bench.rows"

local DIRECTORY <const>, ROUNDS <const> = arg[1], assert(math.tointeger(arg[2]), "rounds: a whole number")

-- ── Processes ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local function output_of(command)
  local pipe <close> = assert(io.popen(command))
  return pipe:read "a"
end

local function text_of(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

local function write_lines(path, lines)
  local file <close> = assert(io.open(path, "w"))
  file:write(table.concat(lines, "\n"), "\n")
end

local runs_made = 0

--- What a client is told of one run: a scenario's base URL with counters of its own, and files with the addresses that peers ask for.
local function prepare(row, client)
  runs_made = runs_made + 1
  local run = { id = "bench" .. runs_made, client = client, row = row }
  local origin = os.getenv(client.tls and "CALIRA_SANDBOX_TLS" or "CALIRA_SANDBOX")
  run.url = ("%s/~id=%s;%s/v1"):format(origin, run.id, client.scenario or row.scenario or "seed=1")
  run.file, run.config = ("%s/%s.urls"):format(DIRECTORY, run.id), ("%s/%s.curl"):format(DIRECTORY, run.id)
  local urls, config = {}, {}
  for i, path in ipairs(row.paths or {}) do
    urls[i] = run.url .. path
    config[i] = ('url = "%s"\noutput = "/dev/null"'):format(urls[i])
  end
  write_lines(run.file, urls)
  write_lines(run.config, config)
  run.output, run.errors = ("%s/%s.out"):format(DIRECTORY, run.id), ("%s/%s.errors"):format(DIRECTORY, run.id)
  run.command = ("build/bench/measure %s >'%s' 2>'%s'"):format(client.command(run), run.output, run.errors)
  return run
end

--- What a run's client printed, into the fields of the row or of the client.
local function read_output(run, m)
  local text = text_of(run.output)
  local wall, cpu, peak, status = text:match "measured (%S+) (%S+) (%S+) (%S+)\n$"
  assert(wall, "the client could not be started: " .. run.command)
  m.wall, m.cpu, m.peak, m.failed = tonumber(wall), tonumber(cpu), tonumber(peak), status ~= "0"
  local value = text:gsub("measured.*$", ""):gmatch "%S+"
  for _, name in ipairs(run.row.fields or run.client.fields) do m[name] = tonumber(value() or "") end
end

--- What one run measured, by field.
local function result_of(run)
  local m = {}
  read_output(run, m)
  local stats = output_of(("curl -s '%s/control/stats?id=%s'"):format(os.getenv "CALIRA_SANDBOX", run.id))
  for _, name in ipairs { "calls", "refused", "line_average", "connections" } do
    m[name] = tonumber(stats:match(('"%s":([%%d.]+)'):format(name)))
  end
  m.refused_share = m.calls > 0 and m.refused / m.calls or 0
  local expected = run.client.records or run.row.records
  if expected and m.records and m.records ~= expected then m.failed = true end
  if m.failed then io.stderr:write(run.client.name, ": ", text_of(run.errors), "\n") end
  if m.own_cpu and m.records then m.own_cpu_per_record = m.own_cpu / m.records end
  for _, path in ipairs { run.file, run.config, run.output, run.errors } do os.remove(path) end
  return m
end

--- Runs clients one after the other, or all at once; their measurements.
local function run_all(row, clients)
  local runs, results = {}, {}
  for i, client in ipairs(clients) do runs[i] = prepare(row, client) end
  if row.together then
    local commands = {}
    for i, run in ipairs(runs) do commands[i] = run.command .. " &" end
    os.execute(table.concat(commands, "\n") .. "\nwait")
  else
    for _, run in ipairs(runs) do os.execute(run.command) end
  end
  for i, run in ipairs(runs) do results[i] = result_of(run) end
  return results
end

-- ── Measuring ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local function median(values)
  if #values == 0 then return nil end
  table.sort(values)
  local low, high = values[(#values + 1) // 2], values[#values // 2 + 1]
  return (low + high) / 2
end

--- All rounds of a row: by client's name, an array of measurements.
local function measure(row, clients)
  local results = {}
  for _, client in ipairs(clients) do results[client.name] = {} end
  if row.paths then run_all({ scenario = row.scenario, paths = row.paths }, { clients[1] }) end -- the sandbox renders each page once
  for round = 1, ROUNDS * (row.runs or 1) do
    local turn = {} -- another client begins in each round
    for i = 1, #clients do turn[i] = clients[(i + round - 2) % #clients + 1] end
    for i, m in ipairs(run_all(row, turn)) do table.insert(results[turn[i].name], m) end
  end
  return results
end

--- The median of a field of a client over all rounds; divided, round by round, by `base`: nil, a number, another client's name ("-NAME":
--- less what that one has), or another field of the same client.
local function figure(results, name, field, base)
  local values = {}
  local less = type(base) == "string" and base:match "^%-(.*)$"
  for i, m in ipairs(results[name]) do
    local value, other = m[field], base
    if less then
      other = not results[less][i].failed and results[less][i][field] or nil
    elseif type(base) == "string" then
      local of = results[base] and results[base][i]
      if of then other = not of.failed and of[field] or nil else other = m[base] end
    end
    if value and (other or base == nil) and not m.failed then
      values[#values + 1] = less and value - other or base and value / other or value
    end
  end
  return median(values)
end

local function fastest(results, prefix)
  local best
  for name in pairs(results) do
    local wall = name:sub(1, #prefix) == prefix and figure(results, name, "wall")
    if wall and (not best or wall < figure(results, best, "wall")) then best = name end
  end
  return best
end

-- ── The table ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- How a field is written where a goal names it: a factor, and a format.
local SHOWN <const> = {
  calls = { 1, "%d calls" }, connections = { 1, "%d connections" }, refused_share = { 100, "%.1f %% refused" },
  line_average = { 1, "%.2f in the line" }, leaving = { 1000, "leaving %.1f ms" }, require = { 1000, "%.2f ms" },
}

local function goal_text(goal, value, of)
  local shown = not of and SHOWN[goal[2]] or { 1, goal[2] .. " × %.2f" }
  if type(of) == "string" and of:sub(1, 1) == "-" then shown = { 1 / 1024, goal[2] .. " + %.1f MiB" } end
  local text = shown[2]:format(value * shown[1])
  if of and type(of) == "string" and not of:find "^-" then text = ("%s of %s"):format(text, of) end
  local number = goal.at_most or goal.exactly
  if not number then return text end
  local good = goal.exactly and value == number or goal.at_most and value <= number
  return ("%s (%s %g): %s"):format(text, goal.exactly and "=" or "≤", number * shown[1], good and "ok" or "**short**")
end

--- What the goals say of a client, in one cell.
local function verdict(row, results, client)
  local texts, failed = {}, 0
  for _, m in ipairs(results[client.name]) do failed = failed + (m.failed and 1 or 0) end
  if failed > 0 then texts[1] = ("**failed in %d of %d**"):format(failed, #results[client.name]) end
  for _, goal in ipairs(row.goals) do
    local of = goal[3] == "best" and fastest(results, row.best) or goal[3]
    local value = goal[1] == client.name and figure(results, client.name, goal[2], of)
    if value then texts[#texts + 1] = goal_text(goal, value, type(of) ~= "number" and of or of and "the ideal") end
  end
  if row.together and #texts == 0 then
    for _, field in ipairs { "refused_share", "line_average" } do
      local value = figure(results, client.name, field)
      if value and value > 0 then texts[#texts + 1] = SHOWN[field][2]:format(value * SHOWN[field][1]) end
    end
  end
  return table.concat(texts, "; ")
end

local function cell(pattern, value) return value and pattern:format(value) or "" end

local function print_row(row, clients, results)
  local base = row.base or row.best and fastest(results, row.best) or clients[1].name
  for i, client in ipairs(clients) do
    local name = client.name
    local own = row.fields ~= nil -- it measures itself, and its process says nothing
    print(("| %s | %s | %s | %s | %s | %s | %s | %s | %s |"):format(
      i == 1 and ("**%s**: %s"):format(row.name, row.title) or "", name,
      own and "" or cell("%.3f", figure(results, name, "wall")), own and "" or cell("%.2f", figure(results, name, "wall", base)),
      own and "" or cell("%.3f", figure(results, name, "cpu")),
      own and "" or cell("%.2f", type(base) == "string" and figure(results, name, "cpu", base)),
      own and "" or cell("%.0f", figure(results, name, "calls")), own and "" or cell("%.1f", (figure(results, name, "peak") or 0) / 1024),
      verdict(row, results, client)))
  end
  io.stdout:flush()
end

-- ── The head ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local function print_head(missing)
  local function first(command) return (output_of("{ " .. command .. "; } 2>&1"):match "^[^\n]*") end
  print(("Machine: %s, %s cores, Linux %s, load %s"):format(
    first "sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1", first "nproc", first "uname -r", first "cut -d' ' -f1-3 /proc/loadavg"))
  print(("Versions: %s at %s; %s; %s; lua-cjson %s; %s; %s"):format(
    require("calira")._VERSION, first "git describe --always --dirty", first "lua5.4 -v | sed 's/  .*//'",
    first "curl --version | cut -d' ' -f1-4", first "dpkg-query -W -f='${Version}' lua-cjson",
    first "PATH=$PATH:/usr/sbin nginx -v | sed 's/.*: //'", first "/usr/bin/python3 --version"))
  print(("Rounds: %d; medians; × is the median of the ratios within rounds, to the first client of the row or as its title says"):format(ROUNDS))
  local peers, packages = {}, {}
  for _, peer in ipairs(missing) do
    if peer.package then
      peers[#peers + 1], packages[#packages + 1] = peer.name, peer.package
    else
      print(("Left out: what needs the option %s, which this library does not know"):format(peer.name))
    end
  end
  if #peers > 0 then print(("Left out: %s; apt-get install %s"):format(table.concat(peers, ", "), table.concat(packages, " "))) end
  print ""
  print "| row | client | s | × | CPU s | × | calls | MiB | goals |"
  print "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
end

-- ── Everything ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local has, missing = {}, {}
for _, peer in ipairs(rows.peers) do
  has[peer.name] = os.execute(peer.test .. " >/dev/null 2>&1") == true
  if not has[peer.name] then missing[#missing + 1] = peer end
end

local all = rows.rows(has)
local names, wanted = {}, {}
for _, row in ipairs(all) do names[row.name] = true end
for i = 3, #arg do
  if not names[arg[i]] then
    io.stderr:write("there is no row ", arg[i], ": see rows.lua\n")
    os.exit(2)
  end
  wanted[arg[i]] = true
end

print_head(missing)
for _, row in ipairs(all) do
  local clients = {}
  for _, client in ipairs(row.clients) do
    if not client.needs or has[client.needs] then clients[#clients + 1] = client end
  end
  if not next(wanted) or wanted[row.name] then print_row(row, clients, measure(row, clients)) end
end
