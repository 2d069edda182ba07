--- What the servers in this folder answer: a line with a booking's id in, a line with its id, status and instrument out. `ping` is
-- answered at once, whatever else is under way.

local calira = require "calira"

--- No control character of the data reaches who asked.
local function clean(value) return (tostring(value):gsub("%c", " ")) end

--- The answer to a line. Waits for the service, by the loop of whoever calls it.
return function(line)
  local id = line:match "^%d+"
  if not id then return line:find "^ping" and "pong" or "error: not an id" end
  local ok, b = pcall(calira.booking, id)
  if not ok then return "error: " .. clean(b) end
  return ("%d %s %s"):format(b.id, clean(b.status), clean(b.equipment and b.equipment.name or "-"))
end
