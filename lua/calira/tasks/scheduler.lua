--- Tasks: coroutines that go on while others wait. CONTRACT section 7.
-- The C module decides how a wait waits; where it yields, it yields `core.WAIT` and a waiter, and calls `dispatch` here whenever waiters
-- have fired. One scheduler serves a Lua state. Who owns what: `tasks` (by its scope) holds a task until it is over; a parked task is
-- found by its waiter, which the coroutine's stack owns. An interrupt (a hook that raises) may come between any two instructions here:
-- things are done in an order in which doing them once more does no harm, and a task that is resumed for nothing waits on.

local core <const> = require "calira.core"

if core.scheduler then return core.scheduler end -- package.loaded was cleared: the engine knows this one

local M = {}

local WAIT <const> = core.WAIT
local resume <const>, status <const>, close <const> = coroutine.resume, coroutine.status, coroutine.close

local ready <const> = {}  -- tasks to resume: a queue, from `first` to `last`; false: resumed
local first, last = 1, 0
local current = nil       -- the task that runs now, as far as running_task() has looked
local running_task        -- function: see below
local blocked = nil       -- inside a task: the task, scope or list that it blocks for
local scanned = 0         -- inside a task: the place in `ready` up to which no task may be resumed before this one goes on
local relations = 0       -- counts the waits that began: each may make another task one that cannot be done without
local awaiting <const> = setmetatable({}, { __mode = "k" }) -- strand → the task, scope or list that it waits for
local MAIN <const> = {}   -- the strand of the main program and of coroutines that are nobody's
local hosts <const> = {}  -- name → function that gives the wait function of the running coroutine, or nil

-- ── Scopes ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- What belongs together: the tasks of one `run` or `gather`, or those spawned outside of any. `owner`: the task that waits for it.
local Scope = {}
Scope.__index = Scope

local function new_scope() return setmetatable({ owner = running_task(), tasks = {}, alive = 0, changed = core.event() }, Scope) end

local outside <const> = setmetatable({ tasks = {}, alive = 0, changed = core.event() }, Scope)

--- Ends its tasks; also those that are spawned meanwhile, by what the ending ones close.
function Scope:cancel()
  local task = next(self.tasks)
  while task do
    task:cancel()
    self.tasks[task] = nil -- one that blocks further down ends when it comes back
    task = next(self.tasks)
  end
end

Scope.__close = Scope.cancel

-- ── Tasks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- What `spawn` returns. `over`: an event; `results`: packed, or `failure`: the error, in a table since it may be any value; `waits`: a
-- set of those who wait for it.
local Task = { __name = "calira.task" }
Task.__index = Task

local function enqueue(task)
  if not task.queued and not task.ended then
    ready[last + 1] = task
    last = last + 1
    task.queued = true
  end
  core.tasks(true)
end

--- Closed last of all that a task's coroutine holds. Where that is neither its end nor the library's doing, somebody who took the
-- coroutine from `coroutine.running` has closed it.
local Guard = {}
function Guard:__close()
  if current ~= self.task then enqueue(self.task) end
end

local function body(guard, f, ...)
  local over <close> = guard
  return f(...)
end

local function new_task(scope, f, ...)
  local starter = running_task()
  local task = setmetatable({
    scope = scope, over = core.event(), waits = {}, supplies = starter and starter.supplies,
  }, Task)
  task.arguments = table.pack(setmetatable({ task = task }, Guard), f, ...)
  task.coroutine = core.own(body)
  task.wake = function() enqueue(task) end
  scope.tasks[task] = true
  scope.alive = scope.alive + 1
  enqueue(task)
  return task
end

local function describe(err)
  local ok, text = pcall(tostring, err)
  return ok and text or "an error object that cannot be shown"
end

--- The task is over: tells who waits for it, and its scope about an error that nobody takes.
local function finish(task, failure, results)
  if task.ended then return end
  if failure and task.failed then
    task.failed(failure[1]) -- which may raise
    failure = nil
  end
  task.ended, task.failure, task.results = true, failure, results
  local scope = task.scope
  scope.tasks[task] = nil
  scope.alive = scope.alive - 1
  if failure and not failure.cancelled and not next(task.waits) then
    if scope == outside then
      warn("calira: an error in a task that nobody waits for: " .. describe(failure[1]))
    elseif not scope.failure then
      scope.failure = failure
    end
  end
  task.over:set()
  if scope.alive == 0 or scope.failure then scope.changed:set() end
end

local function cancelled() return { core.failure("cancelled", "the task was cancelled"), cancelled = true } end

--- While a task runs: puts back what was before. An interrupt may come between what the task did and what is made of it here; then it is
-- looked at again.
local Running = {}
function Running:__close(err)
  current, blocked, scanned = self.outer, self.blocked, relations == self.relations and self.scanned or 0
  if err ~= nil then enqueue(self.task) end
end

local function running(task)
  local before = setmetatable({
    task = task, outer = current, blocked = blocked, scanned = scanned, relations = relations,
  }, Running)
  task.before = before
  current, blocked, scanned = task, nil, 0
  return before
