--- Lists: what a list call's options ask for, put together out of sources of batches (see csrc/list.h): a walk over the pages of one
-- list, or across those of several accounts; then the progress function, the filters, the details. Each is a small table with the same
-- methods over the source below it.

local core <const> = require "calira.core"
local cursors <const> = require "calira.lists.cursors"
local details <const> = require "calira.lists.details"
local filter <const> = require "calira.lists.filter"
local across <const> = require "calira.lists.across"

local M = {}

-- ── Stages ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- A source that changes what another one brings. What it does not say itself, that one says.
local Stage = {}
Stage.__index = Stage

for _, method in ipairs { "total", "progress", "report", "want", "close", "ready", "size", "blame" } do
  Stage[method] = function(self, ...)
    local below = self.below
    return below[method](below, ...)
  end
end

--- Calls a function of the user's; where it fails, the list is closed and the error raised unchanged: a batch of false and the error.
local Observed = setmetatable({}, Stage)
Observed.__index = Observed

function Observed:batch()
  local below = self.below
  local records, page, node, part, pass, pages = below:batch()
  if not records then return records, page end
  local received, total = below:progress()
  local event = { page = page, pages = pages, received = received, total = total, pass = pass, node = node }
  local ok, err = pcall(self.on_page, event)
  if not ok then return false, err end
  return records, page, node, part
end

--- Keeps the records that a test lets pass, in place. Where the test fails, those before are delivered first.
local Filtered = setmetatable({}, Stage)
Filtered.__index = Filtered

--- Sifts; `state.kept` and `state.tried` count, also where `keep` fails.
local function sift(records, keep, state)
  for i = 1, #records do
    local record = records[i]
    state.tried = i
    if keep(record) then
      state.kept = state.kept + 1
      records[state.kept] = record
    end
  end
end

function Filtered:batch()
  if self.broken then return false, self.broken[1] end
  local below = self.below
  local records, page, node, part = below:batch()
  if not records then return records, page end
  local state = { kept = 0, tried = 0 }
  local count = #records
  local ok, err = pcall(sift, records, self.keep, state)
  for i = state.kept + 1, count do records[i] = nil end
  self.dropped = self.dropped + (ok and state.tried or state.tried - 1) - state.kept
  if not ok then
    if state.kept == 0 then return false, err end
    self.broken = { err }
  end
  return records, page, node, part
end

function Filtered:ready() return self.broken ~= nil or self.below:ready() end

function Filtered:report()
  local report = self.below:report()
  report.filtered = self.dropped
  return report
end

--- The test of all filters together, or nil.
local function test_of(options)
  local matches, where = filter.compile(options), options.where
  if matches and where then return function(record) return matches(record) and where(record) end end
  return matches or where
end

-- ── The end of a list ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

local REASONS <const> = {
  drifted = "the list changed while it was read and did not settle in %s",
  looped = "the server gave the same pages again before its total was reached",
  clamped = "the server answered with another page than the one asked for before its total was reached",
}

local function drift_message(report)
  local text = REASONS[report.verdict]:format(report.passes == 1 and "a single reading" or report.passes .. " readings")
  if report.unseen > 0 then
    return ("%s: %d of %s records may be missing"):format(text, report.unseen, report.total_last or "?")
  end
  return text .. ": records may be missing"
end

--- What is done with the verdict of a walk that was read to its end.
local function finisher(client, path, strict)
  return function(report)
    core.trace(client, { event = "verdict", method = "GET", path = path, verdict = report.verdict, report = report })
    if not REASONS[report.verdict] then return end
    local message = drift_message(report)
    if strict then core.raise("drift", message, { method = "GET", path = path, report = report }) end
    warn("calira: GET " .. path .. ": " .. message)
  end
end

-- ── Putting a list together ───────────────────────────────────────────────────────────────────────────────────────────────────────

--- Opens a list.
---@param client userdata
---@param call table `path`, `query` (array), `name` and `scope`; `one`: record call for details; `under`: see across.lua
---@param options table checked
---@return userdata list and nil, nil, list: the four values of a `for`. Sends nothing.
function M.open(client, call, options)
  local client_options = core.options(client)
  local strict = options.strict
  if strict == nil then strict = client_options.strict end
  local keep = test_of(options)
  local resumed, cursor = cursors.open(call, options)
  local walk_options = {
    per_page = options.per_page, page = options.page, exact = options.exact, scope = call.scope,
    lookahead = options.lookahead or client_options.lookahead, limit = not keep and options.limit or nil,
  }
  local source
  if call.under then
    source = across.open(client, call, walk_options, options, resumed)
  else
    cursors.apply(resumed, walk_options)
    source = core.walk(client, call.path, call.query, walk_options)
  end
  if options.on_page then source = setmetatable({ below = source, on_page = options.on_page }, Observed) end
  if keep then source = setmetatable({ below = source, keep = keep, dropped = 0 }, Filtered) end
  source = details.over(source, client, call, options)
  local mark = cursor and function(page, id, node) return cursor(page, id, node, source:size(node)) end
  local list = core.list(source, {
    client = client, under = call.under ~= nil or nil,
    limit = options.limit, name = "GET " .. call.path, cursor = mark, finish = finisher(client, call.path, strict),
  })
  return list, nil, nil, list
end

return M
