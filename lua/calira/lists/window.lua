--- The window of a list across accounts: the walks that are open, in the tree's order, and what is asked for ahead of the reader.
-- As many calls are in the air as the client allows, as long as calls are known to be needed: of each account its first page, and, once
-- that has come, those which it promises, read or not. Accounts that are read earlier go first. What has come and waits for its turn is
-- bounded by pages. Before the reader reads on, no more is asked for than the client has calls in flight.

local core <const> = require "calira.core"
local cursors <const> = require "calira.lists.cursors"
local names <const> = require "calira.accounts.names"
local options <const> = require "calira.values.options"

local M = {}

local Window = {}
Window.__index = Window

-- A part is an account: `place`, `node`; `walk` until it is over, or `failure` where none could be made; then its `report` and `size`;
-- `taken`: the records of the batch that was taken from the walk last.

-- ── Parts ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local function new_walk(list, place, node)
  local walk_options = {}
  for name, value in pairs(list.walk_options) do walk_options[name] = value end
  walk_options.limit = nil
  walk_options.lookahead = walk_options.lookahead or math.min(list.at_once, 64)
  if place == 1 then cursors.apply(list.resumed, walk_options) end
  local id <const> = options.id_text(node)
  if not id then
    core.raise("argument", ("under: %s has no id to ask by: on_error can leave it out"):format(names.shown(node)))
  end
  local path, query = list.call.address(id)
  return core.walk(list.client, path, query, walk_options)
end

--- Opens the next account; nil where all were.
function Window:open_next()
  local place = #self.parts + 1
  local node = self.nodes[place]
  if not node then return nil end
  local part = { place = place, node = node }
  local ok, walk = pcall(new_walk, self.list, place, node)
  if ok then
    part.walk = walk
  elseif core.is_error(walk) then
    part.failure = walk -- told when it is its turn
  else
    error(walk, 0)
  end
  self.part_of[node] = part
  self.parts[place] = part
  return part
end

--- The open parts in order: an interrupt may have come between opening one and entering it here.
function Window:open_parts()
  local active, parts = self.active, self.parts
  for place = self.entered + 1, #parts do
    if active[#active] ~= parts[place] then active[#active + 1] = parts[place] end
    self.entered = place
  end
  return active
end

function M.report_of(part)
  return part.report or part.walk and part.walk:report() or { verdict = "partial" }
end

--- An account is at its end, or given up.
function Window:finish(part)
  if part.walk then
    part.report, part.size = part.walk:report(), part.walk:size()
    part.walk:close()
    part.walk = nil
  end
  for i, each in ipairs(self.active) do
    if each == part then
      table.remove(self.active, i)
      return
    end
  end
end

--- Leaves the rest of an account unread.
function Window:drop(node)
  for i = #self.active, 1, -1 do
    if self.active[i].node == node then self:finish(self.active[i]) end
  end
end

--- Finishes those that are at their end; not one whose last batch an interrupt kept from its reader.
function Window:sweep()
  local active = self:open_parts()
  for i = #active, 1, -1 do
    local part = active[i]
    local finished = part.walk and select(3, part.walk:progress()) or part.failure and 0 or 1
    if finished == 1 and part ~= self.list.reading then self:finish(part) end
  end
end

-- ── Asking ahead ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Records that a walk will still bring, as far as that is known without asking; nil where it is not.
local function left_in(walk)
  local received, total = walk:progress()
  if not total and walk:ready() then
    local ok, told = pcall(walk.total, walk)
    if not ok and not core.is_error(told) then error(told, 0) end
    total = ok and told or nil
  end
  return total and math.max(total - received, 0)
end

--- Pages of a part that were asked for and not read, and how many of these are in the air.
local function ahead_of(part)
  if not part.walk then return 0, 0 end
  local asked, over = part.walk:ahead()
  return asked, asked - (over or 0)
end

--- Asks for what is needed next: of the first part always, of the others as far as window, limit and wire allow.
function Window:refill()
  local list, active = self.list, self:open_parts()
  self:sweep() -- so that there is something to ask of the first
  local room, free, wanted = list.returned and list.room or list.at_once, list.at_once, list:wanted()
  for _, part in ipairs(active) do
    local asked, flying = ahead_of(part)
    room, free = room - asked, free - flying
  end
  local i = 0
  while i == 0 or room > 0 and free > 0 and (not wanted or wanted > 0) do
    i = i + 1
    local part = active[i]
    if not part then
      if not self:open_next() then return end
      part = self:open_parts()[i]
    end
    if part.walk then
      local asked, flying = ahead_of(part)
      part.walk:want(wanted or -1, asked + math.max(math.min(room, free), 0))
      part.walk:start()
      local asked_now, flying_now = ahead_of(part)
      room, free = room - asked_now + asked, free - flying_now + flying
      if wanted then
        local left = left_in(part.walk)
        if not left then return end
        wanted = wanted - left
      end
    end
  end
end

-- ── Choosing ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- The part to read next without waiting: the first one, or, unordered, any that has something.
function Window:pick()
  for _, part in ipairs(self:open_parts()) do
    if not part.walk or part.walk:ready() then return part end
    if not self.list.unordered then return nil end
  end
end

--- Whether all accounts were read.
function Window:over() return #self.parts == #self.nodes and #self:open_parts() == 0 end

--- The part to read next; nil where there is none any more. May wait.
function Window:choose()
  local list = self.list
  while not list.closed do
    local seen = core.activity(list.client)
    self:refill()
    local part = self:pick()
    if part then return part end
    if self:over() then return nil end
    if self.active[1] then
      if list.exact then return self.active[1] end
      core.await_activity(list.client, seen)
    end
  end
end

-- ── What is known ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- The sum of the totals where all are known.
function Window:total()
  if #self.parts < #self.nodes then return nil end
  local sum = 0
  for _, part in ipairs(self.parts) do
    local total = part.report and part.report.total_last
    if part.walk then total = select(2, part.walk:progress()) end
    if not total then return nil end
    sum = sum + total
  end
  return sum
end

--- Lists finished, and in all.
function Window:progress() return #self.parts - #self:open_parts(), #self.nodes end

function Window:size(node)
  local part = self.part_of[node]
  if not part then return nil end
  if part.walk then return part.walk:size() end
  return part.size
end

function Window:close()
  for _, part in ipairs(self.parts) do
    if part.walk then part.walk:close() end
  end
end

--- Opens the window of a list over some accounts; asks nothing yet.
---@param list table the source across accounts
---@param nodes table[]
function M.open(list, nodes)
  return setmetatable({ list = list, nodes = nodes, parts = {}, part_of = {}, active = {}, entered = 0 }, Window)
end

return M
