--- The commands that list records: what they share, from the options to the exit status.

local core <const> = require "calira.core"
local csv <const> = require "calira.command.format.csv"
local filters <const> = require "calira.command.support.filters"
local ics <const> = require "calira.command.format.ics"
local json <const> = require "calira.command.format.json"
local options <const> = require "calira.command.support.options"
local progress <const> = require "calira.progress"
local status <const> = require "calira.command.support.status"
local tables <const> = require "calira.command.format.table"

local M = {}

-- ── Writing ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- The columns that a user named.
local function named(names)
  local columns = {}
  for i, name in ipairs(names) do
    columns[i] = { field = name, title = name:upper(), kind = (name:find "_time$" or name:find "_at$") and "time" or nil }
  end
  return columns
end

local function having(columns, what)
  local list = {}
  for _, column in ipairs(columns) do
    if column[what] then list[#list + 1] = column end
  end
  return list
end

--- Makes the writer of --format: `write(record, node)`, `finish()` after a list that was read to its end (it may return a status), perhaps
-- `stop()` after one that was not.
---@param columns table[] `field` (csv, and table unless there is a `value`), `title` (table), `kind`, `value(record, node)`
function M.writer(context, arguments, columns)
  local names, format = arguments.fields, arguments.format or "table"
  if format == "json" or format == "ndjson" then return json.open(context, names, format == "ndjson") end
  if format == "ics" then return ics.open(context) end
  if format == "csv" then return csv.open(context, names and named(names) or having(columns, "field"), arguments.raw) end
  return tables.open(context, names and named(names) or having(columns, "title"))
end

-- ── Reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Reads a list, with a progress bar where that is seen and disturbs nothing. May wait.
---@param take fun(record: table, node: table?): boolean? true: enough
---@return integer status 0, or 3 with a note where the list may be incomplete; raises every other error
function M.read(context, list, take)
  local enough = false
  local ok, err = pcall(function()
    for record, node in core.isatty(1) and list or progress(list) do
      if take(record, node) then
        enough = true
        break
      end
    end
  end)
  local report = list:report()
  list:close()
  if not ok then
    if not (core.is_error(err) and err.kind == "drift") then error(err, 0) end
    context.note("possibly incomplete: " .. err.message)
    return status.incomplete
  end
  if not enough and report.verdict ~= "complete" then
    context.note("possibly incomplete: some records could not be read in full")
    return status.incomplete
  end
  if not enough and (report.unseen or 0) > 0 then
    context.note(("the service counts %d more than it shows to this application"):format(report.unseen))
  end
  return status.right
end

-- ── Which list ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local ABOVE <const> = { organisation = true, organization = true, department = true }

--- The lists to read one after the other: an array of { options, node }.
local function sources_of(context, arguments, spec)
  if arguments.lab then
    local node = context.account(arguments.lab, true)
    if spec.of_labs and ABOVE[node.account_type] then
      context.fail(status.usage, ("%s is no lab (its type is %s): --under asks every lab under it")
        :format(node.name or arguments.lab, node.account_type))
    end
    if node.id == nil then context.fail(status.failed, ("%s has no id to ask by"):format(node.name or arguments.lab)) end
    return { { options = { [spec.account] = node.id }, node = node } }
  end
  if arguments.under then return { { options = { under = context.account(arguments.under) } } } end
  if not spec.every then return { { options = {} } } end
  local sources, tree = {}, context.read_tree()
  for _, tops in ipairs { tree.organisations, tree.independent_labs, tree.orphans } do
    for _, node in ipairs(tops) do sources[#sources + 1] = { options = { under = node } } end
  end
  return sources
end

-- ── The command ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local function conditions_of(arguments, spec)
  local conditions = {}
  for _, pair in ipairs(arguments.where or {}) do
    conditions[#conditions + 1] = { title = "--where", field = pair.field, value = pair.value }
  end
  for _, name in ipairs { "status", "type" } do
    for _, value in ipairs(arguments[name] or {}) do
      conditions[#conditions + 1] = { title = "--" .. name, field = spec[name], value = value }
    end
  end
  return conditions
end

--- Whether conditions can only be judged of what a list has delivered: a field that only the full record has, or one of its lab, which
-- the list tells then.
local function is_late(conditions, arguments)
  for _, condition in ipairs(conditions) do
    if arguments.details or condition.field:find "^lab%f[%W]" then return true end
  end
  return false
end

--- What happens to the records of a command's lists: filtered, counted, written.
local function reading(context, arguments, spec)
  local from, to
  if spec.dated then from, to = context.span(arguments) end
  local conditions = conditions_of(arguments, spec)
  local columns = {}
  local many = arguments.under or spec.every and not arguments.lab -- of one lab, a table need not say which
  local placed = many or arguments.lab and arguments.format == "csv"
  for _, column in ipairs(spec.columns) do
    local fits = (not column.details or arguments.details) and (not column.placed or placed)
    if fits then columns[#columns + 1] = column end
  end
  return {
    sift = (#conditions > 0 or from or to) and filters.new(conditions, from, to) or nil,
    late = is_late(conditions, arguments),
    writer = M.writer(context, arguments, columns), left = arguments.limit or math.maxinteger, worst = status.right,
  }
end

local function open(context, arguments, spec, state, source)
  local given = source.options
  given.details = arguments.details or nil
  given.exclude_parents = arguments.no_parents or nil
  if not state.late then given.limit = arguments.limit and state.left or nil end
  local sift, late = state.sift, state.late
  if sift then given.where = function(record) return sift:keep(record, source.node, late) end end
  return spec.open(context.client(), given)
end

local function read_source(context, arguments, spec, state, source)
  local sift, late, writer = state.sift, state.late, state.writer
  local own = M.read(context, open(context, arguments, spec, state, source), function(record, node)
    node = node or source.node
    if late and not sift:keep_full(record, node) then return false end
    writer:write(record, node)
    state.left = state.left - 1
    return state.left <= 0
  end)
  state.worst = math.max(state.worst, own)
end

local function run(arguments, context, spec)
  local state = reading(context, arguments, spec)
  local ok, err = pcall(function()
    for _, source in ipairs(sources_of(context, arguments, spec)) do
      if state.left > 0 then read_source(context, arguments, spec, state, source) end
    end
  end)
  if not ok then
    if core.is_error(err) and state.writer.stop then state.writer:stop() end
    error(err, 0)
  end
  state.worst = math.max(state.worst, state.writer:finish() or status.right)
  if not state.sift or state.left <= 0 then return state.worst end
  if state.sift.unreadable > 0 then
    context.note(("%d bookings have no readable start; they are listed whatever the span"):format(state.sift.unreadable))
  end
  local typos = state.sift:typos(arguments.details)
  for _, message in ipairs(typos) do context.note(message) end
  return #typos > 0 and state.worst == status.right and status.unmatched or state.worst
end

--- Makes a command out of what is its own.
---@param spec table `summary`, `description`; `open(client, options)` → list; `account`: the option of one account (`of_labs`: it is a
--- lab's); `every`: without an account, ask each; `dated`; `status`, `type`: the fields of these options; `parents`: --no-parents;
--- `columns`: see `writer`, and `details`, `placed`: only with those of --details, only where the account is known; `calendar`
---@return table command
function M.command(spec)
  local formats = { "table", "csv", "json", "ndjson", spec.calendar and "ics" or nil }
  local function define(parser)
    options.add_account(parser)
    if spec.dated then options.add_span(parser) end
    if spec.status then
      parser:option("--status", "Only those with this status, in any case; may be repeated."):argname "STATUS":count "*"
    end
    if spec.type then parser:option("--type", "Only those of this type, in any case; may be repeated."):argname "TYPE":count "*" end
    options.add_where(parser)
    if spec.parents then parser:flag("--no-parents", "Leave out instruments that have parts.") end
    parser:flag("--details", "Read the full record of each: one call more for each.")
    options.add_limit(parser)
    options.add_format(parser, formats)
  end
  return {
    summary = spec.summary, description = spec.description, define = define,
    run = function(arguments, context) return run(arguments, context, spec) end,
  }
end

return M
