--- `calira equipment`.

local lists <const> = require "calira.command.support.lists"

return lists.command {
  summary = "List instruments.",
  description = "Lists the instruments of a lab, those of every lab under an account, or all that the application can see.",
  open = function(client, options) return client:equipment(options) end,
  account = "account", of_labs = true, status = "availability_status", parents = true,
  columns = {
    { field = "id", title = "ID", kind = "number" },
    { field = "name", title = "NAME" },
    { field = "availability_status", title = "STATUS" },
    { field = "manufacturer", title = "MANUFACTURER" },
    { field = "model", title = "MODEL" },
    { field = "room", title = "ROOM" },
    { field = "parent_id" },
    { field = "parent_name", title = "PART OF" },
    { field = "lab.name", title = "LAB", placed = true },
    { field = "serial_number", title = "SERIAL", details = true },
    { field = "category.name", title = "CATEGORY", details = true },
  },
}
