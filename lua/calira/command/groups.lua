--- `calira groups`.

local lists <const> = require "calira.command.support.lists"

return lists.command {
  summary = "List groups.",
  description = "Lists the groups of a lab, those of every lab under an account, or all that the application can see.",
  open = function(client, options) return client:groups(options) end,
  account = "account", of_labs = true,
  columns = {
    { field = "id", title = "ID", kind = "number" },
    { field = "name", title = "NAME" },
    { field = "lab.name", title = "LAB", placed = true },
    { field = "equipment.name", title = "INSTRUMENTS", details = true },
  },
}
