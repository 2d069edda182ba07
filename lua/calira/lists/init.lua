--- Lists: what a list call's options ask for, put together out of sources of batches (see csrc/list.h): a walk over the pages of one
-- list, or across those of several accounts; then the progress function, the filters, the details. Each is a small table with the same
-- methods over the source below it.

local core <const> = require "calira.core"
local lazy <const> = require "calira.values.lazy"
local cursors <const> = lazy "calira.lists.cursors"
local details <const> = lazy "calira.lists.details"
local filter <const> = lazy "calira.lists.filter"
local across <const> = lazy "calira.lists.across"
local names <const> = lazy "calira.accounts.names"
local shard <const> = lazy "calira.accounts.shard"
local stages <const> = lazy "calira.lists.stages"

local M = {}

--- The tests of this library's own filters together, or nil.
local function test_of(options)
  local matches = filter.compile(options)
  if not options.shard or options.under ~= nil then return matches end
  local falls_to = shard.test(options.shard)
  return function(record) return falls_to(record.id) and (not matches or matches(record)) end
end

-- ── The end of a list ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

local REASONS <const> = {
  drifted = "the list changed while it was read and did not settle in %s",
  looped = "the server gave the same pages again before its total was reached",
  clamped = "the server answered with another page than the one asked for before its total was reached",
}

local AHEAD <const> = 4 -- pages or details ahead of the reader of a list, for each call that the client may have in flight
local SHOWN <const> = 5 -- labs that a message names

--- `Optics (id 105), NMR Suite (id 108): `, the labs whose own verdict this is; of a list of its own nothing.
local function labs_with(verdict, parts)
  local shown, count = {}, 0
  for _, part in ipairs(parts or {}) do
    if part.report.verdict == verdict then
      count = count + 1
      if count <= SHOWN then shown[count] = ("%s (id %s)"):format(names.shown(part.node), part.node.id) end
    end
  end
  if count > SHOWN then shown[SHOWN + 1] = ("%d more"):format(count - SHOWN) end
  return count > 0 and table.concat(shown, ", ") .. ": " or ""
end

local function drift_message(report)
  local text = labs_with(report.verdict, report.parts)
    .. REASONS[report.verdict]:format(report.passes == 1 and "a single reading" or report.passes .. " readings")
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
  local matches, where = test_of(options), options.where
  local resumed, cursor = cursors.open(call, options)
  local walk_options = {
    per_page = options.per_page, page = options.page, exact = options.exact, scope = call.scope,
    lookahead = options.lookahead or client_options.lookahead, limit = not (matches or where) and options.limit or nil,
  }
  local source
  local room = AHEAD * client_options.max_in_flight
  local detailed = options.details or options.forms or options.equipment
  if call.under ~= nil then
    source = across.open(client, call, walk_options, options, resumed, detailed and client_options.max_in_flight or room)
  else
    cursors.apply(resumed, walk_options)
    source = core.walk(client, call.path, call.query, walk_options)
  end
  if options.on_page then source = stages.observed(source, options.on_page) end
  if matches or where then source = stages.filtered(source, matches, where) end
  source = details.over(source, client, call, options, room)
  local mark = cursor and function(page, id, node) return cursor(page, id, node, source:size(node)) end -- and what was before
  local list = core.list(source, {
    client = client, under = call.under ~= nil or nil,
    limit = options.limit, name = "GET " .. call.path, cursor = mark, finish = finisher(client, call.path, strict),
  })
  return list, nil, nil, list
end

return M
