--- Waiting inside luv: a call of this library in a coroutine that `spawn` started waits on luv's loop, whose other handles go on.
-- CONTRACT section 7. A poll handle on the engine's descriptor and a timer step the engine; coroutines whose wait is over are resumed
-- from there, never out of another one. Both handles are active only while a coroutine waits, so that the loop can end.

local adapters <const> = require "calira.adapters"
local core <const> = require "calira.core"
local uv <const> = require "luv"

local M = {}

local spawned <const> = setmetatable({}, { __mode = "k" }) -- coroutines of this adapter
local woken = {}                                           -- coroutines to resume
local waiting <const> = {}                                 -- set of coroutines that wait: nothing else holds them meanwhile
local poll, timer, polled

local on_ready

local function watch()
  local fd = adapters.pollfd()
  if poll and polled ~= fd then -- a fork gave the engine another descriptor
    poll:close()
    poll = nil
  end
  poll, timer, polled = poll or uv.new_poll(fd), timer or uv.new_timer(), fd
  poll:start("r", on_ready)
  local seconds = #woken > 0 and 0 or adapters.timeout()
  if seconds then timer:start(math.ceil(seconds * 1000), 0, on_ready) else timer:stop() end
end

--- Both handles are active while somebody waits, and only then: an active one keeps `uv.run` from returning.
local function settle()
  if next(waiting) then
    watch()
  elseif poll then
    poll:stop()
    timer:stop()
  end
end

local function go_on(co, ...)
  local ok, err = coroutine.resume(co, ...)
  if ok then return end
  coroutine.close(co) -- what it held when it failed
  settle()
  error(err, 0)
end

function on_ready()
  adapters.step(0)
  local round = woken
  woken = {}
  for _, co in ipairs(round) do
    if waiting[co] then go_on(co) end
  end
  settle()
end

local Wait = {}
function Wait:__close()
  waiting[self.co] = nil
  if not self.done then settle() end -- closed from outside; what on_ready resumes is settled there
end

local function wait_in_luv(waiter)
  local wait <close> = setmetatable({ co = coroutine.running(), done = false }, Wait)
  waiting[wait.co] = true
  adapters.park(waiter, function()
    wait.done = true
    woken[#woken + 1] = wait.co
    watch() -- whoever drove the engine so far, the coroutine is resumed from luv's loop
  end)
  watch()
  while not wait.done do coroutine.yield() end
end

local function find()
  if spawned[coroutine.running()] then return wait_in_luv end
end

--- Starts `f(…)` in a coroutine whose waits are waits on luv's loop; runs it up to its first wait. An error that it does not catch is
-- raised here, or, after a wait, is what luv makes of an error in a callback: it prints it and ends the process.
function M.spawn(f, ...)
  if type(f) ~= "function" then core.raise("argument", ("spawn takes a function (got %s)"):format(type(f))) end
  adapters.register("luv", find)
  local co = coroutine.create(f)
  spawned[co] = true
  go_on(co, ...)
end

--- From now on no coroutine waits on luv's loop; those that wait there still do until they are served.
function M.detach() adapters.unregister "luv" end

return M
