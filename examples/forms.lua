-- Prints the forms that were submitted with bookings: booking, form, question, answer.
-- Usage: lua5.4 examples/forms.lua --booking ID | --provider LAB | --under ACCOUNT [--from TIME] [--to TIME]

local argparse = require "argparse"
local calira = require "calira"
local support = dofile((arg[0]:match ".*/" or "") .. "support.lua")

local parser = argparse("forms.lua", "Prints the forms that were submitted with bookings.")
parser:mutex(
  parser:option("--booking", "One booking, by its id."):argname "ID",
  parser:option("--provider", "The bookings that this lab provides."):argname "LAB",
  parser:option("--under", "Those of all labs of an account, by its id, its name or its path."):argname "ACCOUNT"
)
parser:option("--from", "Only what ends after this time (a date is its midnight UTC)."):argname "TIME"
parser:option("--to", "Only what starts before this time."):argname "TIME"
local args = parser:parse()
if not (args.booking or args.provider or args.under) then parser:error "one of --booking, --provider and --under is needed" end

--- An answer as text: of several choices or files all, of a file its name.
local function text_of(value)
  if type(value) ~= "table" then return tostring(value) end
  local texts = {}
  for i, one in ipairs(value) do texts[i] = type(one) == "table" and one.filename or tostring(one) end
  return table.concat(texts, ", ")
end

local function print_form(booking, form)
  local answers, questions = calira.answers(form)
  for _, question in ipairs(questions) do
    support.print("%-10s  %-8s  %s: %s", booking.id, form.custom_form_response_id, question, text_of(answers[question]))
  end
end

support.run(function()
  support.print("%-10s  %-8s  %s", "BOOKING", "FORM", "QUESTION: ANSWER")
  if args.booking then
    local booking = calira.booking(args.booking)
    for _, entry in ipairs(booking.custom_form_responses or {}) do print_form(booking, calira.form_response(entry)) end
    return
  end
  for b in calira.bookings { provider = args.provider, under = args.under, from = args.from, to = args.to, forms = true } do
    for _, form in ipairs(b.form_responses) do print_form(b, form) end
  end
end)
