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

local NO_MEMORY <const> = core.failure("unauthorized", "no token: not enough memory") -- made while there is some

local function failure_of(err, what)
  if core.is_error(err) then return err end
  local text = what == core.PERMIT and "the limiter failed: " or "no token: "
  local meta = getmetatable(err)
  local said = type(err) == "table" and not (meta and meta.__tostring) and (err.message or "an error object: see the field cause") or err
  return core.failure(what == core.PERMIT and "argument" or "unauthorized", text .. tostring(said), { cause = err })
end

--- Nothing could be had: the calls that wait for it end with this error. Whatever fails here, they end.
local function fail(client, what, err)
  local ok, failure = pcall(failure_of, err, what)
  core.fail_token(client, ok and failure or NO_MEMORY)
end

if core.supply then return core.supply end -- a finalizer that ran here has loaded it meanwhile

-- Every way out of here, and out of the task, ends in core.set_token, core.permit or core.fail_token. What this raises itself the C module
-- takes for no token. What comes after one of these was an interrupt, which whoever drives the tasks gets.
core.on_supply(function(client, what, rejected)
  local supplied = false
  scheduler.service(client, function()
    suppliers[what](client, rejected)
    supplied = true
  end, function(err)
    if not supplied then return fail(client, what, err) end
    if supplied ~= "raised" then
      supplied = "raised"
      error(err, 0)
    end
  end)
end, scheduler.supplying)
core.supply = M

return M
