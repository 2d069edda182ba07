--- `calira bookings`.

local calira <const> = require "calira"
local lists <const> = require "calira.command.support.lists"

local function hours(record)
  if not (calira.time(record.start_time) and calira.time(record.end_time)) then return nil end
  return ("%.1f"):format(calira.seconds(record) / 3600)
end

return lists.command {
  summary = "List bookings.",
  description = "Lists the bookings that a lab provides, those of every lab under an account, or all that the application can see. "
    .. "The service has no filter of its own: the whole list is read, whatever is kept of it.",
  open = function(client, options) return client:bookings(options) end,
  account = "provider", of_labs = true, dated = true, status = "status", type = "booking_type", calendar = true,
  columns = {
    { field = "id", title = "ID", kind = "number" },
    { field = "start_time", title = "START", kind = "time" },
    { field = "end_time", title = "END", kind = "time" },
    { title = "HOURS", kind = "number", value = hours },
    { field = "status", title = "STATUS" },
    { field = "booking_type", title = "TYPE" },
    { field = "equipment_id" },
    { field = "equipment.name", title = "INSTRUMENT" },
    { field = "lab.name", title = "LAB", placed = true },
    { field = "cost", title = "COST", kind = "number", details = true },
    { field = "currency", title = "CURRENCY", details = true },
    { field = "requester.name", title = "REQUESTER", details = true },
    { field = "requester_lab.name", details = true },
    { field = "projects.name", title = "PROJECTS", details = true },
    { field = "projects.funding_codes.code", title = "FUNDING", details = true },
  },
}
