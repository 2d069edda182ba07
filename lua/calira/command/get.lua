--- `calira get`.

local options <const> = require "calira.command.support.options"
local records <const> = require "calira.command.support.records"

return {
  summary = "Ask any path of the API.",
  description = "Asks any path of the API and writes the answer: one page of a list. A name that stands twice is sent twice.",
  define = function(parser)
    parser:argument("path", "As /equipment/7/bookings."):argname "PATH"
    parser:argument("parameters", "Parameters of the query, as per_page=10."):argname "NAME=VALUE":args "*":convert(options.pair)
    records.add_format(parser)
  end,
  run = function(arguments, context)
    local query = {}
    for _, pair in ipairs(arguments.parameters) do
      query[pair.field] = query[pair.field] or {}
      table.insert(query[pair.field], pair.value)
    end
    local path = arguments.path:find "^/" and arguments.path or "/" .. arguments.path
    records.write(context, arguments, (context.client():get(path, query)))
  end,
}
