--- calira: the Calira API (formerly Clustermarket), by which laboratories book shared instruments, for Lua 5.4.
--
--   for b in calira.bookings{ provider = 102 } do print(b.id, b.status, b.equipment.name) end
--
-- This file is the face of the library: names, and where each is made. types.lua describes them for editors.

local core <const> = require "calira.core"

if core.calira then return core.calira end -- package.loaded was cleared: one engine, one library

core.hide(debug.getinfo(1, "S").source:gsub("init%.lua$", "")) -- frames of this folder are not the user's

local client <const> = require "calira.api.client"
local environment <const> = require "calira.api.environment"
local generator <const> = require "calira.tasks.generator"
local forms <const> = require "calira.values.forms"
local money <const> = require "calira.values.money"
local oauth <const> = require "calira.oauth"
local scheduler <const> = require "calira.tasks.scheduler"
local time <const> = require "calira.values.time"

local M = {
  _VERSION = "calira " .. core.version,
  null = core.null, is_error = core.is_error,
  new = client.new, default = environment.default, configure = environment.configure,
  time = time.parse, seconds = time.seconds, add = money.add, answers = forms.answers,
  run = scheduler.run, spawn = scheduler.spawn, gather = scheduler.gather, sleep = scheduler.sleep,
  generator = generator.generator, step = scheduler.step,
  pollfd = core.pollfd, events = core.events, timeout = core.timeout,
  oauth = {
    authorize_url = oauth.authorize_url, exchange = oauth.exchange, file_store = oauth.file_store, postgres_store = oauth.postgres_store,
  },
}

--- The function, unless it is called with a colon on `owner`.
local function dotted(owner, full_name, f)
  return function(...)
    if (...) == owner then
      core.raise("argument", ("on the module, calls take a dot: calira.%s(…)"):format(full_name))
    end
    return f(...)
  end
end

-- Those left as they are take anything (is_error), or are what cqueues calls with a colon on whatever it polls.
for _, name in ipairs { "new", "default", "configure", "time", "seconds", "add", "answers", "run", "spawn", "gather", "sleep", "generator" } do
  M[name] = dotted(M, name, M[name])
end
for name, f in pairs(M.oauth) do M.oauth[name] = dotted(M.oauth, "oauth." .. name, f) end

--- Every method of a client is a function of the module too, on the default client.
for name, method in pairs(client.methods) do
  M[name] = dotted(M, name, function(...) return method(environment.default(), ...) end)
end

core.calira = M

return M --[[@as calira]]
