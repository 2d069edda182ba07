--- Generators: iterators out of functions that yield records and may wait. CONTRACT section 7.

local core <const> = require "calira.core"

local M = {}

local WAIT <const> = core.WAIT
local resume <const>, status <const>, close <const> = coroutine.resume, coroutine.status, coroutine.close

local Generator = { __name = "calira.generator" }
Generator.__index = Generator

--- What a resume of a generator's coroutine brought: a record, or a wait, which its reader waits in its own way.
local function take(generator, ok, value, ...)
  local co = generator.coroutine
  local over = status(co) == "dead"
  if not ok then
    local _, err = close(co) -- what it held when it failed
    generator.resumed = false
    error(err, 0)
  end
  generator.resumed = false -- from here to the return of a record nothing is called
  if over then return nil end
  if value ~= WAIT then return value, ... end
  local waiter = ...
  generator.waiter = waiter
  core.await(waiter)
  return generator() -- which another reader may have brought to its end meanwhile, or closed
end

function Generator:__call()
  local co = self.coroutine
  local now = status(co)
  if now == "normal" or now == "running" then core.raise("argument", "a generator cannot read itself") end
  if self.resumed then core.raise("closed", "an interrupt came while the generator gave a record, which is lost") end
  if now == "dead" then return nil end
  self.resumed = true
  return take(self, resume(co))
end

function Generator:__close()
  if status(self.coroutine) ~= "suspended" then return end
  local waiter = self.waiter
  local ok, err = close(self.coroutine)
  if waiter then waiter:fire() end -- whoever waits for a record finds the end
  if not ok then error(err, 0) end
end

function Generator:__tostring()
  return ("calira.generator (%s)"):format(status(self.coroutine) == "dead" and "ended" or "open")
end

Generator.next, Generator.close = Generator.__call, Generator.__close

--- Makes an iterator for `for` out of a function that calls `coroutine.yield(record, …)`; what it calls of this library may wait.
-- Returns four values, so that leaving the loop closes it.
function M.generator(f)
  if type(f) ~= "function" then core.raise("argument", ("generator takes a function (got %s)"):format(type(f))) end
  local generator = setmetatable({ coroutine = core.own(f) }, Generator)
  return generator, nil, nil, generator
end

return M
