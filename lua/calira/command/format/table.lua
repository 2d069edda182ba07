--- Records as a table for people: columns as wide as what is in them, and not wider than the terminal. Nothing here waits.

local core <const> = require "calira.core"
local environment <const> = require "calira.api.environment"
local fields <const> = require "calira.command.support.fields"
local text <const> = require "calira.values.text"
local time <const> = require "calira.values.time"

local M = {}

local SAMPLE <const> = 500 -- rows that are looked at for the widths before the first is written
local NARROW <const> = 8   -- no column is cut below this
local GAP <const> = "  "

local Table = {}
Table.__index = Table

--- Columns of the terminal; nil where stdout is none.
local function terminal_width()
  if not core.isatty(1) then return nil end
  return math.tointeger(tonumber(environment.variable "COLUMNS")) or core.columns(1) or 80
end

--- A time as the table shows it, in its zone; what is no time as it is.
local function moment(value, zone)
  local epoch = time.parse(value)
  return epoch and zone:date("%Y-%m-%d %H:%M", epoch) or value
end

local function cell_of(column, record, node, zone)
  local value
  if column.value then value = column.value(record, node) else value = fields.get(record, column.field, node) end
  if column.kind == "time" and type(value) == "string" then value = moment(value, zone) end
  local cell = fields.cell(value)
  return (cell == nil or cell == "") and "-" or text.mask(cell)
end

--- Makes a writer.
---@param context calira.command.context
---@param columns table[] `title`, `field` or `value(record, node)`, `kind`: "time" or "number" (at the right)
function M.open(context, columns)
  local self = setmetatable({ out = context.out, note = context.note, columns = columns, rows = {} }, Table)
  for _, column in ipairs(columns) do
    if column.kind == "time" then
      self.zone = context.zone
      self.titled = self.titled or column -- the first time names the zone
    end
  end
  return self
end

local function sum_of(widths, columns, most)
  local total = #GAP * (#widths - 1)
  for i, width in ipairs(widths) do total = total + (columns[i].kind and width or math.min(width, most)) end
  return total
end

--- Makes all fit: leaves out columns from the right while there is no room even for narrow ones, then narrows the widest texts; numbers
-- and times stay whole.
---@return string[] titles of those left out
function Table:narrow(most)
  local widths, columns, left_out = self.widths, self.columns, {}
  while #widths > 1 and sum_of(widths, columns, NARROW) > most do
    table.insert(left_out, 1, columns[#widths].title)
    widths[#widths] = nil
  end
  local limit = NARROW
  while limit < most and sum_of(widths, columns, limit + 1) <= most do limit = limit + 1 end
  for i, width in ipairs(widths) do widths[i] = columns[i].kind and width or math.min(width, limit) end
  return left_out
end

function Table:line(cells)
  local parts = {}
  for i, width in ipairs(self.widths) do
    local cell, last, right = cells[i], i == #self.widths, self.columns[i].kind == "number"
    local wide = text.width(cell) > width
    if wide and not self.cut or last and not right and not wide then
      parts[i] = cell
    else
      parts[i] = text.fit(cell, width, right)
    end
  end
  self.out:write(table.concat(parts, GAP), "\n")
end

--- Writes the head and the rows that were held back.
function Table:begin()
  local head, most = {}, terminal_width()
  for i, column in ipairs(self.columns) do
    head[i] = column == self.titled and ("%s (%s)"):format(column.title, self.zone.name) or column.title
  end
  self.widths, self.cut = {}, most ~= nil
  for i in ipairs(self.columns) do
    local width = text.width(head[i])
    for _, row in ipairs(self.rows) do width = math.max(width, text.width(row[i])) end
    self.widths[i] = width
  end
  local left_out = most and self:narrow(most) or {}
  if #left_out > 0 then
    self.note(("the terminal is too narrow for %s; --fields names what to show"):format(table.concat(left_out, ", ")))
  end
  self:line(head)
  for _, row in ipairs(self.rows) do self:line(row) end
  self.rows = nil
end

--- Writes a record, or holds it back until the widths are known.
function Table:write(record, node)
  local row = {}
  for i, column in ipairs(self.columns) do row[i] = cell_of(column, record, node, self.zone) end
  if not self.rows then return self:line(row) end
  self.rows[#self.rows + 1] = row
  if #self.rows == SAMPLE then self:begin() end
end

--- Writes what is held back; nothing comes after it.
function Table:finish()
  if self.rows then self:begin() end
end

--- Writes what came before an error.
function Table:stop()
  if self.rows and #self.rows > 0 then self:begin() end
end

--- One record, a line for each field; what is nested by its path.
function M.record(context, record)
  local rows, widest = {}, 0
  local function add(path, value)
    if type(value) == "table" and next(value) ~= nil then
      local names = {}
      for name in pairs(value) do names[#names + 1] = name end
      table.sort(names, function(a, b)
        if (a == "id") ~= (b == "id") then return a == "id" end
        if type(a) == type(b) then return a < b end
        return type(a) == "number"
      end)
      for _, name in ipairs(names) do
        local step = type(name) == "number" and ("[%d]"):format(name) or (path == "" and "" or ".") .. name
        add(path .. step, value[name])
      end
      return
    end
    local name, cell = text.mask(path), fields.cell(value)
    if time.parse(value) and #value > 10 then cell = ("%s %s"):format(moment(value, context.zone), context.zone.name) end
    rows[#rows + 1] = { name, cell == nil and "-" or text.mask(cell) }
    widest = math.max(widest, text.width(name))
  end
  add("", record)
  for _, row in ipairs(rows) do context.out:write(text.fit(row[1], widest), GAP, row[2], "\n") end
end

return M
