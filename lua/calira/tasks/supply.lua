--- What calls of a client wait for and Lua code provides: a token, and a limiter's permit. The C module says when one is wanted; a task of
-- its own fetches it, so that whoever waits, in whatever way, is served. Whatever happens in it, the calls that wait are told.

local core <const> = require "calira.core"
local scheduler <const> = require "calira.tasks.scheduler"

local M = {}

local suppliers <const> = {} -- core.TOKEN or core.PERMIT → function(client, rejected token or nil)

--- Sets what fetches a token (`core.TOKEN`): f(client, rejected) ends in `core.set_token`, or raises.
function M.register(what, f) suppliers[what] = f end

local limiters <const> = setmetatable({}, { __mode = "k" }) -- client → function

--- Gives a client its limiter, which is called before each call is sent and may wait.
function M.limit(client, limiter) limiters[client] = limiter end

suppliers[core.PERMIT] = function(client)
  limiters[client]()
  core.permit(client)
end

local function failure_of(err, what)
  if core.is_error(err) then return err end
  local text = what == core.PERMIT and "the limiter failed: " or "no token: "
  return core.failure(what == core.PERMIT and "argument" or "unauthorized", text .. tostring(err), { cause = err })
end

local function supply(client, what, rejected)
  local ok, err = pcall(suppliers[what], client, rejected)
  if ok then return end
  local told = pcall(function() core.fail_token(client, failure_of(err, what)) end)
  if not told then core.fail_token(client, nil) end -- no memory for an error object
end

core.on_supply(function(client, what, rejected)
  scheduler.service(client, supply, client, what, rejected)
end, scheduler.supplying)

return M
