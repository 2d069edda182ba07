--- `calira projects`.

local lists <const> = require "calira.command.support.lists"

return lists.command {
  summary = "List projects and their funding codes.",
  description = "Lists the projects of an account, or of every account under one; of every account that the application can see where none "
    .. "is named.",
  open = function(client, options) return client:projects(options) end,
  account = "account", every = true,
  columns = {
    { field = "id", title = "ID", kind = "number" },
    { field = "name", title = "NAME" },
    { field = "supervisor", title = "SUPERVISOR" },
    { field = "created_by.name", title = "CREATED BY" },
    { field = "funding_codes.name", title = "FUNDING CODES" },
    { field = "lab.name", title = "ACCOUNT", placed = true },
    { field = "funding_codes.expiry_date", title = "EXPIRY", details = true },
    { field = "funding_codes.allocated_amount", title = "ALLOCATED", details = true },
    { field = "funding_codes.spent_amount", title = "SPENT", details = true },
  },
}
