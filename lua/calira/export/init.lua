--- Exports bookings, page by page: what a writer has kept stays kept, and the next run goes on behind it. `calira export` is this with
-- arguments; another target is another writer. Waits wherever the library does.
--
-- A writer (csv.lua, sqlite.lua) has
--   last          what an earlier run left: `cursor` (nil: from the start), `resumed`; `labs`, ids, where it can tell what is gone
--   known(ids)    id → `summary`, `details_of`: digests of what it holds (see row.lua)
--   write(rows, cursor)   keeps the rows and then the cursor, both on the disk when it returns; a row that it holds is not held twice
--   restart()     forgets the cursor
--   unseen()      how many bookings this run did not see; absent where it cannot tell
--   finish{ gone, labs }  ends the run: counts of `rows` and `gone`
--   close()       lets everything go, also in the middle
-- A row has `id` (nil: none), `values` (column → value), `record`, `json` (as the list had it), `summary` (digest), `fetched` (its details
-- came in this run), `known`.

local calira <const> = require "calira"
local core <const> = require "calira.core"
local json <const> = require "calira.values.json"
local row <const> = require "calira.export.row"

local M = {}

local WRITERS <const> = { db = "sqlite", sqlite = "sqlite", sqlite3 = "sqlite", csv = "csv" }

--- Which writer a target has.
---@param target string `FILE.db`, `FILE.sqlite`, `FILE.sqlite3` or `FILE.csv`
---@return string? name of the file beside this one
---@return string? message where there is none
function M.kind(target)
  local name <const> = not target:find "^%w+://" and WRITERS[target:lower():match "%.(%w+)$"]
  if name then return name end
  return nil, ("an export goes to FILE.db (SQLite) or FILE.csv, not to %q"):format(target)
end

--- The writer of a target, opened. May wait.
---@param options table see the writers
---@return table writer; raises a text where it cannot be opened, or holds another export
function M.open(target, options)
  return require("calira.export." .. assert(M.kind(target))).open(target, options)
end

local Export = {}
Export.__index = Export

-- ── Details ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Lays the full booking over the summary of a row, or says that it is gone. May wait.
function Export:fetch(each)
  local ok, full = pcall(self.client.booking, self.client, each.id)
  if ok then
    for name, value in pairs(full) do each.record[name] = value end
    each.fetched = true
  elseif calira.is_error(full) and full.kind == "not_found" then
    each.gone = true
  else
    error(full, 0)
  end
end

