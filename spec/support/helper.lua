--- What the specs share: clients of the sandbox, each with its own faults and counters, and what the sandbox saw of them.

local calira = require "calira"
local cjson = require "cjson"

local M = {}

M.origin = assert(os.getenv "CALIRA_SANDBOX", "no sandbox: run specs with sh spec/one.sh")
M.tls = os.getenv "CALIRA_SANDBOX_TLS"
M.ca = os.getenv "CALIRA_SANDBOX_CA"
M.token = "sandbox-token"

local count = 0

--- A name that no other test has: the counters of a scenario are kept by it.
function M.id()
  count = count + 1
  return ("s%d-%d"):format(os.time() % 100000, count)
end

--- The base URL of a scenario: `M.url("fail=503:3;latency=20", id)`.
function M.url(scenario, id, origin)
  return ("%s/~id=%s;%s/v1"):format(origin or M.origin, id or M.id(), scenario or ""):gsub(";/v1", "/v1")
end

--- A client of a scenario, quick in its retries; returns the client and the scenario's id.
function M.client(scenario, options)
  local id = M.id()
  local all = { base_url = M.url(scenario, id), token = M.token, backoff = { base = 0.001, max = 0.01 } }
  for name, value in pairs(options or {}) do all[name] = value end
  return calira.new(all), id
end

--- Monotonic seconds.
M.now = require "calira.core".now

--- What the sandbox saw of a scenario: see spec/sandbox/README.md.
function M.stats(id)
  local pipe <close> = assert(io.popen(("curl -s '%s/control/stats?id=%s'"):format(M.origin, id)))
  return cjson.decode(pipe:read "a")
end

--- Waits until the sandbox has seen that so many calls of a scenario were given up; fails after 5 seconds.
function M.aborted(id, expected)
  local late = M.now() + 5
  local seen
  repeat
    seen = M.stats(id).aborted
    if seen >= expected then return seen end
    os.execute "sleep 0.02"
  until M.now() > late
  error(("%d calls of %d were given up"):format(seen, expected), 2)
end

function M.control(action, id)
  local pipe <close> = assert(io.popen(("curl -s '%s/control/%s?id=%s'"):format(M.origin, action, id)))
  return pipe:read "a"
end

--- How many calls of a scenario reached the sandbox.
function M.calls(id) return M.stats(id).calls end

--- The numbers of the pages that were asked for, in order.
function M.pages_asked(id)
  local list = {}
  for _, line in ipairs(M.stats(id).log) do list[#list + 1] = tonumber(line:match "[?&]page=(%d+)") end
  table.sort(list)
  return list
end

--- Ids of an array of records; the whole numbers from first to last.
function M.ids(records)
  local list = {}
  for i, record in ipairs(records) do list[i] = record.id end
  return list
end

function M.range(first, last)
  local list = {}
  for id = first, last do list[#list + 1] = id end
  return list
end

--- The error object that a call raises.
function M.failure(f, ...)
  local ok, err = pcall(f, ...)
  assert(not ok, "no error was raised")
  assert(calira.is_error(err), "not an error object: " .. tostring(err))
  return err
end

--- Runs a Lua script in a process of its own, on the module under test: its stdout, stderr and status. `env`: a shell prefix.
function M.script(text, env)
  local path, out, err = os.tmpname(), os.tmpname(), os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  local _, _, status = os.execute(("%s lua5.4 %s >%s 2>%s </dev/null"):format(env or "", path, out, err))
  local texts = {}
  for i, name in ipairs { out, err } do
    local from <close> = assert(io.open(name))
    texts[i] = from:read "a"
  end
  for _, name in ipairs { path, out, err } do os.remove(name) end
  return texts[1], texts[2], status
end

return M
