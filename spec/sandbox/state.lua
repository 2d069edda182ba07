-- What is counted for each scenario id. There is one worker, so plain tables do.
local capacity = require "capacity"

local state = {}

local LOG_LINES, PATHS = 2000, 50000

local states = {}

local function new()
  return {
    calls = 0, aborted = 0, in_flight = 0, max_in_flight = 0, token_calls = 0, refreshes = 0,
    refused = 0, line = capacity.new_line(), by_status = {}, paths = {}, path_count = 0, log = {}, logged = 0,
    connections = {}, authorizations = {}, user_agents = {}, protocols = {},
  }
end

function state.of(id)
  local s = states[id]
  if not s then
    s = new()
    states[id] = s
  end
  return s
end

-- Forgets the id: counters, tokens, drift.
function state.reset(id)
  states[id] = nil
end

local function add(set, value)
  if value then set[value] = true end
end

-- Counts a call that has come; returns its entry in the log, which `leave` completes.
function state.enter(s, line, path)
  s.in_flight = s.in_flight + 1
  s.max_in_flight = math.max(s.max_in_flight, s.in_flight)
  if s.paths[path] or s.path_count < PATHS then
    s.path_count = s.path_count + (s.paths[path] and 0 or 1)
    s.paths[path] = (s.paths[path] or 0) + 1
  end
  local var = ngx.var
  add(s.connections, var.connection)
  add(s.authorizations, var.http_authorization)
  add(s.user_agents, var.http_user_agent)
  add(s.protocols, var.server_protocol)
  local entry = { line = line }
  s.logged = s.logged + 1
  s.log[(s.logged - 1) % LOG_LINES + 1] = entry
  return entry
end

function state.leave(s, entry, status, aborted)
  s.in_flight = s.in_flight - 1
  s.aborted = s.aborted + (aborted and 1 or 0)
  s.by_status[status] = (s.by_status[status] or 0) + 1
  entry.status = status
end

-- The log, oldest first: "GET /v1/bookings?page=1 200", and "…" in place of the status while it runs.
function state.log_lines(s)
  local out = {}
  for n = math.max(1, s.logged - LOG_LINES + 1), s.logged do
    local entry = s.log[(n - 1) % LOG_LINES + 1]
    out[#out + 1] = entry.line .. " " .. (entry.status or "...")
  end
  return out
end

return state
