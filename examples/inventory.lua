-- Lists the instruments of an account with their serial numbers, parts under what they belong to.
-- Usage: lua5.4 examples/inventory.lua ACCOUNT

local argparse = require "argparse"
local calira = require "calira"
local support = dofile((arg[0]:match ".*/" or "") .. "support.lua")

local parser = argparse("inventory.lua", "Lists all instruments of an account with their serial numbers.")
parser:argument("account", "An organisation, a department or a lab: its id, its name, or its path.")
local args = parser:parse()

local ROW <const> = "%-8s  %-14s  %s%s  (%s, %s)"

--- Prints the instruments of one lab. A part may come before its parent, and its parent may not be visible.
local function print_lab(path, instruments)
  local parts, tops = {}, {}
  for _, e in ipairs(instruments) do
    if e.id then parts[e.id] = {} end
  end
  for _, e in ipairs(instruments) do table.insert(parts[e.parent_id] or tops, e) end
  local function print_all(list, depth)
    for _, e in ipairs(list) do
      support.print(ROW, e.id, e.serial_number, ("  "):rep(depth), e.name, e.manufacturer, e.model)
      print_all(parts[e.id] or {}, depth + 1)
    end
  end
  support.print("\n%s", path)
  print_all(tops, 0)
end

support.run(function()
  local tree = calira.tree()
  -- The summaries have no serial number: `details` asks for each full record, several at once, in order.
  local instruments, labs = calira.equipment({ under = tree:find(args.account), details = true }):collect()
  local lab_of, by_lab = {}, {}
  for i, e in ipairs(instruments) do
    local lab = labs[i]
    if not by_lab[lab] then
      by_lab[lab] = {}
      lab_of[#lab_of + 1] = lab
    end
    table.insert(by_lab[lab], e)
  end
  for _, lab in ipairs(lab_of) do print_lab(tree:path(lab), by_lab[lab]) end
  support.print("\n%d instruments", #instruments)
end)
