--- Bookings as a calendar (iCalendar, RFC 5545): times in UTC, one event a booking, known again by its UID. Nothing here waits.

local calira <const> = require "calira"
local fields <const> = require "calira.command.support.fields"
local status <const> = require "calira.command.support.status"
local text <const> = require "calira.values.text"

local M = {}

local LONGEST <const> = 75 -- octets of a line, without its end

local Calendar = {}
Calendar.__index = Calendar

--- A line, folded; no character is cut in two.
local function folded(line)
  if #line <= LONGEST then return line .. "\r\n" end
  local parts, place, room = {}, 1, LONGEST
  while place <= #line do
    local last = math.min(place + room - 1, #line)
    while last < #line and line:byte(last + 1) & 0xC0 == 0x80 do last = last - 1 end
    parts[#parts + 1] = line:sub(place, last)
    place, room = last + 1, LONGEST - 1 -- the blank of a continued line counts
  end
  return table.concat(parts, "\r\n ") .. "\r\n"
end

--- A value of type TEXT: control characters are shown, all but line breaks, which it has an escape for.
local function escaped(value)
  local plain = text.mask(tostring(value):gsub("\r\n?", "\n"), "\n")
  return (plain:gsub("[\\;,]", "\\%0"):gsub("\n", "\\n"))
end

local function stamp(epoch) return os.date("!%Y%m%dT%H%M%SZ", math.floor(epoch)) end

local STATUS <const> = {
  confirmed = "CONFIRMED", booked = "CONFIRMED", completed = "CONFIRMED", pending = "TENTATIVE", requested = "TENTATIVE",
  declined = "CANCELLED", cancelled = "CANCELLED", canceled = "CANCELLED",
}

--- Makes a writer.
function M.open(context)
  return setmetatable({ out = context.out, note = context.note, now = stamp(os.time()), left_out = 0 }, Calendar)
end

function Calendar:line(name, value)
  if value ~= nil and value ~= "" then self.out:write(folded(name .. ":" .. value)) end
end

function Calendar:begin()
  self.begun = true
  self:line("BEGIN", "VCALENDAR")
  self:line("VERSION", "2.0")
  self:line("PRODID", "-//calira//" .. calira._VERSION .. "//EN")
  self:line("CALSCALE", "GREGORIAN")
end

--- What else is known, a line each.
local function description_of(record)
  local lines = {}
  local function add(title, value)
    if fields.cell(value) then lines[#lines + 1] = title .. ": " .. fields.cell(value) end
  end
  add("Status", record.status)
  add("Type", record.booking_type)
  add("Requester", fields.get(record, "requester.name"))
  add("Projects", fields.get(record, "projects.name"))
  add("Note", record.last_public_note)
  return table.concat(lines, "\n")
end

--- Writes an event; a booking without a readable start cannot be one.
function Calendar:write(record, node)
  if not self.begun then self:begin() end
  local first, last = calira.time(record.start_time), calira.time(record.end_time)
  local instrument = fields.cell(fields.get(record, "equipment.name")) or "Booking"
  if not first or record.id == nil then
    self.left_out = self.left_out + 1
    return
  end
  local lab = fields.get(record, "provider_lab.name") or node and node.name
  self:line("BEGIN", "VEVENT")
  self:line("UID", escaped(("booking-%s@calira"):format(fields.cell(record.id))))
  self:line("DTSTAMP", self.now)
  self:line("DTSTART", stamp(first))
  if last and last > first then self:line("DTEND", stamp(last)) end
  self:line("SUMMARY", escaped(instrument))
  self:line("LOCATION", lab and escaped(lab))
  self:line("STATUS", STATUS[tostring(record.status):lower()])
  self:line("DESCRIPTION", escaped(description_of(record)))
  self:line("END", "VEVENT")
end

---@return integer? status where not every booking is in it
function Calendar:finish()
  if not self.begun then self:begin() end
  self:line("END", "VCALENDAR")
  if self.left_out == 0 then return end
  self.note(("%d bookings are not in the calendar: no id, or no readable start"):format(self.left_out))
  return status.incomplete
end

return M
