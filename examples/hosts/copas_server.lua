-- A server on copas, and an adapter for copas: the public interface of calira.adapters is all that it takes.
--   CALIRA_TOKEN=… lua5.4 examples/hosts/copas_server.lua [PORT]
package.path = package.path .. ";" .. arg[0]:gsub("[^/]*$", "?.lua")
  .. ";/usr/share/lua/5.2/?.lua" -- where Debian has copas, which runs on Lua 5.4, too

local adapters = require "calira.adapters"
local copas = require "copas"
local lookup = require "lookup"
local socket = require "socket"

-- ── The adapter ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local handlers = setmetatable({}, { __mode = "k" }) -- coroutines that copas runs: it does not tell which they are

--- To copas, a wait is a socket that is ready to be read when the engine has something to do, and gives a line when the wait is over.
local function wait(waiter)
  local over = false
  adapters.park(waiter, function() over = true end)
  copas.receive {
    getfd = adapters.pollfd,
    dirty = function() return over end, -- another coroutine may have given the engine the turn in which this wait ended
    receive = function()
      if not over then adapters.step(0) end
      if over then return "" end
      return nil, "timeout"
    end,
    close = function() end, -- copas closes what a coroutine waited for last
  }
end

adapters.register("copas", function() return handlers[coroutine.running()] and wait end)

--- A handler for copas.addserver, in which the library waits as copas does.
local function handler(f)
  return function(client)
    handlers[coroutine.running()] = true
    f(copas.wrap(client))
    client:close()
  end
end

-- ── The server ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local listening = assert(socket.bind("127.0.0.1", tonumber(arg[1]) or 0))
copas.addserver(listening, handler(function(client)
  local line = client:receive "*l"
  while line and client:send(lookup(line) .. "\n") do line = client:receive "*l" end
end))
print("port", (select(2, listening:getsockname())))
io.stdout:flush()
copas.loop()