--- Asks for the details that are wanted, all of a page at once, as many in flight as the client allows. May wait.
function Export:complete(rows)
  local calls = {}
  for _, each in ipairs(rows) do
    local stale = self.refetch or not (each.known and each.known.details_of == each.summary)
    if each.id ~= nil and stale then calls[#calls + 1] = function() self:fetch(each) end end
  end
  if #calls > 0 then calira.gather(calls) end
end

-- ── Pages ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- The rows of a page's records, compared with what the writer holds.
function Export:rows_of(records, node)
  local rows, ids, digest = {}, {}, row.digest(node)
  for i, record in ipairs(records) do
    local id = row.usable(record.id) and record.id or nil
    local text = json.encode(record)
    rows[i] = { id = id, record = record, json = text, summary = digest(text) }
    ids[#ids + 1] = id
  end
  local known <const> = self.writer:known(ids)
  for _, each in ipairs(rows) do each.known = each.id ~= nil and known[each.id] or nil end
  return rows
end

function Export:count(rows)
  local counts <const> = self.counts
  for _, each in ipairs(rows) do
    local name = each.id == nil and "without_id" or not each.known and "new" or each.known.summary ~= each.summary and "changed" or "same"
    counts[name] = counts[name] + 1
    if each.fetched then counts.details = counts.details + 1 end
  end
end

function Export:page(list, records, node, top)
  local rows = self:rows_of(records, node)
  if self.details then self:complete(rows) end
  local kept = {}
  for _, each in ipairs(rows) do
    if each.gone then
      self.counts.vanished = self.counts.vanished + 1
    else
      each.values = row.values(each.record, node)
      kept[#kept + 1] = each
    end
  end
  self:count(kept)
  self.writer:write(kept, ("%s %s"):format(top.id, list:cursor()))
  if self.on_page then self.on_page(list, self.counts) end
end

--- Adds a list's report to that of all.
local function add_report(all, report)
  all.pages, all.unseen = all.pages + report.pages, all.unseen + (report.unseen or 0)
  if report.verdict ~= "complete" then all.complete = false end
end

--- Reads the list under a node, to its end. Returns its report, and the error where it came to its end in doubt.
function Export:walk(node, cursor)
  local list <close> = self.list(self.client, "bookings", node, { resume = cursor })
  local ok, err = pcall(function()
    for _, records, lab in list:pages() do self:page(list, records, lab or node, node) end
  end)
  if not ok and not (calira.is_error(err) and err.kind == "drift") then error(err, 0) end
  local report <const> = list:report()
  for _, part in ipairs(report.parts or { { node = node } }) do self.read_labs[tostring(part.node.id)] = true end
  return report, not ok and err or nil
end

--- Reads the lists of all nodes from where the writer left them. Returns the sum of the reports, and the first doubt.
-- The writer's cursor is the id of the node, a blank, and the cursor of its list.
function Export:read()
  local last_node, cursor = (self.writer.last.cursor or ""):match "^(%S+) (%S+)$"
  local all, drift = { pages = 0, unseen = 0, complete = true }, nil
  local found = last_node == nil
  for _, node in ipairs(self.nodes) do
    local here = tostring(node.id) == last_node
    found = found or here
    if found then
      local report, doubt = self:walk(node, here and cursor or nil)
      add_report(all, report)
      drift = drift or doubt
    end
  end
  if not found then core.raise("argument", "resume: the account where the list was left is not there any more") end
  return all, drift
end

--- The same, from the start where the cursor is of no use: the lab where the list was left is gone, or it is of another version.
function Export:read_on()
  local ok, report, drift = pcall(self.read, self)
  if ok then return report, drift end
  if not (self.writer.last.cursor and calira.is_error(report) and report.kind == "argument") then error(report, 0) end
  self.writer:restart()
  self.resumed, self.writer.last.cursor = false, nil
  return self:read()
end

-- ── What is gone ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- The ids of the labs that are seen: of those nodes, or all. May wait.
function Export:labs()
  local tree <const> = self.client:tree()                               -- anew: a consent can be taken back while the list is read
  local ids = {}
  for _, node in ipairs(self.whole and { false } or self.nodes) do
    local found = not node or tree.by_id[node.id]
    for _, lab in ipairs(found and (node and tree:labs(node.id) or tree:labs()) or {}) do ids[#ids + 1] = lab.id end
  end
  return ids
end

--- Labs of `before` that are not in a set of ids as texts.
local function missing(before, there)
  local lost = {}
  for _, id in ipairs(before) do
    if not there[tostring(id)] then lost[#lost + 1] = id end
  end
  return lost
end

--- Whether what this run did not see can be taken for gone, and the labs that are seen now. Else says in `doubts` why not. May wait.
function Export:judge(report, drift)
  local labs <const> = (self.find_labs or self.labs)(self)
  local now = {}
  for _, id in ipairs(labs) do now[tostring(id)] = true end
  local lost <const>, unread <const> = missing(self.writer.last.labs, now), missing(self.writer.last.labs, self.read_labs)
  local function doubt(serious, text, ...)
    self.doubts[#self.doubts + 1] = { serious = serious, text = text:format(...) }
  end
  if #lost > 0 then
    doubt(true, "lab %s is not visible any more: consent again, or, where it is gone for good, delete it from the table calira_labs",
      table.concat(lost, ", "))
  end
  if #lost == 0 and #unread > 0 and not self.resumed then
    doubt(true, "lab %s was not read: it was not visible when this run began", table.concat(unread, ", "))
  end
  if report.unseen > 0 then doubt(true, "the service counts %d more than it shows", report.unseen) end
  if self.counts.without_id > 0 then doubt(true, "%d came without an id, and have no row", self.counts.without_id) end
  if drift or not (report.complete or self.resumed) then doubt(true, "the list was not read in whole") end
  if self.resumed then doubt(false, "this run went on after an interruption; the next one looks for those that are gone") end
  return #self.doubts == 0, labs
end

--- Exports.
---@param options table `client`; `writer`; `nodes`: accounts, whose lists `list(client, "bookings", node, options)` opens; `whole`:
---  whether they are all that the token sees; `details`, `refetch` (all again): booleans; `on_page(list, counts)`: called after each page;
---  `labs()`: ids of the labs that are visible now, where not a tree is to tell
---@return table result `counts` (`new`, `changed`, `same`, `details`, `vanished`, `without_id`), `rows`, `gone`, `pages`,
---  `unseen` (how many more the service counts than it shows), `doubts` (why nothing was marked as gone: `text`, `serious`), `drift` (the
---  error of a list that would not settle), `resumed`.
---  Raises what the calls and the writer raise; what was written stays, and the next run goes on there.
function M.run(options)
  local self = setmetatable({
    client = options.client, writer = options.writer, nodes = options.nodes, list = options.list, whole = options.whole,
    details = options.details, refetch = options.refetch, on_page = options.on_page, find_labs = options.labs,
    resumed = options.writer.last.resumed, doubts = {}, read_labs = {},
    counts = { new = 0, changed = 0, same = 0, details = 0, vanished = 0, without_id = 0 },
  }, Export)
  local report, drift = self:read_on()
  local gone, labs = false, nil
  if self.writer.unseen then gone, labs = self:judge(report, drift) end
  local ended <const> = self.writer:finish { gone = gone, labs = labs }
  return {
    counts = self.counts, rows = ended.rows, gone = ended.gone or 0, drift = drift, doubts = self.doubts,
    unseen = report.unseen,
    resumed = self.resumed, pages = report.pages,
  }
end

return M