end

--- The task that runs now. Where an interrupt came in the place of Running's close, the state of its coroutine tells that it does not.
function running_task()
  while current do
    local now = status(current.coroutine)
    if now == "running" or now == "normal" then break end
    local before = current.before
    current, blocked, scanned = before.outer, before.blocked, 0
  end
  return current
end

--- Closes the coroutine of a task, whose `<close>` variables may wait.
local function end_cancelled(task)
  local before <close> = running(task)
  local ok, err = close(task.coroutine)
  finish(task, ok and cancelled() or { err })
end

--- What a resume of the task brought.
local function settle(task, ok, ...)
  if status(task.coroutine) == "dead" then
    if ok then return finish(task, nil, table.pack(...)) end
    local _, err = close(task.coroutine) -- what it held when it failed
    return finish(task, { err })
  end
  local value, waiter = ...
  if task.cancelled then
    end_cancelled(task)
  elseif value == WAIT then
    core.park(waiter, task.wake)
  else
    enqueue(task) -- a plain yield lets the others go on
  end
end

local function go_on(task, place)
  local before <close> = running(task)
  ready[place], task.queued = false, false
  if task.ended then return end
  local co, arguments = task.coroutine, task.arguments
  if status(co) == "dead" then return finish(task, cancelled()) end
  if status(co) ~= "suspended" then return end -- it blocks further down
  awaiting[task] = nil
  if arguments then
    task.arguments = nil
    settle(task, resume(co, table.unpack(arguments, 1, arguments.n)))
  else
    settle(task, resume(co))
  end
end

-- ── Who waits for whom ────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- What runs now: a task, a coroutine of a host's loop, or the main program.
local function strand()
  if running_task() then return current end
  for _, find in pairs(hosts) do
    if find() then return (coroutine.running()) end
  end
  return MAIN
end

--- A reading of a list by a strand, for others that wait until it is over. What the strand waited for when the reading began (it reads
-- in a finalizer, say) does not hold the reading up; only what it waits for since.
local Visit = {}

--- For the C module: what runs now, as the reader of a list.
local function visit()
  local me = strand()
  if awaiting[me] == nil then return me end
  return setmetatable({ strand = me, since = awaiting[me] }, Visit)
end

--- Who is in a list: a strand or a visit; nil: nobody.
local function reader_of(list)
  local read, reader = core.reader(list)
  return read and (reader or MAIN) or nil
end

--- Whether a strand, task, scope, list or visit waits, through whatever others, for `me`.
local function leads_to(from, me, seen)
  if from == me then return true end
  if from == nil or seen[from] then return false end
  seen[from] = true
  if type(from) == "userdata" then return leads_to(reader_of(from), me, seen) end -- a list, free or not
  local kind = getmetatable(from)
  if kind == Visit then
    local now = awaiting[from.strand]
    return from.strand == me or (now ~= from.since and leads_to(now, me, seen))
  end
  if kind ~= Scope then return leads_to(awaiting[from], me, seen) end
  for task in pairs(from.tasks) do
    if leads_to(task, me, seen) then return true end
  end
  return false
end

--- For the C module: whether who is in that list waits for what runs now. If not, what runs now is going to wait for it; second what
-- that waited for until now.
local function enter(list)
  local me = strand()
  if leads_to(list, me, {}) then return true end
  local outer = { awaiting = awaiting[me], blocked = blocked }
  if current then
    awaiting[me] = list
    if not core.yields() then blocked = list end
  end
  relations, scanned = relations + 1, 0
  return false, outer
end

--- For the C module: that wait is over.
local function leave(outer)
  if current then awaiting[current] = outer.awaiting end
  blocked = outer.blocked
end

--- Somebody who waits for a task or a scope. While that blocks inside another task, what it waits for has to go on.
local Wait = {}
function Wait:__close()
  if self.waits then self.waits[self] = nil end
  awaiting[self.strand], blocked = self.outer, self.blocked
end

local function wait_for(what, waits_of)
  local me = strand()
  local wait = setmetatable({ task = current, strand = me, outer = awaiting[me], blocked = blocked, waits = waits_of }, Wait)
  if waits_of then waits_of[wait] = true end
  awaiting[me] = what
  if current and not core.yields() then blocked = what end
  relations, scanned = relations + 1, 0
  return wait
end

--- Waits until the task is over and returns what it returned, or raises what it raised. May wait.
function Task:wait()
  if leads_to(self, strand(), {}) then core.raise("argument", "a task cannot wait for itself, nor for one that waits for it") end
  local wait <close> = wait_for(self, self.waits)
  self.over:wait()
  if self.failure then error(self.failure[1], 0) end
  return table.unpack(self.results, 1, self.results.n)
end

--- Whether `wait` would not wait.
function Task:done() return self.ended == true end

function Task:__tostring()
  return ("calira.task (%s)"):format(not self.ended and "running" or self.cancelled and "cancelled" or self.failure and "failed" or "done")
end

