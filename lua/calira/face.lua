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
  show = later("calira.values.show", "show"), mask = later("calira.values.text", "mask"),
  run = later("calira.tasks.scheduler", "run"), spawn = later("calira.tasks.scheduler", "spawn"),
  gather = later("calira.tasks.scheduler", "gather"), step = later("calira.tasks.scheduler", "step"),
  generator = later("calira.tasks.generator", "generator"), sleep = core.sleep,
  pollfd = core.pollfd, events = core.events, timeout = core.timeout,
  oauth = {}, limits = { postgres = function(given) return require "calira.limits.postgres"(given) end },
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
for _, name in ipairs {
  "new", "default", "configure", "time", "seconds", "add", "answers", "show", "mask", "run", "spawn", "gather", "sleep", "generator",
} do
  M[name] = dotted(M, name, M[name])
end
for name, f in pairs(M.oauth) do M.oauth[name] = dotted(M.oauth, "oauth." .. name, f) end
M.limits.postgres = dotted(M.limits, "limits.postgres", M.limits.postgres)

--- Every method of a client is a function of the module too, on the default client.
for name, method in pairs(client.methods) do
  M[name] = dotted(M, name, function(...) return method(environment.default(), ...) end)
end

--- A name that is not there is most likely a typo, and would otherwise fail later and with less said. Names that begin with `_`, and keys
-- that are no names, are nil: debuggers and test frameworks ask for them. Whoever wants to know whether a name is there uses rawget.
local function refuse_unknown(owner, full_name)
  setmetatable(owner, {
    __name = full_name,
    __tostring = function() return full_name == "calira" and M._VERSION or full_name end,
    __index = function(_, name)
      if type(name) ~= "string" or not name:find "^%a[%w_]*$" then return nil end
      local known = {}
      for each in pairs(owner) do known[#known + 1] = { name = each } end
      table.sort(known, function(a, b) return a.name < b.name end)
      local near = require("calira.accounts.names").nearest({ nodes = known }, name)
      core.raise("argument", ("%s has no %s%s")
        :format(full_name == "calira" and "the module" or full_name, name, near[1] and "; nearest: " .. near[1].name or ""))
    end,
  })
end

refuse_unknown(M, "calira")
refuse_unknown(M.oauth, "calira.oauth")
refuse_unknown(M.limits, "calira.limits")

core.calira = M

return M --[[@as calira]]
