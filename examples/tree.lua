-- Draws the hierarchy of accounts: organisations, departments, labs.
-- Usage: lua5.4 examples/tree.lua [--under ACCOUNT] [--missing]

local argparse = require "argparse"
local calira = require "calira"
local support = dofile((arg[0]:match ".*/" or "") .. "support.lua")

local parser = argparse("tree.lua", "Draws the hierarchy of accounts.")
parser:option("--under", "Only list the labs under this account: an id, a name or a path."):argname "ACCOUNT"
parser:flag("--missing", "Also name the labs that belong here, but that the application was not given (a call for each account).")
local args = parser:parse()

support.run(function()
  local tree = calira.tree()
  if args.under then
    for _, lab in ipairs(tree:labs(args.under)) do support.print("%s\t%s", lab.id, tree:path(lab)) end
  else
    support.write(tostring(tree), "\n")
  end
  if args.missing then
    local missing = tree:missing()
    support.print("\n%d labs that the application cannot see", #missing)
    for _, lab in ipairs(missing) do support.print("%s\t%s / %s", lab.id, tree:path(lab.parent), lab.name) end
  end
end)
