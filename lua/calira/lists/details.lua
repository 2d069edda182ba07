--- Details: a source that asks for the full record of each summary, for forms and for instruments, as many at once as the client
-- allows, and delivers in order. What has come and waits for its turn is bounded by the window; before the reader reads on, no more is
-- asked for than the client has calls in flight. That an interrupt loses nothing: see stages.lua.

local core <const> = require "calira.core"
local options <const> = require "calira.values.options"
local stages <const> = require "calira.lists.stages"

local M = {}

local Details = {}
Details.__index = Details

-- An entry of the window: `record`, `batch` and `place`: where it was below; `full`, `instrument`: requests; `forms`: an array of requests;
-- `empty`: stands for a page without records.
-- `out` is what was delivered last, with the counts of all that was: it changes by one assignment.

local function is_gone(err) return core.is_error(err) and err.kind == "not_found" end

--- Stops what is under way for an entry alone.
local function cancel(entry)
  if entry.full then entry.full:cancel() end
  for _, request in ipairs(entry.forms or {}) do request:cancel() end
end

local function is_done(entry)
  for _, request in ipairs(entry.forms or {}) do
    if not request:done() then return false end
  end
  return entry.empty or ((not entry.full or entry.full:done()) and (not entry.instrument or entry.instrument:done()))
end

-- ── Asking ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

function Details:request(route, id, account)
  self.requests = self.requests + 1
  local path = route.path:gsub("{(%w+)}", { id = id, account = account })
  return core.request(self.client, path, nil, route.scope, true)
end

--- The request of an instrument's record: one for all bookings of it; nil where the record names none, false where its id is of no use.
function Details:instrument_of(record)
  local named = record.equipment_id or record.asset_id or type(record.equipment) == "table" and record.equipment.id or nil
  local id = options.id_text(named)
  if not id then return named == nil and nil end -- nil, or false
  local request = self.instruments[id]
  if not request then
    request = self:request(self.routes.equipment, id)
    self.instruments[id] = request
  end
  return request
end

