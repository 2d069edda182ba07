--- Waiting inside cqueues: after `attach()`, a call of this library in a coroutine that cqueues runs waits as cqueues does, and the
-- controller's other coroutines go on. CONTRACT section 7.
-- Of the coroutines that wait in one controller, one polls the engine's descriptor and steps it; each of the others polls only its own
-- condition, which is signalled when what it waits for is there (two that poll one descriptor lose wake-ups). When the leader is done,
-- another one is woken to lead.

local adapters <const> = require "calira.adapters"
local condition <const> = require "cqueues.condition"
local cqueues <const> = require "cqueues"

local M = {}

local waiting <const> = setmetatable({}, { __mode = "k" }) -- controller → { leader, waits: set of waits }

local Wait = {}

--- Where nobody leads any more, wakes somebody who will: one who goes on waiting, not one who is about to leave as well.
function Wait:__close()
  local group = self.group
  group.waits[self] = nil
  if group.leader == self then group.leader = nil end
  if group.leader then return end
  for wait in pairs(group.waits) do
    if not wait.done then return wait.condition:signal() end
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
  local wait <close> = setmetatable({ group = group, condition = condition.new(), done = false }, Wait)
  group.waits[wait] = true
  adapters.park(waiter, function()
    wait.done = true
    wait.condition:signal()
  end)
  while not wait.done do
    group.leader = group.leader or wait
    if group.leader == wait then
      cqueues.poll(adapters, wait.condition)
      adapters.step(0)
    else
      cqueues.poll(wait.condition)
    end
  end
end

--- From now on, calls in coroutines that cqueues itself runs wait as cqueues does.
function M.attach()
  adapters.register("cqueues", function()
    local controller, own = cqueues.running()
    if controller and own then return wait_in_cqueues end
  end)
end

--- Undoes `attach`.
function M.detach() adapters.unregister "cqueues" end

return M
