--- Waiting inside luv: a call of this library in a coroutine that `spawn` started waits on luv's loop, whose other handles go on.
-- CONTRACT section 7. A poll handle on the engine's descriptor and a timer step the engine; coroutines whose wait is over are resumed
-- from there, never out of another one. Both handles are active only while a coroutine waits, so that the loop can end.

local core <const> = require "calira.core"
local scheduler <const> = require "calira.scheduler"
local uv <const> = require "luv"

local M = {}

local spawned <const> = setmetatable({}, { __mode = "k" }) -- coroutines of this adapter
local woken = {}                                           -- coroutines to resume
local waiting <const> = {}                                 -- set of coroutines that wait: nothing else holds them meanwhile
local poll, timer, polled

local on_ready

local function watch()
  local fd = core.pollfd()
  if poll and polled ~= fd then -- a fork gave the engine another descriptor
    poll:close()
    poll = nil
  end
  poll, timer, polled = poll or uv.new_poll(fd), timer or uv.new_timer(), fd
  poll:start("r", on_ready)
  local seconds = #woken > 0 and 0 or core.timeout()
  if seconds then timer:start(math.ceil(seconds * 1000), 0, on_ready) else timer:stop() end
end

local function unwatch()
  if poll then poll:stop() end
  if timer then timer:stop() end
end

local function go_on(co, ...)
  local ok, err = coroutine.resume(co, ...)
  if not ok then
    unwatch()
    error(err, 0)
  end
end

function on_ready()
  core.step(0)
  local round = woken
  woken = {}
  for _, co in ipairs(round) do
    waiting[co] = nil
    go_on(co)
  end
  if next(waiting) then watch() else unwatch() end
end

local function wait_in_luv(waiter)
  local co = coroutine.running()
  waiting[co] = true
  scheduler.park(waiter, function() woken[#woken + 1] = co end)
  watch()
  coroutine.yield()
end

local function find()
  if spawned[coroutine.running()] then return wait_in_luv end
end

--- Starts `f(…)` in a coroutine whose waits are waits on luv's loop; runs it up to its first wait. An error that it does not catch is
-- raised here or out of `uv.run()`.
function M.spawn(f, ...)
  if type(f) ~= "function" then core.raise("argument", ("spawn takes a function (got %s)"):format(type(f))) end
  scheduler.host("luv", find)
  local co = coroutine.create(f)
  spawned[co] = true
  go_on(co, ...)
end

--- From now on no coroutine waits on luv's loop; those that wait there still do until they are served.
function M.detach() scheduler.host("luv", nil) end

return M
