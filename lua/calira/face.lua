--- calira: the Calira API (formerly Clustermarket), by which laboratories book shared instruments, for Lua 5.4.
--
--   for b in calira.bookings{ provider = 102 } do print(b.id, b.status, b.equipment.name) end
--
-- This file is the face of the library: names, and where each is made. init.lua only checks the version of Lua; types.lua is for editors.

local core <const> = require "calira.core"

if core.calira then return core.calira end -- package.loaded was cleared: one engine, one library

core.hide(debug.getinfo(1, "S").source:gsub("face%.lua$", "")) -- frames of this folder are not the user's

local client <const> = require "calira.api.client"
local environment <const> = require "calira.api.environment"

--- A function of a module that is loaded when it is first called.
local function later(module, name)
  local f
  return function(...)
    f = f or require(module)[name]
    return f(...)
  end
end

local M = {
  _VERSION = "calira " .. core.version,
  null = core.null, is_error = core.is_error,
  new = client.new, default = environment.default, configure = environment.configure,
  time = later("calira.values.time", "parse"), seconds = later("calira.values.time", "seconds"),
  add = later("calira.values.money", "add"), answers = later("calira.values.forms", "answers"),
  run = later("calira.tasks.scheduler", "run"), spawn = later("calira.tasks.scheduler", "spawn"),
  gather = later("calira.tasks.scheduler", "gather"), step = later("calira.tasks.scheduler", "step"),
  generator = later("calira.tasks.generator", "generator"), sleep = core.sleep,
  pollfd = core.pollfd, events = core.events, timeout = core.timeout,
  oauth = {},
}
for _, name in ipairs { "authorize_url", "exchange", "file_store", "postgres_store" } do M.oauth[name] = later("calira.oauth", name) end

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
