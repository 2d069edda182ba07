--- Details: a source that asks for the full record of each summary, for forms and for instruments, as many at once as the client
-- allows, and delivers in order. The window refills as records are taken, and holds no more than it has calls in flight.

local core <const> = require "calira.core"
local options <const> = require "calira.values.options"

local M = {}

local Details = {}
Details.__index = Details

-- An entry of the window: `record`, `page`, `node`, `last` (of its page); `full`, `instrument`: requests; `forms`: an array of
-- requests; `empty`: stands for a page without records.

local function is_gone(err) return core.is_error(err) and err.kind == "not_found" end

--- Stops what is under way for an entry alone.
local function cancel(entry)
  if entry.full then entry.full:cancel() end
  for _, request in ipairs(entry.forms or {}) do request:cancel() end
end

-- ── Asking ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

function Details:request(route, id, account)
  self.requests = self.requests + 1
  local path = route.path:gsub("{(%w+)}", { id = id, account = account })
  return core.request(self.client, path, nil, route.scope, true)
end

--- The request of an instrument's record: one for all bookings of it.
function Details:instrument_of(record)
  local named = type(record.equipment) == "table" and record.equipment.id
  local id = options.id_text(record.equipment_id or record.asset_id or named)
  if not id then return nil end
  local request = self.instruments[id]
  if not request then
    request = self:request(self.routes.equipment, id)
    self.instruments[id] = request
  end
  return request
end

function Details:enter(record, page, node, last)
  local id = options.id_text(record)
  local entry = { record = record, page = page, node = node, last = last }
  if self.full and id then entry.full = self:request(self.full, id, self.account or node and options.id_text(node)) end
  if self.with_equipment then entry.instrument = self:instrument_of(record) end
  self.window[#self.window + 1] = entry
end

--- Takes another batch from below. False where that is at its end, or failed, which is told once the window is empty.
function Details:pull()
  local ok, records, page, node, part = pcall(self.below.batch, self.below)
  if not ok then
    if not core.is_error(records) then error(records, 0) end -- an interrupt, not an answer
    self.failure = records
  elseif records then
    self.batch_below = { records = records, place = 0, page = page, node = node, part = part }
    if #records == 0 then self.window[#self.window + 1] = { empty = true, page = page, node = node, last = not part } end
    return true
  elseif records == false then
    self.broken = { page }
  end
  self.at_end = true
  return false
end

--- Fills the window. Waits for the source below only where there is nothing to deliver meanwhile.
function Details:refill()
  while #self.window < self.most and #self.window < self.wanted do
    local batch = self.batch_below
    if batch and batch.place < #batch.records then
      batch.place = batch.place + 1
      self:enter(batch.records[batch.place], batch.page, batch.node, batch.place == #batch.records and not batch.part)
    elseif self.at_end or (#self.window > 0 and not self.below:ready()) or not self:pull() then
      return
    end
  end
end

-- ── Answers ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Asks for the forms of the entries whose full record has come.
function Details:ask_forms()
  for _, entry in ipairs(self.window) do
    if not entry.forms and entry.full and entry.full:done() then
      entry.forms = {}
      local ok, full = pcall(entry.full.wait, entry.full)
      for _, named in ipairs(ok and type(full.custom_form_responses) == "table" and full.custom_form_responses or {}) do
        local id = options.id_text(named, self.routes.form_response.id)
        if id then entry.forms[#entry.forms + 1] = self:request(self.routes.form_response, id) end
      end
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

--- Completes the record of an entry; nil where it is gone. May wait.
function Details:complete(entry)
  local record = entry.record
  if entry.full then
    local full = self:answer(entry.full)
    if not full then return nil end
    for name, value in pairs(full) do record[name] = value end
  end
  if self.with_forms then
    self:ask_forms()
    local forms = {}
    for _, request in ipairs(entry.forms or {}) do forms[#forms + 1] = self:answer(request) end
    record.form_responses = forms
  end
  if entry.instrument then record.equipment = self:answer(entry.instrument) or record.equipment end
  return record
end

local function is_done(entry)
  for _, request in ipairs(entry.forms or {}) do
    if not request:done() then return false end
  end
  return entry.empty or ((not entry.full or entry.full:done()) and (not entry.instrument or entry.instrument:done()))
end

--- The place in the window of the entry to deliver next. May wait.
function Details:choose()
  while self.unordered and not self.closed do
    local seen = core.activity(self.client)
    if self.with_forms then self:ask_forms() end
    for place, entry in ipairs(self.window) do
      if is_done(entry) then return place end
    end
    core.await_activity(self.client, seen)
  end
  return 1
end

-- ── The source ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- What follows where a record of an account could not be completed: see Across:blame. What is left of an account that is skipped goes.
function Details:failed(entry, err)
  if not (entry.node and core.is_error(err)) or self.closed then error(err, 0) end
  local went_on, own = self.below:blame(err, entry.node)
  if not went_on then return false, own end
  local window = self.window
  self.window = {}
  for _, each in ipairs(window) do
    if each.node == entry.node then cancel(each) else self.window[#self.window + 1] = each end
  end
  if self.batch_below and self.batch_below.node == entry.node then self.batch_below = nil end
  return true
end

--- Takes the entry at a place out of the window: a batch of its record.
function Details:deliver(place, record)
  local entry = table.remove(self.window, place)
  if record then
    self.wanted = self.wanted - 1
  elseif not entry.empty then
    self.gone = self.gone + 1
  end
  self:refill()
  return { record }, entry.page, entry.node, not entry.last
end

function Details:batch()
  while not self.closed do
    if self.with_forms then self:ask_forms() end
    self:refill()
    if #self.window == 0 then break end
    local place = self:choose()
    local entry = self.window[place]
    if self.closed then break end
    local ok, record = true, nil
    if not entry.empty then ok, record = pcall(self.complete, self, entry) end
    if self.closed and ok then break end
    if ok then return self:deliver(place, record) end
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
  self.wanted = count
  self.below:want(count)
end

function Details:report()
  local report = self.below:report()
  local batch = self.batch_below
  report.gone = self.gone
  report.requests = report.requests + self.requests
  if self.left or #self.window > 0 or (batch and batch.place < #batch.records) then report.verdict = "partial" end
  return report
end

function Details:size(node) return self.below:size(node) end

function Details:close()
  local batch = self.batch_below
  self.left = self.left or #self.window > 0 or (batch and batch.place < #batch.records)
  for _, entry in ipairs(self.window) do cancel(entry) end
  for _, request in pairs(self.instruments) do request:cancel() end
  self.window, self.batch_below, self.at_end, self.closed = {}, nil, true, true
  self.below:close()
end

--- Lays details over a source, as the options ask; without any, the source itself.
---@param call table `one`: the route of the full record; `account`: id, where that route needs one; `routes`: the record routes
function M.over(source, client, call, given)
  local full = given.details or given.forms
  if not (full or given.equipment) then return source end
  return setmetatable({
    below = source, client = client, routes = call.routes, account = call.account, full = full and call.one or nil,
    with_forms = given.forms, with_equipment = given.equipment, unordered = given.unordered,
    window = {}, most = core.options(client).max_in_flight, wanted = given.limit or math.huge,
    instruments = {}, counted = setmetatable({}, { __mode = "k" }), gone = 0, requests = 0,
  }, Details)
end

return M
