--- The filters of bookings, applied here since the API has none (API.md, "Pagination"). Nothing here waits.

local case_fold <const> = require "calira.values.case_fold"
local core <const> = require "calira.core"
local time <const> = require "calira.values.time"

local M = {}

local type <const>, parse <const> = type, time.parse

local function refuse(name, message)
  core.raise("argument", ("option %s: %s"):format(name, message))
end

local function epoch_of(options, name)
  if options[name] == nil then return nil end
  local epoch, message = time.instant(options[name])
  if not epoch then refuse(name, message) end
  return epoch
end

--- The set of an option's values, without regard to case; nil where it is not given.
local function set_of(options, name)
  local values = options[name]
  if values == nil then return nil end
  if type(values) == "string" then return { [case_fold(values)] = true } end
  if type(values) ~= "table" then refuse(name, ("expected a string or an array of strings, got %s"):format(type(values))) end
  local set, count = {}, 0
  for _, value in ipairs(values) do
    if type(value) ~= "string" then refuse(name, ("expected strings in the array, got %s"):format(type(value))) end
    set[case_fold(value)] = true
    count = count + 1
  end
  for _ in pairs(values) do count = count - 1 end
  if count ~= 0 then refuse(name, "expected an array of strings, got a table with other keys") end
  return set
end

--- Whether a record's field is in the set, in any case; a field that is absent or no string is in none.
local function has(set, value)
  return type(value) == "string" and set[case_fold(value)] == true
end

--- Whether a booking touches [from, to), each epoch seconds or nil; and true where that cannot be read.
local function within(record, from, to)
  local first = parse(record.start_time)
  if not first then return true, true end                           -- rather one too many than one lost
  if to and first >= to then return false end
  if not from or first >= from then return true end
  local last = parse(record.end_time)
  return last ~= nil and last > from
end

--- Makes a test out of the filter options of a list of bookings.
-- The span is half-open: start < to and (end > from or start >= from); a booking without a readable end ends as it starts, and one without
-- a readable start is kept, and said to be unreadable. Values compare without regard to case; one that no record has matches nothing, and
-- so does an empty array of `status` or `booking_type`, while an empty `except_status` excludes nothing. A record without the field is
-- matched by no value.
---@param options table `from`, `to`: epoch seconds or API times; `status`, `except_status`, `booking_type`: a string or an array of strings
---@return (fun(record: table): boolean, boolean?)? keeps whether a record passes, and true where its start cannot be read; nil where no
--- filter is set; raises kind `argument` for a value it cannot read, or from >= to
function M.compile(options)
  local from, to = epoch_of(options, "from"), epoch_of(options, "to")
  if from and to and from >= to then refuse("from", ("%s is not before to, %s"):format(options.from, options.to)) end
  local status, except, kinds = set_of(options, "status"), set_of(options, "except_status"), set_of(options, "booking_type")
  local dated = from or to
  if not (dated or status or except or kinds) then return nil end

  return function(record)
    if status and not has(status, record.status) then return false end
    if except and has(except, record.status) then return false end
    if kinds and not has(kinds, record.booking_type) then return false end
    if dated then return within(record, from, to) end
    return true
  end
end

return M
