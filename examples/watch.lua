-- Watches labs, each in a coroutine of cqueues: prints each booking that is new or has changed since the last look. (`calira watch` also
-- tells of those that are gone, and remembers from run to run.)
-- Usage: lua5.4 examples/watch.lua LAB... [--every SECONDS] [--looks N]

local argparse = require "argparse"
local calira = require "calira"
local cqueues = require "cqueues"
local support = dofile((arg[0]:match ".*/" or "") .. "support.lua")

require("calira.adapters.cqueues").attach() -- from here on, calls in cqueues' coroutines wait as cqueues does

local parser = argparse("watch.lua", "Prints each booking of some labs that is new or has changed since the last look.")
parser:argument("lab", "A lab, by its id."):args "+"
parser:option("--every", "Seconds between two looks."):argname "SECONDS":convert(tonumber):default "60"
parser:option("--looks", "End after so many looks; without it, go on."):argname "N":convert(tonumber)
local args = parser:parse()

io.stdout:setvbuf "line"

--- Looks at a lab once. `known` is what was seen before, by id; without `quiet`, what differs from it is printed.
local function look(lab, known, quiet)
  for b in calira.bookings { provider = lab } do
    local id, now = b.id or "unknown", calira.show(b)     -- the same booking always gives the same text
    local before = known[id]
    known[id] = now
    if now ~= before and not quiet then
      support.print("%s  lab %s  %-7s  booking %s  %s  %s  %s", os.date "%H:%M:%S", lab, before and "changed" or "new", id,
        support.minute(b.start_time), b.status, b.equipment and b.equipment.name)
    end
  end
end

local function watch(lab)
  local known = {}
  look(lab, known, true)
  for _ = 2, args.looks or math.huge do
    cqueues.sleep(args.every)
    local ok, err = pcall(look, lab, known)
    if not ok then
      if not calira.is_error(err) then error(err, 0) end
      io.stderr:write(tostring(err), "; looking again later\n")
    end
  end
end

support.run(function()
  local loop = cqueues.new()
  for _, lab in ipairs(args.lab) do loop:wrap(watch, lab) end
  for err in loop:errors() do error(err, 0) end
end)
