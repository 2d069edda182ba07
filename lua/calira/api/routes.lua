--- The API as data: the only place that knows a path. Sources: API.md, "The calls".
-- A list: `path`, `scope`, `one` (the call of a single record, by which `details` are asked), `parameters` (option → query parameter),
-- `flags` (options that are booleans), `under` (the option that names an account; `accounts`: of every account, not of every lab),
-- `shared` (its records are accounts, which have shares), `dated` (bookings' filters; `typed`: with a booking type). A record: `path` with
-- a `{name}` for each argument, `many` (the call of the list, for messages), `id` (the field that names it in records that refer to it).

return {
  lists = {
    accounts = { path = "/accounts", scope = "read_accounts", one = "account", shared = true },
    bookings = {
      path = "/bookings", scope = "read_bookings", one = "booking",
      parameters = { provider = "provider_account" }, under = "provider", dated = true, typed = true,
    },
    equipment = {
      path = "/equipment", scope = "read_equipment", one = "equipment",
      parameters = { account = "account" }, flags = { exclude_parents = "exclude_parents" }, under = "account",
    },
    equipment_bookings = {
      path = "/equipment/{id}/bookings", scope = "read_equipment", one = "booking", dated = true,
    },
    projects = {
      path = "/accounts/{account}/projects", scope = "read_projects", one = "project", under = "account", accounts = true,
    },
    groups = {
      path = "/groups", scope = "read_accounts", one = "group", parameters = { account = "account" }, under = "account",
    },
  },
  records = {
    account = { path = "/accounts/{id}", scope = "read_accounts", many = "accounts" },
    booking = { path = "/bookings/{id}", scope = "read_bookings", many = "bookings" },
    equipment = { path = "/equipment/{id}", scope = "read_equipment", many = "equipment" },
    project = { path = "/accounts/{account}/projects/{id}", scope = "read_projects", many = "projects" },
    group = { path = "/groups/{id}", scope = "read_accounts", many = "groups" },
    form_response = { path = "/custom_form_response/{id}", scope = "read_bookings", id = "response_id" },
  },
}
