--- Waiting inside cqueues: after `attach()`, a call of this library in a coroutine that cqueues runs waits as cqueues does, and the
-- controller's other coroutines go on. CONTRACT section 7.
-- Of the coroutines that wait in one controller, one polls the engine's descriptor and steps it; each of the others polls only its own
-- condition, which is signalled when what it waits for is there (two that poll one descriptor lose wake-ups). When the leader is done,
-- another one is woken to lead.

local condition <const> = require "cqueues.condition"
local core <const> = require "calira.core"
local cqueues <const> = require "cqueues"
local scheduler <const> = require "calira.scheduler"

local M = {}

local waiting <const> = setmetatable({}, { __mode = "k" }) -- controller → { leader, waits: set of waits }

--- Steps the engine until `wait` is done, on behalf of all that wait in this controller.
local function lead(group, wait)
  group.leader = wait
  local passed_on <close> = setmetatable({}, { __close = function()
    group.leader = nil
    group.waits[wait] = nil
    local _, follower = next(group.waits)
    if follower then follower.condition:signal() end
  end })
  while not wait.done do
    cqueues.poll(core, wait.condition)
    core.step(0)
  end
end

--- Waits for a waiter of the C module as cqueues does.
local function wait_in_cqueues(waiter)
  local controller = cqueues.running()
  local group = waiting[controller]
  if not group then
    group = { waits = {} }
    waiting[controller] = group
  end
  local wait = { condition = condition.new(), done = false }
  group.waits[wait] = wait
  local left <close> = setmetatable({}, { __close = function() group.waits[wait] = nil end })
  scheduler.park(waiter, function()
    wait.done = true
    wait.condition:signal()
  end)
  while not wait.done do
    if group.leader then cqueues.poll(wait.condition) else lead(group, wait) end
  end
end

--- From now on, calls in coroutines that cqueues itself runs wait as cqueues does.
function M.attach()
  scheduler.host("cqueues", function()
    local controller, own = cqueues.running()
    if controller and own then return wait_in_cqueues end
  end)
end

--- Undoes `attach`.
function M.detach() scheduler.host("cqueues", nil) end

return M
