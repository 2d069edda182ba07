--- Records as JSON: one array, or a record a line. Nothing here waits.

local fields <const> = require "calira.command.support.fields"
local json <const> = require "calira.values.json"

local M = {}

local Json = {}
Json.__index = Json

--- Makes a writer.
---@param names string[]? only these fields, each under its whole path; nil: the record as it is
---@param lines boolean a record a line, not an array
function M.open(context, names, lines)
  return setmetatable({ out = context.out, names = names, lines = lines }, Json)
end

function Json:text(record, node)
  if not self.names then return json.encode(record) end
  local picked = {}
  for _, name in ipairs(self.names) do picked[name] = fields.get(record, name, node) end
  return json.encode(picked, self.names)
end

function Json:write(record, node)
  local before = self.lines and "" or self.begun and ",\n" or "["
  self.begun = true
  self.out:write(before, self:text(record, node), self.lines and "\n" or "")
end

--- Closes the array. Where the list failed this is not called, so that nobody takes a part for the whole.
function Json:finish()
  if not self.lines then self.out:write(self.begun and "]\n" or "[]\n") end
end

return M
