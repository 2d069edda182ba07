-- Lists the instruments of an account that nobody has booked since a date. (`calira report idle` knows more.)
-- Usage: lua5.4 examples/idle.lua ACCOUNT --since DATE

local argparse = require "argparse"
local calira = require "calira"
local support = dofile((arg[0]:match ".*/" or "") .. "support.lua")

local parser = argparse("idle.lua", "Lists the instruments of an account without a booking since a date, bookings to come included.")
parser:argument("account", "An organisation, a department or a lab: its id, its name, or its path.")
parser:option("--since", "A date (its midnight UTC) or a time."):argname "DATE":count(1)
local args = parser:parse()

support.run(function()
  -- One tree for both lists, and both read at once.
  local tree = calira.tree()
  local account = tree:find(args.account)
  local instruments, labs, booked = {}, {}, {}
  calira.gather {
    function()
      instruments, labs = calira.equipment({ under = account }):collect()
    end,
    function()
      for b in calira.bookings { under = account, from = args.since, except_status = "declined" } do
        if b.equipment_id then booked[b.equipment_id] = true end
      end
    end,
  }

  local idle = 0
  for i, e in ipairs(instruments) do
    if not booked[e.id] then
      idle = idle + 1
      support.print("%-8s  %s: %s", e.id, tree:path(labs[i]), e.name)
    end
  end
  support.print("%d of %d instruments have no booking since %s", idle, #instruments, args.since)
end)
