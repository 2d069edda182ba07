--- `calira metrics`: bookings in the text format of Prometheus, for the textfile collector of its node exporter.

local calira <const> = require "calira"
local files <const> = require "calira.command.support.files"
local options <const> = require "calira.command.support.options"
local scope <const> = require "calira.command.support.scope"
local status <const> = require "calira.command.support.status"
local text <const> = require "calira.values.text"

local M = {
  summary = "Write bookings as metrics for Prometheus.",
  description = "Writes how many bookings there are and how many seconds they booked, by lab and status, how many calls that took, and "
    .. "when it was read (its age is time() - calira_data_timestamp_seconds), in the text format of Prometheus. With --output the file is "
    .. "replaced as a whole, as the textfile collector wants it; where the reading fails, or may be incomplete, it stays as it was.",
}

function M.define(parser)
  options.add_account(parser)
  options.add_span(parser)
  parser:option("--output", "Replace this file (its name should end in .prom) instead of writing to stdout."):argname "FILE"
end

-- ── Text format ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- A label's value: the format has escapes for three characters; what else may not be in a line of text is masked.
local function escape(value)
  return (text.mask(value):gsub('[\\"]', "\\%0"))
end

--- One metric: `help`, `samples` as arrays of labels (pairs) and value.
local function write_metric(parts, name, help, samples)
  parts[#parts + 1] = ("# HELP %s %s\n# TYPE %s gauge\n"):format(name, help, name)
  for _, sample in ipairs(samples) do
    local labels = {}
    for i, pair in ipairs(sample.labels or {}) do labels[i] = ('%s="%s"'):format(pair[1], escape(pair[2])) end
    parts[#parts + 1] = ("%s%s %s\n"):format(name, #labels > 0 and "{" .. table.concat(labels, ",") .. "}" or "", sample.value)
  end
end

--- An integer in full, anything else as it reads back.
local function number(value)
  return math.tointeger(value) and ("%d"):format(value) or ("%.17g"):format(value)
end

-- ── Counting ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local Count = {}
Count.__index = Count

--- Counts a booking under its lab and its status, in lower case as the service spells it in several ways.
function Count:booking(b, node)
  local own = type(b.status) == "string" and b.status:lower() or ""
  local key = ("%s\0%s"):format(tostring(node.id), own)
  local each = self.by_key[key]
  if not each then
    each = { labels = { { "lab_id", tostring(node.id) }, { "lab", node.name or "" }, { "status", own } }, bookings = 0, seconds = 0, key = key }
    self.by_key[key], self.rows[#self.rows + 1] = each, each
  end
  each.bookings = each.bookings + 1
  each.seconds = each.seconds + calira.seconds(b, self.from, self.to)
  if not calira.time(b.start_time) or (b.end_time ~= nil and not calira.time(b.end_time)) then self.unreadable = self.unreadable + 1 end
end

--- The text of all metrics.
function Count:text(client)
  table.sort(self.rows, function(a, b) return a.key < b.key end)
  local bookings, seconds, parts = {}, {}, {}
  for i, each in ipairs(self.rows) do
    bookings[i] = { labels = each.labels, value = number(each.bookings) }
    seconds[i] = { labels = each.labels, value = number(each.seconds) }
  end
  local function alone(value) return { { value = number(value) } } end
  write_metric(parts, "calira_bookings", "Bookings that touch the span, by lab and status.", bookings)
  write_metric(parts, "calira_booked_seconds", "Time booked within the span, by lab and status; 3600 are an hour.", seconds)
  write_metric(parts, "calira_unreadable_bookings", "Bookings whose times cannot be read.", alone(self.unreadable))
  write_metric(parts, "calira_labs", "Labs that were read.", alone(self.labs))
  write_metric(parts, "calira_api_calls", "Calls that reading this took.", alone(client:stats().calls))
  write_metric(parts, "calira_api_retries", "Calls that had to be made again.", alone(client:stats().retries))
  write_metric(parts, "calira_data_timestamp_seconds", "When this was read, in seconds since 1970.", alone(self.read_at))
  return table.concat(parts)
end

function M.run(arguments, context)
  local from, to = context.span(arguments)
  local nodes = scope.nodes(context)
  local doubts, client = context.doubts, context.client()
  local count = setmetatable({ from = from, to = to, by_key = {}, rows = {}, unreadable = 0, labs = 0, read_at = os.time() }, Count)
  for _, node in ipairs(nodes) do
    count.labs = count.labs + (node.labs and context.tree and #context.tree:labs(node) or 1)
  end
  scope.each(client, "bookings", nodes, { from = from, to = to }, function(b, node) count:booking(b, node) end, doubts)
  context.tell_doubts()
  if not arguments.output then
    context.out:write(count:text(client))
  elseif #doubts == 0 then
    files.replace(arguments.output, count:text(client))
  else
    context.note(arguments.output .. " stays as it was")
  end
  return #doubts > 0 and status.incomplete or status.right
end

return M
