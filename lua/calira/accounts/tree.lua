--- The hierarchy of accounts: organisations, departments, labs. Only `missing` waits.
-- An account summary names its `organisation` and `department` by id, absent at the top, so that the list of accounts alone holds the
-- whole tree (API.md, "The account hierarchy").

local core <const> = require "calira.core"
local names <const> = require "calira.accounts.names"

local M = {}

local Tree = { __name = "calira.accounts.tree" }
Tree.__index = Tree

local WINDOW <const> = 8               -- detail calls that `missing` keeps in flight
local SHOWN <const> = 5                -- candidates that an error message or a warning lists

-- Only "lab" is shown in the API reference; the others are inferred from its prose.
local KINDS <const> = { organisation = "organisation", organization = "organisation", department = "department", lab = "lab" }

--- Every node that was ever made and is still there: what a full account is not, though it has fields of the same names.
local all_nodes <const> = setmetatable({}, { __mode = "k" })

--- Whether a value is a node of a tree.
function M.is_node(value) return all_nodes[value] == true end

--- "organisation", "department" or "lab"; nil for a type that is not known.
local function kind_of(node)
  return type(node.account_type) == "string" and KINDS[node.account_type:lower()] or nil
end

--- `Optics (lab 12)`, fit for a terminal.
local function caption(node, name)
  return ("%s (%s %s)"):format(name:gsub("%c", "?"), node.account_type or "account", node.id or "without id")
end

