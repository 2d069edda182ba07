--- Tasks: coroutines that go on while others wait. CONTRACT section 7.
-- The C module decides how a wait waits; where it yields, it yields `core.WAIT` and a waiter, and calls `dispatch` here whenever waiters
-- have fired. One scheduler serves a Lua state. Who owns what: `tasks` (by its scope) holds a task until it is over; a parked task is
-- found by its waiter, weakly, since the coroutine's stack owns that.

local core <const> = require "calira.core"

local M = {}

local WAIT <const> = core.WAIT
local resume <const>, status <const>, close <const> = coroutine.resume, coroutine.status, coroutine.close

local parked <const> = setmetatable({}, { __mode = "k" }) -- waiter → function that wakes who waits
local ready = {}                                          -- tasks to resume, in order
local current = nil                                       -- the task that runs now
local blocked_scope = nil                                 -- inside a task: the scope whose `run` blocks there

-- ── Scopes ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- What belongs together: the tasks of one `run` or `gather`, or those spawned outside of any.
local Scope = {}
Scope.__index = Scope

local function new_scope(parent)
  return setmetatable({ parent = parent, tasks = {}, alive = 0, changed = core.event() }, Scope)
end

local outside <const> = new_scope()

function Scope:within(other)
  while self and self ~= other do self = self.parent end
  return self ~= nil
end

function Scope:cancel()
  for task in pairs(self.tasks) do task:cancel() end
end

Scope.__close = Scope.cancel

-- ── Tasks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- What `spawn` returns. `over`: an event; `results`: packed, or `failure`: the error, in a table since it may be any value.
local Task = { __name = "calira.task" }
Task.__index = Task

