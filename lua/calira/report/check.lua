--- Bookings that somebody should look at: those that overlap on one instrument, and those without project, end or readable times.
-- Nothing here waits.

local time <const> = require "calira.values.time"

local M = {}

--- What is looked for, in the order of the report; `projects` needs the full bookings.
M.KINDS = { "overlap", "project", "end", "time" }

local Check = {}
Check.__index = Check

--- Begins a check.
---@param kinds table<string, boolean> which of KINDS
function M.new(kinds) return setmetatable({ kinds = kinds, rows = {}, spans = {}, bookings = 0 }, Check) end

local function report(self, problem, b, node, more)
  local row = {
    problem = problem, id = b.id, status = b.status, start_time = b.start_time, end_time = b.end_time, equipment_id = b.equipment_id,
    equipment = type(b.equipment) == "table" and b.equipment.name or nil, lab_id = node and node.id, lab = node and node.name,
  }
  for name, value in pairs(more or {}) do row[name] = value end
  self.rows[#self.rows + 1] = row
end

local function without_project(b)
  return type(b.projects) ~= "table" or b.projects[1] == nil
end

--- Looks at a booking. `node`: the lab that provides it.
function Check:booking(b, node)
  local kinds <const> = self.kinds
  self.bookings = self.bookings + 1
  local first, last = time.parse(b.start_time), time.parse(b.end_time)
  if kinds.time and not first then report(self, b.start_time == nil and "no start" or "unreadable start", b, node) end
  if kinds.time and b.end_time ~= nil and not last then report(self, "unreadable end", b, node) end
  if kinds.time and first and last and last < first then report(self, "ends before its start", b, node) end
  if kinds["end"] and b.end_time == nil then report(self, "no end", b, node) end
  if kinds.project and without_project(b) then report(self, "no project", b, node) end
  if kinds.overlap and first and last and first < last and b.equipment_id ~= nil then
    local key = tostring(b.equipment_id)
    self.spans[key] = self.spans[key] or {}
    table.insert(self.spans[key], { first = first, last = last, booking = b, node = node })
  end
end

--- Reports each pair of bookings of an instrument that overlap, under the one that starts later.
local function overlaps(self, spans)
  table.sort(spans, function(a, b)
    if a.first ~= b.first then return a.first < b.first end
    return tostring(a.booking.id) < tostring(b.booking.id)
  end)
  local running = {}
  for _, span in ipairs(spans) do
    local still = {}
    for _, other in ipairs(running) do
      if other.last > span.first then
        still[#still + 1] = other
        local seconds = math.min(other.last, span.last) - span.first
        report(self, "overlap", span.booking, span.node, { with = other.booking.id, overlap_minutes = math.floor(seconds / 60 + 0.5) })
      end
    end
    still[#still + 1] = span
    running = still
  end
end

local ORDER <const> = {
  overlap = 1, ["no project"] = 2, ["no end"] = 3, ["no start"] = 4, ["unreadable start"] = 5, ["unreadable end"] = 6,
  ["ends before its start"] = 7,
}

--- What was found.
---@return table result `rows`: `problem`, `id`, `with` (the other booking), `overlap_minutes`, `status`, `start_time`, `end_time`,
---  `equipment_id`, `equipment`, `lab_id`, `lab`; by problem, then by lab, instrument and start. `counts`: problem → how many.
---  `bookings`: how many were looked at
function Check:result()
  for _, spans in pairs(self.spans) do overlaps(self, spans) end
  self.spans = {}
  local counts = {}
  for _, row in ipairs(self.rows) do
    counts[row.problem] = (counts[row.problem] or 0) + 1
    row.key = table.concat({
      ORDER[row.problem], tostring(row.lab), tostring(row.equipment), tostring(row.start_time), tostring(row.id), tostring(row.with),
    }, "\0")
  end
  table.sort(self.rows, function(a, b) return a.key < b.key end)
  for _, row in ipairs(self.rows) do row.key = nil end
  return { rows = self.rows, counts = counts, bookings = self.bookings }
end

return M