--- The first few of the nodes, by path, for a message.
local function listed(nodes)
  local shown = {}
  for i = 1, math.min(#nodes, SHOWN) do
    shown[i] = caption(nodes[i], names.path(nodes[i]))
  end
  if #nodes > SHOWN then shown[SHOWN + 1] = ("%d more"):format(#nodes - SHOWN) end
  return table.concat(shown, ", ")
end

-- ── Building ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- The id in a field `organisation` or `department`: summaries hold the id, full accounts `{ id, name }`; nil where there is none.
local function reference(value)
  if type(value) == "table" then value = value.id end
  if value == core.null then return nil end
  return value
end

--- Of the nodes by id: 7 finds "7" and the other way round, since JSON may write an id as a number here and as a text there.
local either_form <const> = {
  __index = function(by_id, id)
    local number = math.tointeger(tonumber(id))
    local text = number and tostring(number)
    if not number or type(id) == "string" and id ~= text then return nil end
    return rawget(by_id, type(id) == "string" and number or text)
  end,
}

--- Nodes in the order of the accounts, and by id. Of an account listed twice the first is taken.
local function nodes_of(accounts)
  local nodes, by_id = {}, setmetatable({}, either_form)
  for _, account in ipairs(accounts) do
    local id = account.id                                           -- no id: it hangs where it says, but nothing hangs under it
    local usable = math.type(id) == "integer" or type(id) == "string"
    if not (usable and by_id[id]) then
      local node = {}
      for field, value in pairs(account) do node[field] = value end
      node.parent, node.departments, node.labs = nil, {}, {}
      all_nodes[node] = true
      nodes[#nodes + 1] = node
      if usable then by_id[id] = node end
    end
  end
  return nodes, by_id
end

--- Sets `parent`: the department, or, where that is not visible, the organisation. Returns the nodes that name themselves.
local function connect(nodes, by_id)
  local selfish = {}
  for _, node in ipairs(nodes) do
    local department, organisation = by_id[reference(node.department)], by_id[reference(node.organisation)]
    if department == node or organisation == node then
      selfish[#selfish + 1] = { node }
      if department == node then department = nil end
      if organisation == node then organisation = nil end
    end
    node.parent = department or organisation
  end
  return selfish
end

--- Takes the parents of the nodes that lie in a circle, adds each circle to `cycles`, and returns the set of all nodes in `cycles`.
local function cut(nodes, cycles)
  local walk_that_saw = {}
  for _, start in ipairs(nodes) do
    local node = start
    while node and not walk_that_saw[node] do
      walk_that_saw[node] = start
      node = node.parent
    end
    if node and walk_that_saw[node] == start then                   -- this walk came back to where it had been
      local cycle = {}
      repeat
        cycle[#cycle + 1] = node
        node = node.parent
      until node == cycle[1]
      for _, member in ipairs(cycle) do member.parent = nil end
      cycles[#cycles + 1] = cycle
    end
  end
  local members = {}
  for _, cycle in ipairs(cycles) do
    for _, member in ipairs(cycle) do members[member] = true end
  end
  return members
end

--- Puts every node under its parent or among the tree's tops. An account of an unknown type with nothing under it counts as a lab.
local function place(tree, nodes, cyclic)
  local has_children, labs = {}, tree._labs
  for _, node in ipairs(nodes) do
    if node.parent then has_children[node.parent] = true end
  end
  for _, node in ipairs(nodes) do
    local kind = kind_of(node)
    local is_lab = kind == "lab" or not kind and not has_children[node]
    local alone = reference(node.organisation) == nil and reference(node.department) == nil
    local siblings = tree.orphans
    if is_lab then labs[node] = true end
    if node.parent then
      siblings = is_lab and node.parent.labs or node.parent.departments
    elseif not cyclic[node] then
      if is_lab and alone then
        siblings = tree.independent_labs
      elseif kind == "organisation" or not kind and alone then
        siblings = tree.organisations
      end
    end
    siblings[#siblings + 1] = node
  end
end

local function warn_of(cycles)
  if #cycles == 0 then return end
  local nodes = {}
  for _, cycle in ipairs(cycles) do table.move(cycle, 1, #cycle, #nodes + 1, nodes) end
  warn("calira: accounts that lie under themselves are taken as orphans: ", listed(nodes))
end

--- Builds the tree. Nodes are copies of the accounts with `parent`, `departments` and `labs` added, in the order of the accounts; all
-- that is no lab stands in `departments`. The tree has these fields, each but `by_id` an array of nodes:
-- `organisations` (they have no parent), `independent_labs` (they name none), `orphans` (neither the department nor the organisation that
-- they name is visible, or a department names none; what lies under them stays there), `by_id`, and `cycles` (an array of arrays: accounts
-- that bad data puts under themselves; they become orphans, unless the other account that they name is visible, and a `warn` says so).
---@param accounts table[] account summaries in the server's order; of an account listed twice the first is taken
---@param client? table the client that `missing` asks
---@return table tree
function M.build(accounts, client)
  local nodes, by_id = nodes_of(accounts)
  local cycles = connect(nodes, by_id)
  local cyclic = cut(nodes, cycles)
  local tree = setmetatable({
    organisations = {}, independent_labs = {}, orphans = {}, by_id = by_id, cycles = cycles, _client = client, _labs = {},
  }, Tree)
  place(tree, nodes, cyclic)
  warn_of(cycles)
  return tree
end

-- ── Walking ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Iterates over the nodes of some arrays and all that lies under them, depth first, each with its depth.
local function walk(...)
  local nodes, depths = {}, {}                                      -- stacks of what is still to come
  local function push(list, depth)
    for i = #list, 1, -1 do
      nodes[#nodes + 1], depths[#depths + 1] = list[i], depth
    end
  end
  for i = select("#", ...), 1, -1 do push((select(i, ...)), 0) end
  return function()
    local node, depth = table.remove(nodes), table.remove(depths)
    if not node then return nil end
    push(node.labs, depth + 1)
    push(node.departments, depth + 1)
    return node, depth
  end
end

--- Iterates over every account, depth first: organisations, independent labs, orphans; under each its departments, then its own labs.
---@return fun(): table?, integer? next node, depth (0 at the top)
function Tree:walk()
  return walk(self.organisations, self.independent_labs, self.orphans)
end

--- The labs under an account, at any depth, in the order of `walk`; a lab's is itself.
---@param ... any what `find` takes; without it every lab. An explicit nil is an error: a key gone missing must not widen a question
---@return table[] nodes raises as `find` does
function Tree:labs(...)
  local labs = {}
  for node in select("#", ...) == 0 and self:walk() or walk { self:find((...)) } do
    if self._labs[node] then labs[#labs + 1] = node end
  end
  return labs
end

--- Where an account stands: `"University / Physics / Optics"`.
---@param node any a node, or whatever else `find` takes
---@return string path raises as `find` does
function Tree:path(node)
  return names.path(self:find(node))
end

local function draw(lines, heading, roots)
  if #roots == 0 then return end
  lines[#lines + 1] = heading
  local rails = {}                                                  -- what runs down at each depth, from the lines above
  for node, depth in walk(roots) do
    local parent = node.parent
    local last = parent and (parent.labs[#parent.labs] or parent.departments[#parent.departments]) or roots[#roots]
    local level = heading and depth + 1 or depth
    local joint = level == 0 and "" or node == last and "└── " or "├── "
    lines[#lines + 1] = core.mask(table.concat(rails, "", 1, math.max(level - 1, 0)) .. joint .. caption(node, names.of(node)))
    if level > 0 then rails[level] = node == last and "    " or "│   " end
  end
end

--- Draws the tree, a line for each account, with type and id; control characters in names are masked.
function Tree:__tostring()
  local lines = {}
  draw(lines, nil, self.organisations)
  draw(lines, "Independent labs", self.independent_labs)
  draw(lines, "Orphans (what they belong to is not visible)", self.orphans)
  return #lines > 0 and table.concat(lines, "\n") or "(no accounts)"
end

-- ── Finding ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local function by_name(tree, text)
  tree._names = tree._names or names.index(tree:walk())
  local found = names.matches(tree._names, text)
  if #found == 1 then return found[1] end
  local shown = text:sub(1, 200)
  if #found > 1 then core.raise("argument", ("%d accounts are called %q: %s"):format(#found, shown, listed(found))) end
  local near = names.nearest(tree._names, text)
  if #near > 0 then core.raise("argument", ("there is no account %q; nearest: %s"):format(shown, listed(near))) end
  core.raise("argument", ("there is no account %q, nor one with a name like it; there are: %s; tostring(calira.tree()) shows all")
    :format(shown, listed(tree.organisations[1] and tree.organisations or tree.independent_labs)))
end

--- The one account that a key means.
-- An id goes before a name, so that of a name made of digits only the path or the node serves where they are another's id. A name or path
-- is taken exactly, or if none fits, in any case; where several fit, none is chosen.
---@param key table|integer|string a node (or any record with its `id`), an id (also as a string of digits), a name, or a path
---@return table node raises kind `argument` where none fits, with the nearest names, or several, with their paths
function Tree:find(key)
  local kind = type(key)
  if kind == "string" then return self.by_id[key] or by_name(self, key) end
  if kind ~= "table" and not math.tointeger(key) then
    core.raise("argument", ("expected an account as a node, an id, a name or a path, got %s"):format(kind == "number" and key or kind))
  end
  local node = self.by_id[kind == "table" and key.id or key]
  if node then return node end
  for own in self:walk() do
    if own == key then return own end                               -- a node whose id does not serve
  end
  if kind == "table" and key.id == nil then core.raise("argument", "expected an account, got a table without id") end
  core.raise("argument", ("no account has the id %s, or the application cannot see it"):format(kind == "table" and key.id or key))
end

-- ── What cannot be seen ───────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Reads the details of accounts, several at once; iterates over node and full account, in order.
local function details_of(client, nodes, window)
  local asked, read = 0, 0
  return function()
    window[read] = nil
    read = read + 1
    if read > #nodes then return nil end
    while asked < #nodes and asked < read + WINDOW - 1 do
      asked = asked + 1
      window[asked] = client:request("/accounts/" .. nodes[asked].id)
    end
    return nodes[read], (window[read]:wait())
  end
end

local function cancel_all(window)
  for _, request in pairs(window) do request:cancel() end
end

--- The labs that the details of organisations and departments name, but that the application cannot see: what tells "no bookings" from
-- "not authorised". One call for each organisation and department, so it waits. What lies under a department that is not visible itself
-- cannot be known.
---@return table[] labs `{ id, name, parent = node }`, each once, the department for a parent where one names it; raises as `request` does
function Tree:missing()
  local nodes, labs, seen = {}, {}, {}
  for node in self:walk() do
    if not self._labs[node] and self.by_id[node.id] then nodes[#nodes + 1] = node end
  end
  local window <close> = setmetatable({}, { __close = cancel_all })
  for node, account in details_of(self._client, nodes, window) do
    for _, lab in ipairs(account.labs or {}) do
      local id = reference(lab)
      local known = seen[id]
      if known then
        if kind_of(node) == "department" then known.parent = node end
      elseif id ~= nil and not self.by_id[id] then
        seen[id] = { id = id, name = lab.name, parent = node }
        labs[#labs + 1] = seen[id]
      end
    end
  end
  return labs
end

return M
