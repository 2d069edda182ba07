--- Instruments that nobody booked in a span. Nothing here waits.

local odd <const> = require "calira.report.odd"
local time <const> = require "calira.values.time"

local M = {}

local Idle = {}
Idle.__index = Idle

function M.new() return setmetatable({ instruments = {}, booked = {}, odd = odd.new() }, Idle) end

--- Counts an instrument. `node`: the lab it is of.
function Idle:instrument(e, node)
  self.instruments[#self.instruments + 1] = { id = e.id, name = e.name, lab_id = node and node.id, lab = node and node.name }
end

--- Counts a booking that touches the span. One whose start cannot be read may lie in it: its instrument counts as booked.
function Idle:booking(b)
  if b.equipment_id == nil then return self.odd:add("without an instrument", b) end
  if not time.parse(b.start_time) then self.odd:add("without a readable start: their instruments count as booked", b) end
  self.booked[tostring(b.equipment_id)] = true
end

--- The idle ones.
---@return table result `rows` (`id`, `name`, `lab_id`, `lab`) in the order of the list; `instruments`: how many there are; `odd`: lines
function Idle:result()
  local rows = {}
  for _, instrument in ipairs(self.instruments) do
    if not self.booked[tostring(instrument.id)] then rows[#rows + 1] = instrument end
  end
  return { rows = rows, instruments = #self.instruments, odd = self.odd:lines() }
end

return M
