--- Odd bookings of a report: those that it could count only in part, kept until its end, where they are told. Nothing here waits.

local M = {}

local SHOWN <const> = 5                 -- ids that a line names

local Odd = {}
Odd.__index = Odd

--- A new collection.
function M.new() return setmetatable({ order = {}, ids = {} }, Odd) end

--- Counts a booking as odd.
---@param reason string completes "N bookings …", as "without a readable start"
---@param b table the booking
function Odd:add(reason, b)
  local ids = self.ids[reason]
  if not ids then
    ids = { n = 0 }
    self.order[#self.order + 1], self.ids[reason] = reason, ids
  end
  ids.n = ids.n + 1
  if ids.n <= SHOWN then ids[ids.n] = b.id == nil and "-" or tostring(b.id) end
end

--- A line for each reason, as `2 bookings without a readable start: 7, 12`; ids are as the service sent them.
---@return string[]
function Odd:lines()
  local lines = {}
  for i, reason in ipairs(self.order) do
    local ids <const> = self.ids[reason]
    lines[i] = ("%d booking%s %s: %s%s"):format(ids.n, ids.n == 1 and "" or "s", reason, table.concat(ids, ", "), ids.n > SHOWN and ", …" or "")
  end
  return lines
end

return M
