-- Lists the instruments of an account with their serial numbers, parts under what they belong to.
-- Usage: lua5.4 examples/inventory.lua ACCOUNT

local argparse = require "argparse"
local calira = require "calira"

local parser = argparse("inventory.lua", "Lists all instruments of an account with their serial numbers.")
parser:argument("account", "An organisation, a department or a lab: its id, its name, or its path.")
local args = parser:parse()

--- Pads to a width in characters, where string.format counts bytes.
local function cell(text, width)
  text = tostring(text or "-")
  return text .. (" "):rep(width - (utf8.len(text) or #text))
end

local function row(depth, e)
  print(table.concat({
    cell(("  "):rep(depth) .. e.name, 40), cell(e.id, 8), cell(e.serial_number, 12), cell(e.manufacturer, 16), e.model or "-",
  }, "  "))
end

--- Prints the instruments of one lab. A part may come before its parent, and its parent may not be visible.
local function print_lab(path, instruments)
  local parts, tops = {}, {}
  for _, e in ipairs(instruments) do parts[e.id] = {} end
  for _, e in ipairs(instruments) do table.insert(parts[e.parent_id] or tops, e) end
  local function print_all(list, depth)
    for _, e in ipairs(list) do
      row(depth, e)
      print_all(parts[e.id], depth + 1)
    end
  end
  print("\n" .. path)
  print_all(tops, 1)
end

local tree = calira.tree()
local account = tree:find(args.account)
row(0, { name = "INSTRUMENT", id = "ID", serial_number = "SERIAL", manufacturer = "MANUFACTURER", model = "MODEL" })

-- The summaries have no serial number: `details` asks for each full record, several at once. Labs come one after the other.
local count, lab, instruments = 0, nil, {}
for e, node in calira.equipment { under = account, details = true } do
  if node ~= lab then
    if lab then print_lab(tree:path(lab), instruments) end
    lab, instruments = node, {}
  end
  instruments[#instruments + 1] = e
  count = count + 1
end
if lab then print_lab(tree:path(lab), instruments) end
print(("\n%d instruments"):format(count))
