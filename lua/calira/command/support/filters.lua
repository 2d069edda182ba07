--- What --where, --status, --type, --from, --to and --month leave of a list, and whether a value that was asked for was never seen,
-- which is likely a typo. For that every record is looked at here, also one that the span leaves out. Nothing here waits.

local calira <const> = require "calira"
local fields <const> = require "calira.command.support.fields"

local M = {}

local SHOWN <const> = 12 -- values that a message lists at the most

local Filters = {}
Filters.__index = Filters

--- Adds a condition: the field has one of the values.
function Filters:add(title, field, value)
  for _, own in ipairs(self.conditions) do
    if own.title == title and own.field == field then
      own.values[#own.values + 1] = value
      return
    end
  end
  self.conditions[#self.conditions + 1] = { title = title, field = field, values = { value }, matched = {}, seen = {}, count = 0 }
end

--- Makes the filters of a list.
---@param conditions table[] `title` (as --status), `field`, `value`; of the same title and field one must hold, of all others each
---@param from number? epoch seconds
---@param to number?
function M.new(conditions, from, to)
  local self = setmetatable({ conditions = {}, from = from, to = to, looked_at = 0, unreadable = 0 }, Filters)
  for _, one in ipairs(conditions) do self:add(one.title, one.field, one.value) end
  return self
end

--- Keeps one of the values that the field has, for messages.
local function remember(condition, value)
  local cell = fields.cell(value)
  if cell == nil or condition.seen[cell] or condition.count > SHOWN then return end
  condition.seen[cell], condition.count = true, condition.count + 1
end

--- Whether the condition holds of a record; nil where the record does not have the field.
local function holds(condition, record, node)
  local value = fields.get(record, condition.field, node)
  local result, there = false, false
  for _, wanted in ipairs(condition.values) do
    local has, any = fields.has(value, wanted)
    if has then condition.matched[wanted] = true end
    result, there = result or has, any
  end
  if there then remember(condition, value) end
  if not there and not result then return nil end
  return result
end

--- Whether a booking touches the span; see CONTRACT section 5.
function Filters:within(record)
  local from, to = self.from, self.to
  if not (from or to) then return true end
  local first, last = calira.time(record.start_time), calira.time(record.end_time)
  if not first then
    self.unreadable = self.unreadable + 1
    return true
  end
  if to and first >= to then return false end
  return not from or first >= from or last ~= nil and last > from
end

--- Whether a record stays. `summary`: it is one whose full record comes later, so that a field that it does not have may be there then.
function Filters:keep(record, node, summary)
  local kept = true
  self.looked_at = self.looked_at + 1
  for _, condition in ipairs(self.conditions) do
    local result = holds(condition, record, node)
    if result == nil then result = summary or false end
    kept = kept and result
  end
  return kept and self:within(record)
end

--- Whether the full record stays, of one whose summary did.
function Filters:keep_full(record, node)
  local kept = true
  for _, condition in ipairs(self.conditions) do kept = holds(condition, record, node) and kept end
  return kept
end

--- After the whole list: a message for each value that no record has.
---@param details boolean whether full records were read
---@return string[]
function Filters:typos(details)
  local messages = {}
  if self.looked_at == 0 then return messages end
  for _, condition in ipairs(self.conditions) do
    for _, wanted in ipairs(condition.values) do
      if not condition.matched[wanted] and wanted ~= "" then
        local seen = {}
        for value in pairs(condition.seen) do seen[#seen + 1] = value end
        table.sort(seen)
        if #seen == 0 then
          messages[#messages + 1] = ("%s: no record has a field %s%s"):format(condition.title, condition.field,
            details and "" or "; the full records of --details may")
        else
          if #seen > SHOWN then seen[SHOWN + 1] = "…" end
          messages[#messages + 1] = ("%s: no record has %s %q; there are: %s")
            :format(condition.title, condition.field, wanted, table.concat(seen, ", ", 1, math.min(#seen, SHOWN + 1)))
        end
      end
    end
  end
  return messages
end

return M
