--- `calira booking`.

local records <const> = require "calira.command.support.records"

return {
  summary = "Show one booking in full.",
  define = function(parser)
    parser:argument("id", "The booking's id."):argname "ID"
    records.add_format(parser)
  end,
  run = function(arguments, context)
    records.write(context, arguments, context.client():booking(arguments.id))
  end,
}
