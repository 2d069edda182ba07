--- `calira accounts`.

local lists <const> = require "calira.command.support.lists"

--- The ids, as texts, of an account and of all that is under it.
local function ids_under(node, ids)
  ids[tostring(node.id)] = true
  for _, child in ipairs(node.departments or {}) do ids_under(child, ids) end
  for _, child in ipairs(node.labs or {}) do ids_under(child, ids) end
  return ids
end

--- The list of accounts has no filter: --lab and --under are applied here.
local function open(client, options)
  local ids = options.under and ids_under(options.under, {}) or options.account and { [tostring(options.account)] = true }
  local where = options.where
  options.under, options.account = nil, nil
  if ids then options.where = function(record) return ids[tostring(record.id)] and (not where or where(record)) end end
  return client:accounts(options)
end

return lists.command {
  summary = "List accounts: organisations, departments and labs.",
  description = "Lists the accounts that the application can see: all, or those under one, itself included. 'calira tree' draws them.",
  open = open, account = "account", type = "account_type",
  columns = {
    { field = "id", title = "ID", kind = "number" },
    { field = "name", title = "NAME" },
    { field = "account_type", title = "TYPE" },
    { field = "organisation", title = "ORGANISATION" },
    { field = "department", title = "DEPARTMENT" },
    { field = "sector", title = "SECTOR", details = true },
    { field = "timezone", title = "TIME ZONE", details = true },
  },
}
