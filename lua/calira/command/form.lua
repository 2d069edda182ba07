--- `calira form`.

local fields <const> = require "calira.command.support.fields"
local records <const> = require "calira.command.support.records"
local tables <const> = require "calira.command.format.table"

--- Questions and answers, in the form's order.
local function write_answers(context, form)
  local answers, questions = context.calira.answers(form)
  local writer = tables.open(context, {
    { title = "QUESTION", field = "question" }, { title = "ANSWER", value = function(row) return fields.cell(answers[row.question]) end },
  })
  for _, question in ipairs(questions) do writer:write { question = question } end
  writer:finish()
end

return {
  summary = "Show the answers of a form that was submitted with a booking.",
  description = "Shows the answers of a form that was submitted with a booking. The full booking has its id, in "
    .. "custom_form_responses.response_id.",
  define = function(parser)
    parser:argument("id", "The id of the form response."):argname "ID"
    records.add_format(parser)
  end,
  run = function(arguments, context)
    local form = context.client():form_response(arguments.id)
    records.write(context, arguments, form, function() write_answers(context, form) end)
  end,
}
