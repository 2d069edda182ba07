--- Across accounts: a source that walks the same list of several accounts, one after the other in the tree's order, several in flight.
-- `under = key` is this. Each record once, even where two accounts list the same one; the account's node goes with each batch.

local core <const> = require "calira.core"
local cursors <const> = require "calira.lists.cursors"
local options <const> = require "calira.values.options"
local tree <const> = require "calira.accounts.tree"

local M = {}

local Across = {}
Across.__index = Across

-- ── Which accounts ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Every account of a branch, its top included, depth first.
local function accounts_of(node, found)
  found[#found + 1] = node
  for _, child in ipairs(node.departments or {}) do accounts_of(child, found) end
  for _, child in ipairs(node.labs or {}) do accounts_of(child, found) end
  return found
end

local ABOVE <const> = { organisation = true, organization = true, department = true }

--- As the tree sees it: an account of a type that is not known counts as a lab where nothing is under it.
local function is_lab(node)
  local kind = type(node.account_type) == "string" and node.account_type:lower()
  return kind == "lab" or not ABOVE[kind] and #node.labs == 0 and #node.departments == 0
end

local function labs_of(node, found)
  for _, each in ipairs(accounts_of(node, {})) do
    if is_lab(each) then found[#found + 1] = each end
  end
  return found
end

--- Whether it is a node of a tree: a full account has arrays of the same names, but what is in them has no parent.
local function is_node(key)
  if type(key) ~= "table" or type(key.labs) ~= "table" or type(key.departments) ~= "table" then return false end
  local child = key.labs[1] or key.departments[1]
  return child == nil or type(child) == "table" and child.parent == key
end

--- The node of a key: of a tree that is read for it, unless it is one itself. May wait.
function Across:find(key)
  if is_node(key) then return key end
  local list <close> = self.client:accounts()
  self.accounts = list
  local accounts = list:collect()
  self.requests = list:report().requests
  return tree.build(accounts, self.client):find(key)
end

--- The nodes to walk. Reads the tree unless a node is given; raises kind `argument` for a key that it does not have. May wait.
function Across:resolve()
  local node = self:find(self.call.under)
  local nodes = self.call.every_account and accounts_of(node, {}) or labs_of(node, {})
  if self.resumed and self.resumed.node then
    local place
    for i, each in ipairs(nodes) do place = each.id == self.resumed.node and i or place end
    if not place then core.raise("argument", "resume: the account where the list was left is not there any more") end
    nodes = table.move(nodes, place, #nodes, 1, {})
  end
  self.nodes = nodes
end

-- ── Walks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local function copy(from)
  local to = {}
  for name, value in pairs(from) do to[name] = value end
  return to
end

--- The walk of the place-th account, opened on first use.
function Across:walk(place)
  local walk = self.walks[place]
  if not walk then
    local walk_options = copy(self.walk_options)
    walk_options.limit = nil
    if place == 1 then cursors.apply(self.resumed, walk_options) end
    local path, query = self.call.address(options.check_id(self.nodes[place], "under"))
    walk = core.walk(self.client, path, query, walk_options)
    self.walks[place] = walk
  end
  return walk
end

--- Records that a walk will still bring, as far as that is known without asking.
local function left_in(walk)
  local received, total = walk:progress()
  if not total and walk:ready() then
    local ok, told = pcall(walk.total, walk)
    total = ok and told or nil
  end
  return total and math.max(total - received, 0)
end

--- Starts the walks after the current one: as many as leave `most` pages ahead of the reader, and, where only so many records are
-- wanted, none that is not needed for sure.
function Across:start_ahead()
  local ahead, needed = 0, self.wanted
  for place = self.current, #self.nodes do
    if not self.over[place] then
      if ahead >= self.most or (needed and needed <= 0) then return end
      local walk = self:walk(place)
      walk:start()
      ahead = ahead + math.max(walk:ahead(), 1)
      if needed then
        local left = left_in(walk)
        if not left then return end
        needed = needed - left
      end
    end
  end
end

--- Lets a walk ask ahead: for no more than is wanted, nor than the others leave of the pages that may be ahead of the reader.
function Across:allow(place)
  local left = self.most
  for other = self.current, #self.nodes do
    local walk = self.walks[other]
    if not walk then break end
    if other ~= place and not self.over[other] then left = left - walk:ahead() end
  end
  self.walks[place]:want(self.wanted or -1, left)
end

function Across:finish(place)
  local walk = self.walks[place]
  self.over[place] = true
  self.finished = self.finished + 1
  self.reports[place] = walk:report()
  walk:close()
  while self.over[self.current] do self.current = self.current + 1 end
end

--- The place of the walk to read next: the current one, or, unordered, one that has something. May wait.
function Across:choose()
  while self.unordered and not self.closed do
    local seen = core.activity(self.client)
    for place = self.current, #self.nodes do
      local walk = not self.over[place] and self.walks[place]
      if walk and walk:ready() then return place end
    end
    core.await_activity(self.client, seen)
  end
  return self.current
end

-- ── Batches ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Drops records that another account brought.
function Across:sift(records)
  local kept, count = 0, #records
  for i = 1, count do
    if self.seen:add(records[i].id) then
      kept = kept + 1
      records[kept] = records[i]
    end
  end
  for i = kept + 1, count do records[i] = nil end
  self.duplicates = self.duplicates + count - kept
  self.received = self.received + kept
end

--- Leaves the rest of an account unread.
function Across:skip(node, err)
  self.skipped[#self.skipped + 1] = { node = node, error = err }
  for place, each in ipairs(self.nodes) do
    if each == node then
      if not self.over[place] then self:finish(place) end
      self.reports[place].verdict = "partial"
    end
  end
end

--- Something of an account failed: true where `on_error` says to go on with the others; false and the handler's own error where it
-- failed; else raises the error, which then names the account.
function Across:blame(err, node)
  if not core.is_error(err) then error(err, 0) end -- an interrupt, not an answer
  err.message = ("%s (id %s): %s"):format(node.name or "account", node.id, err.message)
  if self.on_error and not self.closed then
    local ok, skip = pcall(self.on_error, err, node)
    if not ok then return false, skip end
    if skip then
      self:skip(node, err)
      return true
    end
  end
  error(err, 0)
end

function Across:batch()
  if not self.nodes then self:resolve() end
  while not self.closed and self.current <= #self.nodes do
    self:start_ahead()
    local place = self:choose()
    local walk = self:walk(place)
    self:allow(place)
    local ok, records, page, _, part, pass, pages = pcall(walk.batch, walk)
    if not ok then
      local went_on, err = self:blame(records, self.nodes[place])
      if not went_on then return false, err end
    elseif self.closed then
      return nil
    elseif not records then
      self:finish(place)
    else
      self:sift(records)
      if self.wanted then self.wanted = self.wanted - #records end
      self:start_ahead()
      return records, page, self.nodes[place], part, pass, pages
    end
  end
  return nil
end

--- Whether batch() would not wait.
function Across:ready()
  local walk = self.nodes and self.walks[self.current]
  return self.nodes and (self.current > #self.nodes or (walk and walk:ready())) or false
end

-- ── What is known ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- The sum of the accounts' totals where all are known; asks nothing.
function Across:total()
  local sum = 0
  if not self.nodes then return nil end
  for place = 1, #self.nodes do
    local walk = self.walks[place]
    local _, total = nil, nil
    if walk then _, total = walk:progress() end
    if not total then return nil end
    sum = sum + total
  end
  return sum
end

function Across:progress()
  return self.received, self:total(), self.finished, self.nodes and #self.nodes or 0
end

local SEVERITY <const> = { complete = 0, partial = 1, drifted = 2, looped = 3, clamped = 3 }
local SUMMED <const> = { "unseen", "duplicates", "pages", "requests" }

--- The worst verdict of the accounts, the sums of their figures, and each one's own.
function Across:report()
  local report = { verdict = "complete", received = self.received, passes = 0, parts = {}, skipped = self.skipped }
  for _, name in ipairs(SUMMED) do report[name] = 0 end
  report.duplicates, report.requests = self.duplicates, self.requests
  local first, last = 0, 0
  for place, node in ipairs(self.nodes or {}) do
    local part = self.reports[place] or (self.walks[place] and self.walks[place]:report()) or { verdict = "partial" }
    if self.walks[place] then report.parts[#report.parts + 1] = { node = node, report = part } end
    if SEVERITY[part.verdict] > SEVERITY[report.verdict] then report.verdict = part.verdict end
    for _, name in ipairs(SUMMED) do report[name] = report[name] + (part[name] or 0) end
    report.passes = math.max(report.passes, part.passes or 0)
    first, last = first and part.total_first and first + part.total_first, last and part.total_last and last + part.total_last
  end
  report.total_first, report.total_last = first or nil, last or nil
  if not self.nodes then report.verdict = "partial" end
  return report
end

function Across:want(count) self.wanted = count end

--- The size of the pages of an account, where it is another than the server says.
function Across:size(node)
  for place, each in ipairs(self.nodes or {}) do
    if each == node then return self.walks[place] and self.walks[place]:size() end
  end
end

function Across:close()
  self.closed = true
  if self.accounts then self.accounts:close() end
  for place in pairs(self.walks) do
    if not self.over[place] then self.walks[place]:close() end
  end
end

--- Opens a source across accounts.
---@param call table `under`: a key or node; `every_account`: of every account, not of every lab; `address(id)` → path, query
---@param resumed table? where a cursor left
function M.open(client, call, walk_options, given, resumed)
  return setmetatable({
    client = client, call = call, walk_options = walk_options, resumed = resumed, on_error = given.on_error,
    unordered = given.unordered and not given.exact, wanted = walk_options.limit, most = core.options(client).max_in_flight,
    walks = {}, over = {}, reports = {}, skipped = {}, seen = core.seen(), current = 1, finished = 0, received = 0, duplicates = 0, requests = 0,
  }, Across)
end

return M
