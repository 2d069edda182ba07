--- `calira export postgresql://…`: one worker of an export that any number of them do together.

local core <const> = require "calira.core"
local scope <const> = require "calira.command.support.scope"
local status <const> = require "calira.command.support.status"

local M = {}

--- Whether a target is a database that workers share.
function M.is_target(target) return target:find "^postgres[ql]*://" ~= nil end

function M.define(parser)
  parser:option("--shard", "In PostgreSQL: only the labs of this share, as 3/16; auto: what Slurm (an array) or Kubernetes (an indexed Job with "
    .. "JOB_COMPLETIONS) says."):argname "N/M"
  parser:option("--run", "In PostgreSQL: a name for this run; once it has ended, another worker of the same name has nothing to do.")
    :argname "NAME"
end

local function number(name)
  local value = os.getenv(name)
  return value and value:find "^%d+$" and math.tointeger(tonumber(value)) or nil
end

--- The share that the environment says.
local function share_of_environment()
  local task, count = number "SLURM_ARRAY_TASK_ID", number "SLURM_ARRAY_TASK_COUNT"
  if task and count then
    local place = (task - (number "SLURM_ARRAY_TASK_MIN" or 1)) // math.max(number "SLURM_ARRAY_TASK_STEP" or 1, 1) + 1
    return ("%d/%d"):format(place, count)
  end
  local index <const>, completions <const> = number "JOB_COMPLETION_INDEX", number "JOB_COMPLETIONS"
  if index and completions then return ("%d/%d"):format(index + 1, completions) end
  return status.raise(status.usage, "--shard auto: neither SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT nor JOB_COMPLETION_INDEX and "
    .. "JOB_COMPLETIONS are set")
end

--- The share asked for, and its test; nil for all.
local function share_of(arguments)
  if not arguments.shard then return nil end
  local shard <const> = require "calira.accounts.shard"
  local asked <const> = arguments.shard == "auto" and share_of_environment() or arguments.shard
  local share, expected = shard.read(asked)
  if not share then status.raise(status.usage, ("--shard takes %s, or auto (got %q)"):format(expected, asked)) end
  return share, shard.test(share)
end

--- The labs under the nodes, each once.
local function labs_of(context, nodes, falls_to)
  local labs, seen = {}, {}
  for _, node in ipairs(nodes) do
    for _, lab in ipairs(context.tree and context.tree:labs(node) or { node }) do
      local id = tostring(lab.id)
      if lab.id ~= nil and not seen[id] and (not falls_to or falls_to(lab.id)) then
        seen[id] = true
        labs[#labs + 1] = { id = id, name = lab.name and (tostring(lab.name):gsub("%z", "\u{FFFD}")) }
      end
    end
  end
  return labs
end

--- A name for people: where this worker runs.
local function worker_name()
  local host = os.getenv "HOSTNAME"
  if not host then
    local file <close> = io.open "/etc/hostname"
    host = file and file:read "l"
  end
  return ("%s:%d"):format((host or "?"):gsub("[^%w.-]", "?"), core.process_id())
end

local function show(context, done, outcome)
  local counts <const> = done.counts
  context.out:write(("%d bookings in %d labs; this worker: %d labs, %d new, %d changed, %d as before; %d marked as gone\n"):format(
    outcome.bookings, outcome.labs, done.labs, counts.new or 0, counts.changed or 0, counts.same or 0, outcome.gone))
  context.out:write(("cost: %d calls\n"):format(context.client():stats().calls))
end

--- Works until the run is over: see export/postgres/worker.lua.
---@param source string what is exported
---@param nodes table[]
---@param on_page function? see export.run
---@return integer status: of the whole run
function M.run(arguments, context, source, nodes, on_page)
  local share, falls_to = share_of(arguments)
  if arguments.run and (arguments.run == "" or arguments.run:find "%c") then status.raise(status.usage, "--run takes a name") end
  if share then source = source .. ", share " .. share end
  local queue <close> = require("calira.export.postgres.queue").open(arguments.target, { source = source, worker = worker_name() })
  local labs = labs_of(context, nodes, falls_to)
  if not queue:join(labs, arguments.run) then
    context.note(("the run %s has ended already"):format(arguments.run))
    return status.right
  end
  local done = require("calira.export.postgres.worker").run {
    queue = queue, client = context.client(), list = scope.list, details = arguments.details, refetch = arguments.refetch ~= nil,
    on_page = on_page,
  }
  local outcome <const> = queue:outcome()
  show(context, done, outcome)
  local code, interrupted = status.right, 0
  for _, each in ipairs(outcome.problems) do
    local own <const> = math.tointeger(tonumber(each.code))
    if own > 0 then context.note(("%s (id %s): %s"):format(each.lab or "a lab", each.lab_id, each.problem)) end
    if own == 0 then interrupted = interrupted + 1 end
    code = math.max(code, own)
  end
  if interrupted > 0 then
    context.note(("%d of the labs were read on after an interruption; what is gone there, the next run tells"):format(interrupted))
  end
  return code
end

return M