--- Ends it: what it waits for is cancelled, its `<close>` variables are closed, `wait` raises kind `cancelled`.
function Task:cancel()
  if self.ended then return end
  self.cancelled = true
  if self == running_task() then core.raise("cancelled", "the task was cancelled") end
  if status(self.coroutine) ~= "normal" then end_cancelled(self) end
end

-- ── Driving ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- What the running task blocks for: a task, a scope, or the strand that is in the list that it wants to read.
local function blocks_for()
  if type(blocked) ~= "userdata" then return blocked end
  local reader = reader_of(blocked)
  return getmetatable(reader) == Visit and reader.strand or reader
end

--- Whether what blocks inside a task cannot go on without this one.
local function needed(task, depth)
  local what = blocks_for()
  if task.service or what and (task == what or task.scope == what) then return true end
  if depth == 0 then return false end
  local owner = task.scope.owner
  if owner and needed(owner, depth - 1) then return true end
  for wait in pairs(task.waits) do
    if wait.task and needed(wait.task, depth - 1) then return true end
  end
  return false
end

local MOST_DEPTH <const> = 50 -- tasks that wait for each other in a circle wait for ever, but not here

--- Whether a task may be resumed here: any, outside of tasks; inside one, only what that one cannot do without, lest each that blocks
-- resumes the next on top of it.
local function allowed(task) return not current or needed(task, MOST_DEPTH) end

local function skip_resumed()
  while first <= last and not ready[first] do
    ready[first] = nil
    first = first + 1
  end -- and never back to 1: `scanned` is such a place, here and in the tasks below
end

--- Wakes whose waiter fired and resumes each task that is ready, once. Called by the C module. `stuck`: nothing is under way that could end
-- a wait inside a task; then one of the others has to. True: more can be resumed at once.
local function dispatch(stuck)
  core.wake()
  running_task()
  local stop = last
  for place = (current and not stuck) and math.max(first, scanned + 1) or first, stop do
    local task = ready[place]
    if task and (stuck or allowed(task)) then
      go_on(task, place)
      if stuck then break end
    end
    if current then scanned = math.max(scanned, place) end
  end
  skip_resumed()
  core.tasks(first <= last)
  for place = math.max(first, stop + 1), last do
    if ready[place] and allowed(ready[place]) then return true end
  end
  return false
end

--- Waits until the scope has no task left or one failed that nobody waited for.
local function await_scope(scope)
  local wait <close> = wait_for(scope)
  while scope.alive > 0 and not scope.failure do
    scope.changed:wait()
    scope.changed = core.event()
  end
  if scope.failure then error(scope.failure[1], 0) end
end

--- What the task of a scope that was awaited returned.
local function results_of(task)
  if task.failure then error(task.failure[1], 0) end -- it was closed from outside
  return task.results
end

-- ── The contract's functions ──────────────────────────────────────────────────────────────────────────────────────────────────────

local function check_function(f, call)
  if type(f) ~= "function" then core.raise("argument", ("%s takes a function (got %s)"):format(call, type(f))) end
end

--- Runs `f(…)` and all that it spawns; returns what `f` returns. Raises the first error that no `wait()` took, cancelling the rest.
function M.run(f, ...)
  check_function(f, "run")
  local scope <close> = new_scope()
  local main = new_task(scope, f, ...)
  await_scope(scope)
  local results = results_of(main)
  return table.unpack(results, 1, results.n)
end

--- Starts `f(…)` as a task of the innermost `run`, or outside of any; returns the task. Does not wait.
function M.spawn(f, ...)
  check_function(f, "spawn")
  local spawner = running_task()
  return new_task(spawner and spawner.scope or outside, f, ...)
end

--- Runs the functions at the same time; returns an array of their first results, in order, with `n`. The first error closes the others
-- and is raised.
function M.gather(functions)
  if type(functions) ~= "table" then
    core.raise("argument", ("gather takes an array of functions (got %s)"):format(type(functions)))
  end
  local count <const> = #functions
  for i = 1, count do check_function(functions[i], "gather") end
  local scope <close> = new_scope()
  local tasks, results = {}, { n = count }
  for i = 1, count do tasks[i] = new_task(scope, functions[i]) end
  await_scope(scope)
  for i = 1, count do results[i] = results_of(tasks[i])[1] end
  return results
end

--- Waits that many seconds (0 or more). May wait, of course.
M.sleep = core.sleep

--- Starts a task of the library itself, which goes on also while a task blocks: what a wait cannot do without, as a token.
---@param supplies userdata the client for which it does that
---@param failed fun(err: any) is told the error that it ends with
function M.service(supplies, f, failed, ...)
  local task = new_task(outside, f, ...)
  task.service, task.failed, task.supplies = true, failed, supplies
end

--- Whether the running task, or one that started it, is the service of this client.
function M.supplying(client)
  local task = running_task()
  return task ~= nil and task.supplies == client
end

--- For adapters: `wake` is called when the waiter has fired, at once where it has already, and perhaps more than once.
M.park = core.park

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

-- A finalizer that ran here may have loaded it meanwhile.
if not core.dispatcher(dispatch, visit, enter, leave) then return core.scheduler end
core.scheduler = M

return M
