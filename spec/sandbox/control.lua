-- /control/…: what a test asks of the sandbox itself, always for one scenario id.
local capacity = require "capacity"
local json = require "json"
local oauth = require "oauth"
local state = require "state"

local control = {}

local function sorted_keys(set)
  local keys = json.array()
  for key in pairs(set) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

-- A table with string or number keys as an object of json.lua.
local function object(counts)
  local out = {}
  for _, key in ipairs(sorted_keys(counts)) do
    out[#out + 1] = tostring(key)
    out[#out + 1] = counts[key]
  end
  return out
end

local function stats(id)
  local s = state.of(id)
  local line_average, line_max = capacity.line_of(s)
  return {
    "calls", s.calls, "by_status", object(s.by_status), "aborted", s.aborted, "max_in_flight", s.max_in_flight,
    "in_flight", s.in_flight, "connections", #sorted_keys(s.connections), "token_calls", s.token_calls,
    "refreshes", s.refreshes, "refused", s.refused,
    "line_average", line_average, "line_max", line_max, "paths", object(s.paths), "log", json.array(state.log_lines(s)),
    "authorizations", sorted_keys(s.authorizations), "user_agents", sorted_keys(s.user_agents),
    "protocols", sorted_keys(s.protocols),
  }
end

local commands = {
  health = function() return { "ok", true } end,
  stats = stats,
  reset = function(id)
    state.reset(id)
    return { "ok", true }
  end,
  expire = function(id)
    oauth.expire(state.of(id))
    return { "ok", true }
  end,
}

-- The answer to GET /control/NAME?id=ID, or nil.
function control.answer(name, args)
  local command = commands[name]
  if not command then return nil end
  return { status = 200, headers = {}, body = json.encode(command(args.id or "default")) }
end

return control
