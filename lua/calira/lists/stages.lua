--- Stages: sources (csrc/paging/list.h) that change what another source brings: the progress function, the filters.
-- An interrupt (a hook's error, such as Ctrl-C) may come between any two instructions, and no record may be lost by it or come twice. So a
-- batch changes hands by one assignment at a time: `held` is what the source below brought, and it stays there until the reader
-- names `held.out`, what this stage made of it, as the batch that it has. What is half made is made again.

local M = {}

--- A source that changes what another one brings. What it does not say itself, that one says.
local Stage = {}
Stage.__index = Stage

for _, method in ipairs { "total", "progress", "report", "want", "close", "ready", "start", "size", "blame" } do
  Stage[method] = function(self, ...)
    local below = self.below
    return below[method](below, ...)
  end
end

--- Whether the reader of a stage misses the batch handed out last: see csrc/paging/list.h.
function M.missed(records, taken)
  return records ~= nil and taken ~= nil and taken ~= records
end

--- Applies the stage to the batch below: `self:apply(held)` returns `{ records, … }`, or nil and the error of a function of the user's,
-- which closes the list; or both, where records came before that error.
function Stage:batch(taken)
  local held = self.held
  local out = held.out
  if out then
    if M.missed(out.records, taken) then return out.records, held.page, held.node, held.part end
    if out.failure then return false, out.failure[1] end
    local below = self.below
    local records, page, node, part, pass, pages = below:batch(held.records or false)
    if not records then return records, page end
    held = { records = records, page = page, node = node, part = part, pass = pass, pages = pages, before = self:sum() }
    self.held = held
  end
  local made, err = self:apply(held)
  if not made then return false, err end
  held.out = made
  return made.records, held.page, held.node, held.part
end

--- What the stage has counted in the batches before this one.
function Stage.sum() end

local function new(class, fields)
  fields.held = { out = {} }
  return setmetatable(fields, class)
end

-- ── The progress function ─────────────────────────────────────────────────────────────────────────────────────────────────────────

local Observed = setmetatable({}, Stage)
Observed.__index = Observed

function Observed:apply(held)
  local received, total = self.below:progress()
  local event = { page = held.page, pages = held.pages, received = received, total = total, pass = held.pass, node = held.node }
  local ok, err = pcall(self.on_page, event)
  if not ok then return nil, err end
  return { records = held.records }
end

--- Tells `on_page` of each page.
function M.observed(below, on_page) return new(Observed, { below = below, on_page = on_page }) end

-- ── Filters ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local Filtered = setmetatable({}, Stage)
Filtered.__index = Filtered

--- Keeps the records that pass. Where `where` fails, those before are delivered first.
function Filtered:apply(held)
  local records, kept, dropped, unreadable = held.records, {}, 0, 0
  local matches, where, failure = self.matches, self.where, nil
  for i = 1, #records do
    local keep, odd = true, nil
    if matches then keep, odd = matches(records[i]) end
    if keep and where then
      local ok
      ok, keep = pcall(where, records[i])
      if not ok then
        failure = { keep }
        break
      end
    end
    if keep then
      kept[#kept + 1] = records[i]
      if odd then unreadable = unreadable + 1 end
    else
      dropped = dropped + 1
    end
  end
  local made = { records = kept, dropped = dropped, unreadable = unreadable, failure = failure }
  if failure and #kept == 0 then
    held.out = made
    return nil, failure[1]
  end
  return made
end

function Filtered:sum()
  local out, before = self.held.out or {}, self.held.before or { dropped = 0, unreadable = 0 }
  return { dropped = before.dropped + (out.dropped or 0), unreadable = before.unreadable + (out.unreadable or 0) }
end

function Filtered:ready() return self.held.out == nil or self.held.out.failure ~= nil or self.below:ready() end

function Filtered:report()
  local report, sum = self.below:report(), self:sum()
  report.filtered, report.unreadable = sum.dropped, sum.unreadable
  return report
end

--- Keeps what passes two tests, each of which may be nil.
---@param matches (fun(record: table): boolean, boolean?)? of this library: never fails; true second for a record whose start cannot be read
---@param where (fun(record: table): any)? the user's
function M.filtered(below, matches, where) return new(Filtered, { below = below, matches = matches, where = where }) end

return M