--- Takes the next record of a batch into the window: one assignment, so that an interrupt finds it there or not.
function Details:enter(batch)
  local place = batch.place + 1
  local record = batch.records[place]
  local entry = { record = record, batch = batch, place = place, empty = record == nil }
  if record then
    local id = options.id_text(record)
    if self.full then
      entry.undetailed = not id
      entry.full = id and self:request(self.full, id, self.account or batch.node and options.id_text(batch.node))
    end
    if self.with_equipment then
      entry.instrument = self:instrument_of(record)
      entry.undetailed = entry.undetailed or entry.instrument == false
    end
  end
  self.window[#self.window + 1] = entry
end

--- The batch below of which records may be left; nil where none are.
function Details:batch_left()
  local batch, newest = self.held, self.window[#self.window]
  if newest and newest.batch == batch then batch.place = math.max(batch.place, newest.place) end
  return batch.place < batch.count and batch or nil
end

--- Takes another batch from below. False where that is at its end, or failed, which is told once the window is empty.
function Details:pull()
  local ok, records, page, node, part = pcall(self.below.batch, self.below, self.held.records or false)
  if not ok then
    if not core.is_error(records) then error(records, 0) end -- an interrupt, not an answer
    self.failure = records
  elseif records then
    self.held = { records = records, page = page, node = node, part = part, place = 0, count = math.max(#records, 1) }
    return true
  elseif records == false then
    self.broken = { page }
  end
  self.at_end = true
  return false
end

--- Whether another record may be asked about: the window has room, the reader wants it, and there are calls to spare.
function Details:has_room()
  local entries = #self.window
  if entries >= (self.returned and self.room or self.at_once) or entries >= self.most_delivered - self.out.delivered then return false end
  local flying = 0
  for _, entry in ipairs(self.window) do
    if not is_done(entry) then flying = flying + 1 end
  end
  return flying < self.at_once
end

--- Fills the window. Waits for the source below only if it may, and there is nothing to deliver meanwhile.
function Details:refill(may_wait)
  while self:has_room() do
    local batch = self:batch_left()
    if batch then
      self:enter(batch)
      batch.place = self.window[#self.window].place
    elseif self.at_end then
      return
    elseif may_wait and #self.window == 0 or self.below:ready() then
      if not self:pull() then return end
    else
      self.below:start() -- nothing else asks for it
      if not self.below:ready() then return end
    end
  end
end

-- ── Answers ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Asks for the forms of the entries whose full record has come.
function Details:ask_forms()
  for _, entry in ipairs(self.window) do
    if not entry.forms and entry.full and entry.full:done() then
      local forms = {}
      local ok, full = pcall(entry.full.wait, entry.full)
      if not ok and not core.is_error(full) then error(full, 0) end
      for _, named in ipairs(ok and type(full.custom_form_responses) == "table" and full.custom_form_responses or {}) do
        local id = options.id_text(named, self.routes.form_response.id)
        if id then forms[#forms + 1] = self:request(self.routes.form_response, id) end
        if not id and type(named) == "table" and named[self.routes.form_response.id] ~= nil then entry.undetailed = true end
      end
      entry.forms = forms
    end
  end
end

--- The answer of a request, or nil where the record is gone. Counts its attempts. May wait.
function Details:answer(request)
  local ok, record, response = pcall(request.wait, request)
  local attempts = ok and response.attempts or core.is_error(record) and record.attempts or 1
  if not self.counted[request] then self.requests = self.requests + attempts - 1 end
  self.counted[request] = true
  if ok then return record end
  if is_gone(record) then return nil end
  error(record, 0)
end

--- A copy, down to its last table: bookings of one instrument are not to share it.
local function copied(value)
  if type(value) ~= "table" then return value end
  local copy = {}
  for name, field in pairs(value) do copy[name] = copied(field) end
  return copy
end

--- Completes the record of an entry; nil where it is gone. May wait, and be asked again.
function Details:complete(entry)
  local record = entry.record
  if entry.full then
    local full = self:answer(entry.full)
    if not full then return nil end
    for name, value in pairs(full) do record[name] = value end
  end
  if self.with_forms and entry.full then
    self:ask_forms()
    local forms = {}
    for _, request in ipairs(entry.forms or {}) do forms[#forms + 1] = self:answer(request) end
    record.form_responses = forms
  end
  if entry.instrument then record.equipment = copied(self:answer(entry.instrument)) or record.equipment end
  return record
end

--- The entry to deliver next: the first one, or, unordered, any that is complete. May wait.
function Details:choose()
  while not self.closed do
    local seen = core.activity(self.client)
    self:refill(false)
    if self.with_forms then self:ask_forms() end
    for place, entry in ipairs(self.window) do
      if is_done(entry) then return entry end
      if place == 1 and not self.unordered then break end
    end
    core.await_activity(self.client, seen)
  end
end

-- ── The source ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- What follows where a record of an account could not be completed: see Across:blame. What is left of an account that is skipped goes.
function Details:failed(entry, err)
  local node = entry.batch.node
  if not (node and core.is_error(err)) or self.closed then error(err, 0) end
  local went_on, own = self.below:blame(err, node)
  if not went_on then return false, own end
  local batch, left = self:batch_left(), {}
  if batch and batch.node == node then batch.place = batch.count end
  for _, each in ipairs(self.window) do
    if each.batch.node == node then cancel(each) else left[#left + 1] = each end
  end
  self.window = left
  return true
end

--- Takes the entry that was delivered last out of the window.
function Details:settle()
  local out = self.out
  if not out.entry then return end
  for place, entry in ipairs(self.window) do
    if entry == out.entry then
      table.remove(self.window, place)
      break
    end
  end
  out.entry = nil
end

--- Delivers an entry: a batch of its record.
function Details:deliver(entry, record)
  local before, batch = self.out, entry.batch
  self.out = {
    records = { record }, page = batch.page, node = batch.node, part = entry.place < batch.count or batch.part, entry = entry,
    delivered = before.delivered + (record and 1 or 0), gone = before.gone + (record == nil and not entry.empty and 1 or 0),
    undetailed = before.undetailed + (entry.undetailed and 1 or 0),
  }
  self:batch_left() -- before the newest entry goes
  self:settle()
  self:refill(false)
end

local function batch_of(out) return out.records, out.page, out.node, out.part end

function Details:batch(taken)
  self:batch_left()
  self:settle()
  if stages.missed(self.out.records, taken) then return batch_of(self.out) end
  if self.out.delivered > 0 then self.returned = true end -- it is being read on
  while not self.closed do
    self:refill(true)
    if #self.window == 0 then break end
    local entry = self:choose()
    if self.closed then break end
    local ok, record = true, nil
    if not entry.empty then ok, record = pcall(self.complete, self, entry) end
    if self.closed and ok then break end
    if ok then
      self:deliver(entry, record)
      return batch_of(self.out)
    end
    local went_on, err = self:failed(entry, record)
    if not went_on then return false, err end
  end
  if self.broken then return false, self.broken[1] end
  if self.failure then error(self.failure, 0) end
  return nil
end

function Details:total() return self.below:total() end
function Details:progress() return self.below:progress() end

function Details:want(count)
  self.most_delivered = self.out.delivered + count
  self.below:want(count)
end

--- Whether records were taken from below that were not delivered.
function Details:has_left()
  local batch = self:batch_left()
  return #self.window > (self.out.entry and 1 or 0) or batch ~= nil and #batch.records > 0
end

function Details:report()
  local report, out = self.below:report(), self.out
  report.gone, report.undetailed = out.gone, out.undetailed
  report.requests = report.requests + self.requests
  if self.left or self:has_left() or out.undetailed > 0 and report.verdict == "complete" then report.verdict = "partial" end
  return report
end

function Details:size(node) return self.below:size(node) end

function Details:close()
  self.left = self.left or self:has_left()
  for _, entry in ipairs(self.window) do cancel(entry) end
  for _, request in pairs(self.instruments) do request:cancel() end
  self.held.place = self.held.count
  self.window, self.at_end, self.closed = {}, true, true
  self.below:close()
end

--- Lays details over a source, as the options ask; without any, the source itself.
---@param call table `one`: the route of the full record; `account`: id, where that route needs one; `routes`: the record routes
---@param room integer details that may be ahead of the reader, once it reads on
function M.over(source, client, call, given, room)
  local full = given.details or given.forms
  if not (full or given.equipment) then return source end
  return setmetatable({
    below = source, client = client, routes = call.routes, account = call.account, full = full and call.one or nil,
    with_forms = given.forms, with_equipment = given.equipment, unordered = given.unordered,
    window = {}, room = room, at_once = core.options(client).max_in_flight, most_delivered = given.limit or math.huge,
    held = { place = 0, count = 0 }, out = { delivered = 0, gone = 0, undetailed = 0 },
    instruments = {}, counted = setmetatable({}, { __mode = "k" }), requests = 0,
  }, Details)
end

return M
