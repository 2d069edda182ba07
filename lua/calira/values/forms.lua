--- The answers of a submitted form, by question. Nothing here waits.

local core <const> = require "calira.core"

local M = {}

-- Types that only show text (API.md, "The records"). Any other type, known or not, asks something.
local SHOWS <const> = { heading = true, paragraph = true }

local function items_of(form)
  if type(form) ~= "table" then
    core.raise("argument", ("answers: expected a custom form response, got %s"):format(type(form)))
  end
  local items = form.form_response
  if items == core.null then items = nil end
  if items == nil and form.response_id ~= nil then                  -- an entry of a booking's custom_form_responses
    core.raise("argument", "answers: this only refers to a form response; read it with form_response(entry)")
  end
  if items ~= nil and type(items) ~= "table" then
    core.raise("argument", ("answers: expected an array in form_response, got %s"):format(type(items)))
  end
  return items or {}
end

--- What an item asks: its text, or, where it has none, its type.
local function text_of(item)
  if type(item.text) == "string" and item.text ~= "" then return item.text end
  return type(item.type) == "string" and item.type or "answer"
end

--- The questions of a form in its order: `{ text, value }`, value nil where there is none, and the set of their texts.
local function questions_of(form)
  local questions, texts = {}, {}
  for _, item in ipairs(items_of(form)) do
    if type(item) == "table" then
      local value = item.value
      if value == core.null then value = nil end
      if value ~= nil or not SHOWS[item.type] then
        local text = text_of(item)
        questions[#questions + 1] = { text = text, value = value }
        texts[text] = true
      end
    end
  end
  return questions, texts
end

--- The answers of a form (`calira.answers`).
-- An item without a value (absent or null; `""`, `false` and `{}` are values) is left out. A text asked twice gets ` (2)`, a third time
-- ` (3)`; the questions left unanswered count, so that a question has the same key in every response to a form. A number that would make
-- the key of another question is passed over: no answer is ever lost. An item without text goes by its type.
---@param form table a custom form response: `form_response` is an array of items `{ type, text, value, … }`; absent, it has no answers
---@return table<string, any> answers from question text to value, as it was sent
---@return string[] texts the keys of `answers` in the form's order; raises kind `argument` where `form` is no custom form response
function M.answers(form)
  local questions, texts = questions_of(form)
  local answers, order, asked = {}, {}, {}
  for _, question in ipairs(questions) do
    local text = question.text
    local count = (asked[text] or 0) + 1
    local key = text
    if count > 1 then
      key = ("%s (%d)"):format(text, count)
      while texts[key] do
        count = count + 1
        key = ("%s (%d)"):format(text, count)
      end
    end
    asked[text] = count
    if question.value ~= nil then
      answers[key] = question.value
      order[#order + 1] = key
    end
  end
  return answers, order
end

return M
