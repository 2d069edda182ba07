--- For an event loop that has no adapter here: how a coroutine of that loop waits for the library without blocking the loop.
--
--   local adapters = require "calira.adapters"
--
--   local function wait(waiter)                          -- called in the coroutine that has to wait
--     local me, over = myloop.running(), false
--     adapters.park(waiter, function()                     -- perhaps before park returns
--       over = true
--       me:resume_soon()
--     end)
--     while not over do me:suspend() end
--   end
--
--   adapters.register("myloop", function() if myloop.running() then return wait end end)
--   myloop.on_readable(adapters.pollfd(), function() adapters.step(0) end)
--
-- An adapter owes the library two things. It finds the function that waits in the running coroutine (`register`), and that function
-- suspends the coroutine until `park` calls `wake`. And it gives the engine turns: it watches the one descriptor `pollfd()` for reading
-- and calls `step(0)` whenever that is readable. This alone misses nothing; a loop that is better at timers than at descriptors also
-- comes back after `timeout()` seconds. After a fork the child's `pollfd()` may be another descriptor.
--
-- The wait function may return early (the library looks again, and waits again), and it may be left by an error or by closing the
-- coroutine: then the library lets go of the waiter by itself. Coroutines that the library started, as those of `run`, never come here.
-- Those of several adapters may wait side by side; one engine serves them all. examples/hosts has adapters for copas and Prosody.

local core <const> = require "calira.core"
local scheduler <const> = require "calira.tasks.scheduler"

local M = {}

local function check(call, name, value, wanted)
  if type(value) ~= wanted then core.raise("argument", ("%s: %s must be a %s (got %s)"):format(call, name, wanted, type(value))) end
end

--- From now on, a call that has to wait asks `find` how. Does not wait. Registering a name again replaces what it had.
---@param name string the loop's name
---@param find fun(): fun(waiter: userdata)? called in a coroutine that has to wait, any coroutine of this state that can yield and that the
--- library did not start: its wait function where it is one of this loop's, else nil. It must be quick and must not wait.
function M.register(name, find)
  check("register", "name", name, "string")
  check("register", "find", find, "function")
  scheduler.host(name, find)
end

--- Undoes `register`; unknown names are no error. Coroutines that wait already are still woken, as long as something calls `step`.
---@param name string
function M.unregister(name)
  check("unregister", "name", name, "string")
  scheduler.host(name, nil)
end

--- Has `wake` called, once, when the waiter fires; at once where it has fired already. One `wake` a waiter: the last one holds.
-- `wake` is called from inside whatever drives the engine at that moment, a `step` or a call in another coroutine that blocks. So it only
-- notes that the coroutine can go on; it does not resume it, nor wait, nor raise.
---@param waiter userdata what the wait function was given
---@param wake fun()
function M.park(waiter, wake)
  check("park", "waiter", waiter, "userdata")
  check("park", "wake", wake, "function")
  local told = false
  local function once()
    if told then return end
    told = true
    wake()
  end
  scheduler.park(waiter, once)
  -- Storing it allocated, so a finalizer may have given the engine a turn, and the waiter fired before anybody could be told.
  if core.waiter_fired and core.waiter_fired(waiter) then once() end
end

--- The descriptor to watch for reading, `events()` ("r"), and the seconds after which to `step` at the latest, or nil: as the functions of
-- the same names of the module `calira`.
M.pollfd, M.events, M.timeout = core.pollfd, core.events, core.timeout

--- Does what is due, waiting at most `seconds` (0, the default: not at all) for it; returns whether anything is left. What fires is told
-- to its `wake` before it returns. Raises what a hook raises (Ctrl-C).
M.step = scheduler.step

return M
