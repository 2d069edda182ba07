--- `calira form`.

local csv <const> = require "calira.command.format.csv"
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

--- The same as rows for programs.
local function write_rows(context, arguments, form)
  local answers, questions = context.calira.answers(form)
  local writer = csv.open(context, { { field = "id" }, { field = "question" }, { field = "answer" } }, arguments.raw)
  for _, question in ipairs(questions) do
    writer:write { id = form.custom_form_response_id or arguments.id, question = question, answer = answers[question] }
  end
  writer:finish()
end

return {
  summary = "Show the answers of a form that was submitted with a booking.",
  description = "Shows the answers of a form that was submitted with a booking; as csv, an answer a row. The full booking has its id, in "
    .. "custom_form_responses.response_id.",
  define = function(parser)
    parser:argument("id", "The id of the form response."):argname "ID"
    records.add_format(parser)
  end,
  run = function(arguments, context)
    local form = context.client():form_response(arguments.id)
    if arguments.format == "csv" and not arguments.fields then return write_rows(context, arguments, form) end
    records.write(context, arguments, form, function() write_answers(context, form) end)
  end,
}
