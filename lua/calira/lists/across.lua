--- Across accounts: a source that walks the same list of several accounts, one after the other in the tree's order, several in flight.
-- `under = key` is this. Each record once, even where two accounts list the same one; the account's node goes with each batch.
-- What is asked for ahead, and for which accounts, is in window.lua. That an interrupt loses nothing: see stages.lua.

local core <const> = require "calira.core"
local names <const> = require "calira.accounts.names"
local stages <const> = require "calira.lists.stages"
local under <const> = require "calira.accounts.under"
local window <const> = require "calira.lists.window"

local M = {}

local Across = {}
Across.__index = Across

--- Digests of the accounts that come before each, whatever their own order.
local function befores(nodes)
  local before, sum = {}, 0
  for _, node in ipairs(nodes) do
    before[node] = ("%016x"):format(sum)
    sum = sum + core.digest(tostring(node.id))
  end
  return before
end

--- The accounts to walk. Reads the tree unless a node is given; raises kind `argument` for a key that it does not have. May wait.
-- A resumed list begins where it was left, unless others come before that account now: then at the first, since some may not have been
-- read.
function Across:resolve()
  local nodes = under.accounts(self.client, self.call, self.shard, self.strict, function(list) self.accounts = list end)
  self.before = befores(nodes)
  local left, before = self.resumed and self.resumed.node, self.resumed and self.resumed.before
  if left then
    local place
    for i, node in ipairs(nodes) do place = node.id == left and i or place end
    if not place then core.raise("argument", "resume: the account where the list was left is not there any more") end
    if before == "" or before == self.before[nodes[place]] then
      nodes = table.move(nodes, place, #nodes, 1, {})
    else
      self.resumed = nil
    end
  end
  self.window = window.open(self, nodes)
end

-- ── Errors of one account ─────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Puts the account's name into an error's message, once.
local function name(named, err, node)
  if named[err] then return end
  named[err] = true
  err.message = ("%s (id %s): %s"):format(names.shown(node), node.id or "none", err.message)
end

--- Something of an account failed: true where `on_error` says to go on with the others; false and the handler's own error where it
-- failed; else raises the error, which then names the account. The handler is asked once about an account.
function Across:blame(err, node)
  if not core.is_error(err) then error(err, 0) end -- an interrupt, not an answer
  name(self.named, err, node)
  local skip = self.skips[node]
  if skip == nil and self.on_error and not self.closed and err.kind ~= "closed" then
    local ok, answer = pcall(self.on_error, err, node)
    if not ok then return false, answer end
    skip = answer and true or false
    self.skips[node] = skip
    if skip then self.skipped[#self.skipped + 1] = { node = node, error = err } end
  end
  if not skip then error(err, 0) end
  self.window:drop(node)
  return true
end

-- ── Batches ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Settles what an interrupt may have left: the walk whose batch is held is told that it was taken.
function Across:settle()
  local held, reading = self.held, self.reading
  if reading and not reading.walk and not reading.failure then self.reading = nil end -- given up meanwhile
  if not held.part then return end
  held.part.taken = held.records
  if self.reading == held.part then self.reading = nil end
  held.part = nil
end

--- Reads the next page of an account into `held`: true; nil where it has none; false and an error of `on_error`'s.
function Across:read(part)
  self.reading = part
  local ok, records, page, _, parts, pass, pages
  if part.failure then
    ok, records = false, part.failure
  else
    ok, records, page, _, parts, pass, pages = pcall(part.walk.batch, part.walk, part.taken or false)
  end
  if not ok then
    local went_on, err = self:blame(records, part.node)
    self.reading = nil
    if not went_on then return false, err end
  elseif not records then
    self.reading = nil
    if not self.closed then self.window:finish(part) end
  else
    local count, kept = self.seen:dedup(records) -- of records that another account brought
    local before = self.held
    self.held = {
      records = records, page = page, node = part.node, parts = parts, pass = pass, pages = pages, part = part, kept = kept,
      received = before.received + kept, duplicates = before.duplicates + count - kept,
    }
    self:settle()
    return true
  end
end

local function batch_of(held)
  return held.records, held.page, held.node, held.parts, held.pass, held.pages
end

function Across:batch(taken)
  self:settle()
  if stages.missed(self.held.records, taken) then return batch_of(self.held) end
  if self.held.kept > 0 then self.returned = true end -- it is being read on
  if not self.window then self:resolve() end
  while not self.closed do
    local part = self.reading or self.window:choose()
    if not part or self.closed then return nil end
    local got, err = self:read(part)
    if got then return batch_of(self.held) end
    if got == false then return false, err end
  end
  return nil
end

--- Whether batch() would not wait.
function Across:ready()
  if not self.window then return false end
  self.window:sweep()
  return (self.reading or self.window:pick() or self.window:over()) and true or false
end

--- Asks for what is needed next, without waiting for it.
function Across:start()
  if self.window and not self.closed then self.window:refill() end
end

-- ── What is known ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- The sum of the accounts' totals where all are known; asks nothing.
function Across:total() return self.window and self.window:total() end

function Across:progress()
  if not self.window then return 0, nil, 0, 0 end
  return self.held.received, self:total(), self.window:progress()
end

local SEVERITY <const> = { complete = 0, partial = 1, drifted = 2, looped = 3, clamped = 3 }
local SUMMED <const> = { "unseen", "pages", "requests" }

--- The worst verdict of the accounts, the sums of their figures, and each one's own.
function Across:report()
  local asked = self.window and self.window.parts or {}
  local tree = self.accounts and self.accounts:report() or { verdict = "complete", requests = 0 } -- a list of accounts that lacks some
  local report = {
    verdict = self.window and #asked == #self.window.nodes and tree.verdict or "partial", received = self.held.received,
    duplicates = self.held.duplicates, requests = tree.requests, unseen = 0, pages = 0, passes = 0,
    accounts = #asked, parts = {}, skipped = table.move(self.skipped, 1, #self.skipped, 1, {}),
  }
  local first, last = self.window and 0, self.window and 0
  for place, part in ipairs(asked) do
    local own = window.report_of(part)
    if self.skips[part.node] then own.verdict = "partial" end
    report.parts[place] = { node = part.node, report = own }
    if SEVERITY[own.verdict] > SEVERITY[report.verdict] then report.verdict = own.verdict end
    for _, figure in ipairs(SUMMED) do report[figure] = report[figure] + (own[figure] or 0) end
    report.duplicates = report.duplicates + (own.duplicates or 0)
    report.passes = math.max(report.passes, own.passes or 0)
    first, last = first and own.total_first and first + own.total_first, last and own.total_last and last + own.total_last
  end
  report.total_first, report.total_last = first or nil, last or nil
  return report
end

--- So many records more are wanted.
function Across:want(count) self.most_received = self.held.received + count end

--- Records that are still wanted, nil for all.
function Across:wanted()
  return self.most_received and math.max(self.most_received - self.held.received, 0)
end

--- The size of the pages of an account, where it is another than the server says; a digest of the accounts before it.
function Across:size(node)
  if self.window then return self.window:size(node), node and self.before[node] end
end

function Across:close()
  self.closed = true
  if self.accounts then self.accounts:close() end
  if self.window then self.window:close() end
end

--- Opens a source across accounts.
---@param call table `under`: a key or node; `every_account`: of every account, not of every lab; `address(id)` → path, query
---@param resumed table? where a cursor left
---@param room integer pages that may be ahead of the reader, once it reads on
function M.open(client, call, walk_options, given, resumed, room)
  return setmetatable({
    client = client, call = call, walk_options = walk_options, resumed = resumed, on_error = given.on_error, shard = given.shard,
    exact = given.exact, unordered = given.unordered and not given.exact, most_received = walk_options.limit, room = room,
    at_once = core.options(client).max_in_flight, seen = core.seen(), strict = given.strict,
    held = { kept = 0, received = 0, duplicates = 0 }, skips = {}, skipped = {}, named = setmetatable({}, { __mode = "k" }),
  }, Across)
end

return M