local function enqueue(task)
  if not task.queued and not task.ended then
    task.queued = true
    ready[#ready + 1] = task
    core.tasks(true)
  end
end

local function new_task(scope, f, ...)
  local task = setmetatable({ scope = scope, over = core.event(), arguments = table.pack(...), waiters = 0 }, Task)
  task.coroutine = coroutine.create(f)
  task.wake = function() enqueue(task) end
  core.own(task.coroutine)
  scope.tasks[task] = true
  scope.alive = scope.alive + 1
  enqueue(task)
  return task
end

--- The task is over: tells who waits for it, and its scope about an error that nobody takes.
local function finish(task, failure, results)
  if task.ended then return end
  task.ended, task.failure, task.results = true, failure, results
  local scope = task.scope
  scope.tasks[task] = nil
  scope.alive = scope.alive - 1
  if failure and not failure.cancelled and task.waiters == 0 then
    if scope == outside then
      warn("calira: an error in a task that nobody waits for: " .. tostring(failure[1]))
    elseif not scope.failure then
      scope.failure = failure
    end
  end
  task.over:set()
  if scope.alive == 0 or scope.failure then scope.changed:set() end
end

local function end_cancelled(task)
  local ok, err = close(task.coroutine)
  finish(task, ok and { core.failure("cancelled", "the task was cancelled"), cancelled = true } or { err })
end

--- What a resume of the task brought.
local function settle(task, ok, first, waiter, ...)
  if status(task.coroutine) == "dead" then
    if ok then finish(task, nil, table.pack(first, waiter, ...)) else finish(task, { first }) end
  elseif task.cancelled then
    end_cancelled(task)
  elseif first == WAIT then
    parked[waiter] = task.wake
  else
    enqueue(task) -- a plain yield lets the others go on
  end
end

local function go_on(task)
  task.queued = false
  if task.ended or status(task.coroutine) ~= "suspended" then return end
  local outer, arguments = current, task.arguments
  current = task
  task.arguments = nil
  if arguments then
    settle(task, resume(task.coroutine, table.unpack(arguments, 1, arguments.n)))
  else
    settle(task, resume(task.coroutine))
  end
  current = outer
end

--- Waits until the task is over and returns what it returned, or raises what it raised. May wait.
function Task:wait()
  if self == current then core.raise("argument", "a task cannot wait for itself") end
  self.waiters = self.waiters + 1
  local waiting <close> = setmetatable({}, { __close = function() self.waiters = self.waiters - 1 end })
  self.over:wait()
  if self.failure then error(self.failure[1], 0) end
  return table.unpack(self.results, 1, self.results.n)
end

--- Whether `wait` would not wait.
function Task:done() return self.ended == true end

--- Ends it: what it waits for is cancelled, its `<close>` variables are closed, `wait` raises kind `cancelled`.
function Task:cancel()
  if self.ended then return end
  self.cancelled = true
  if self == current then core.raise("cancelled", "the task was cancelled") end
  if status(self.coroutine) == "suspended" then end_cancelled(self) end
end

-- ── Driving ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Whether a task may be resumed here: any, outside of tasks; inside one, only what that one cannot do without.
local function allowed(task)
  return not current or task.service or (blocked_scope and task.scope:within(blocked_scope))
end

--- Wakes whose waiter fired and resumes each task that is ready, once. Called by the C module. True: more can be resumed at once.
local function dispatch()
  for waiter in core.fired do
    local wake = parked[waiter]
    parked[waiter] = nil
    if wake then wake() end
  end
  local round, more = ready, false
  ready = {}
  for _, task in ipairs(round) do
    if allowed(task) then go_on(task) else ready[#ready + 1] = task end
  end
  for _, task in ipairs(ready) do more = more or allowed(task) end
  core.tasks(#ready > 0)
  return more
end

core.dispatcher(dispatch)

--- Waits until the scope has no task left or one failed that nobody waited for.
local function await_scope(scope)
  local outer = blocked_scope
  local restored <close> = setmetatable({}, { __close = function() blocked_scope = outer end })
  if current and not core.yields() then blocked_scope = scope end
  while scope.alive > 0 and not scope.failure do scope.changed:wait() end
  if scope.failure then error(scope.failure[1], 0) end
end

-- ── The contract's functions ──────────────────────────────────────────────────────────────────────────────────────────────────────

local function check_function(f, call)
  if type(f) ~= "function" then core.raise("argument", ("%s takes a function (got %s)"):format(call, type(f))) end
end

--- Runs `f(…)` and all that it spawns; returns what `f` returns. Raises the first error that no `wait()` took, cancelling the rest.
function M.run(f, ...)
  check_function(f, "run")
  local scope <close> = new_scope(current and current.scope)
  local main = new_task(scope, f, ...)
  await_scope(scope)
  return table.unpack(main.results, 1, main.results.n)
end

--- Starts `f(…)` as a task of the innermost `run`, or outside of any; returns the task. Does not wait.
function M.spawn(f, ...)
  check_function(f, "spawn")
  return new_task(current and current.scope or outside, f, ...)
end

--- Runs the functions at the same time; returns an array of their first results, in order, with `n`. The first error closes the others
-- and is raised.
function M.gather(functions)
  if type(functions) ~= "table" then
    core.raise("argument", ("gather takes an array of functions (got %s)"):format(type(functions)))
  end
  local count <const> = #functions
  for i = 1, count do check_function(functions[i], "gather") end
  local scope <close> = new_scope(current and current.scope)
  local tasks, results = {}, { n = count }
  for i = 1, count do tasks[i] = new_task(scope, functions[i]) end
  await_scope(scope)
  for i = 1, count do results[i] = tasks[i].results[1] end
  return results
end

--- Waits that many seconds (0 or more). May wait, of course.
M.sleep = core.sleep

--- Starts a task of the library itself, which goes on also while a task blocks: what a wait cannot do without, as a token.
function M.service(f, ...)
  local task = new_task(outside, f, ...)
  task.service = true
end

--- For adapters: `wake` is called once, when the waiter has fired.
function M.park(waiter, wake) parked[waiter] = wake end

local hosts <const> = {} -- name → function that gives the wait function of the running coroutine, or nil

--- For adapters: `find` gives the function by which the running coroutine waits, where it is one of that loop's; nil: no such loop.
function M.host(name, find)
  hosts[name] = find
  core.host(next(hosts) and function()
    for _, each in pairs(hosts) do
      local wait = each()
      if wait then return wait end
    end
  end or nil)
end

--- Does what is due, waiting at most `seconds` (0: not at all) for it; returns whether anything is left. For hosts.
function M.step(seconds)
  if seconds ~= nil and (type(seconds) ~= "number" or not (seconds >= 0)) then
    core.raise("argument", ("step takes a number of seconds, 0 or more (got %s)"):format(tostring(seconds)))
  end
  return core.step(seconds or 0)
end

-- ── Generators ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- What a resume of a generator's coroutine brought: a record, or a wait, which its reader waits in its own way.
local function take(co, ok, first, ...)
  if not ok then error(first, 0) end
  if status(co) == "dead" then return nil end
  if first ~= WAIT then return first, ... end
  core.await((...))
  return take(co, resume(co))
end

local Generator = { __name = "calira.generator" }
Generator.__index = Generator

function Generator:__call()
  if status(self.coroutine) == "dead" then return nil end
  return take(self.coroutine, resume(self.coroutine))
end

function Generator:__close()
  if status(self.coroutine) == "suspended" then
    local ok, err = close(self.coroutine)
    if not ok then error(err, 0) end
  end
end

Generator.next, Generator.close = Generator.__call, Generator.__close

--- Makes an iterator for `for` out of a function that calls `coroutine.yield(record, …)`; what it calls of this library may wait.
-- Returns four values, so that leaving the loop closes it.
function M.generator(f)
  check_function(f, "generator")
  local generator = setmetatable({ coroutine = coroutine.create(f) }, Generator)
  core.own(generator.coroutine)
  return generator, nil, nil, generator
end

return M
