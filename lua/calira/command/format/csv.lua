--- Records as CSV (RFC 4180): a header, then a row a record; what a spreadsheet would run is made harmless. Nothing here waits.

local core <const> = require "calira.core"
local fields <const> = require "calira.command.support.fields"
local text <const> = require "calira.values.text"

local M = {}

local Csv = {}
Csv.__index = Csv

--- Makes a writer.
---@param columns table[] those with a `field`, or a `value(record, node)` and a `name`
---@param raw boolean? cells as the service sent them; on a terminal without the control characters that it would obey
function M.open(context, columns, raw)
  return setmetatable({ out = context.out, columns = columns, raw = raw, masked = raw and core.isatty(1) }, Csv)
end

function Csv:line(cells)
  local line = table.concat(cells, ",")
  self.out:write(line == "" and '""' or line, "\r\n") -- an empty line is no row
end

function Csv:begin()
  local head = {}
  for i, column in ipairs(self.columns) do head[i] = text.csv(column.field or column.name) end
  self:line(head)
  self.begun = true
end

function Csv:write(record, node)
  if not self.begun then self:begin() end
  local cells = {}
  for i, column in ipairs(self.columns) do
    local value
    if column.value then value = column.value(record, node) else value = fields.get(record, column.field, node) end
    local cell = fields.cell(value)
    if self.masked and cell then cell = text.mask(cell, "\t\n") end
    cells[i] = text.csv(cell, self.raw)
  end
  self:line(cells)
end

function Csv:finish()
  if not self.begun then self:begin() end
end

return M
