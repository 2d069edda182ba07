--- What --lab and --under leave: the accounts whose lists a command reads, each record with the node of its lab; and the statuses that count.

local calira <const> = require "calira"
local status <const> = require "calira.command.support.status"

local M = {}

--- The nodes to ask under: the one named, or else everything that the token sees, from the tops of the tree down. May wait.
---@param context calira.command.context
---@return table[] nodes, string name for people
function M.nodes(context)
  local arguments <const> = context.arguments
  local key <const> = arguments.lab or arguments.under
  if key then
    local node = context.account(key, arguments.lab ~= nil)
    if arguments.lab and node.labs and (#node.labs > 0 or #node.departments > 0) then
      status.raise(status.usage, ("--lab: %s is no lab; its labs are --under %s"):format(node.name or node.id, node.id))
    end
    return { node }, context.tree and context.tree:path(node) or ("account " .. node.id)
  end
  local nodes, tree = {}, context.read_tree()
  for _, list in ipairs { tree.organisations, tree.independent_labs, tree.orphans } do
    table.move(list, 1, #list, #nodes + 1, nodes)
  end
  return nodes, "everything that the token sees"
end

--- The list of what lies under a node. A node that is an id alone (the token may not read accounts) is asked as a lab.
---@param method string "bookings" or "equipment"
---@param options table? further options of the list
function M.list(client, method, node, options)
  local all = {}
  for name, value in pairs(options or {}) do all[name] = value end
  if node.labs then
    all.under = node
  else
    all[method == "bookings" and "provider" or "account"] = node.id
  end
  return (client[method](client, all))
end

--- Reads a list under each node, and tells how far it can be trusted. May wait.
---@param found fun(record: table, node: table) called with each record
---@param doubts string[] gets a line for each reason why something may be missing
function M.each(client, method, nodes, options, found, doubts)
  for _, top in ipairs(nodes) do
    local list <close> = M.list(client, method, top, options)
    local ok, err = pcall(function()
      for record, node in list do found(record, node or top) end
    end)
    if not ok then
      if not (calira.is_error(err) and err.kind == "drift") then error(err, 0) end
      doubts[#doubts + 1] = status.words(err)
    end
    local report <const> = list:report()
    if (report.undetailed or 0) > 0 then
      doubts[#doubts + 1] = ("%d %s without an id came without their details"):format(report.undetailed, method)
    end
    if report.verdict == "complete" and report.unseen > 0 then
      doubts[#doubts + 1] = ("the service counts %d more %s than it shows"):format(report.unseen, method)
    end
  end
end

-- ── Statuses ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- --status and --except-status.
function M.add_status(parser)
  parser:option("--status", "Only bookings of this status, in any case. May be repeated."):argname "STATUS":count "*"
  parser:option("--except-status", "Bookings of this status do not count; without the option declined ones do not. May be repeated; "
    .. "'' excludes none."):argname "STATUS":count "*"
end

local Statuses = {}
Statuses.__index = Statuses

local function set_of(values)
  local set = {}
  for _, value in ipairs(values) do set[value:lower()] = value end
  return set
end

--- Which statuses count, and which were seen.
function M.statuses(arguments)
  local except = arguments.except_status
  local given <const> = except and #except > 0
  if not given then except = { "declined" } end
  local only = arguments.status and #arguments.status > 0 and arguments.status or nil
  return setmetatable({
    only = only and set_of(only), except = set_of(except), checked = { only or {}, given and except or {} }, seen = {},
  }, Statuses)
end

--- Whether a booking counts; for the option `where`.
function Statuses:keep(b)
  local own = type(b.status) == "string" and b.status or ""
  local folded = own:lower()
  self.seen[folded] = self.seen[folded] or own
  return (not self.only or self.only[folded] ~= nil) and (own == "" or not self.except[folded])
end

--- For people, as "without declined"; nil where all count.
function Statuses:describe()
  local parts = {}
  for name, set in pairs { only = self.only or {}, without = self.except } do
    local values = {}
    for _, value in pairs(set) do if value ~= "" then values[#values + 1] = value end end
    table.sort(values)
    if #values > 0 then parts[#parts + 1] = name .. " " .. table.concat(values, ", ") end
  end
  table.sort(parts)
  return #parts > 0 and table.concat(parts, "; ") or nil
end

--- A line where a status was asked for that no booking has, which is likely a typo; nil otherwise, and where no booking came at all.
function Statuses:typo()
  if not next(self.seen) then return nil end
  local odd, seen = {}, {}
  for _, values in ipairs(self.checked) do
    for _, value in ipairs(values) do
      if value ~= "" and not self.seen[value:lower()] then odd[#odd + 1] = ("%q"):format(value) end
    end
  end
  if #odd == 0 then return nil end
  for _, own in pairs(self.seen) do seen[#seen + 1] = own == "" and "(none)" or own end
  table.sort(seen)
  return ("no booking there has the status %s; those seen are: %s"):format(table.concat(odd, ", "), table.concat(seen, ", "))
end

return M
