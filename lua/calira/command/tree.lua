--- `calira tree`.

local json <const> = require "calira.values.json"
local text <const> = require "calira.values.text"

local FIELDS <const> = { "id", "name", "account_type", "path", "missing" }

--- Every account as a flat record; then the missing labs.
local function records_of(tree, missing)
  local records = {}
  for node in tree:walk() do
    records[#records + 1] = { id = node.id, name = node.name, account_type = node.account_type, path = tree:path(node), missing = false }
  end
  for _, lab in ipairs(missing) do
    local path = ("%s / %s"):format(tree:path(lab.parent), lab.name or "?")
    records[#records + 1] = { id = lab.id, name = lab.name, account_type = "lab", path = path, missing = true }
  end
  return records
end

local function write_json(context, tree, missing)
  local lines = {}
  for i, record in ipairs(records_of(tree, missing)) do lines[i] = json.encode(record, FIELDS) end
  context.out:write("[", table.concat(lines, ",\n"), "]\n")
end

return {
  summary = "Draw the hierarchy: organisations, departments, labs.",
  define = function(parser)
    parser:flag("--missing", "Also name the labs that belong there but that the application was not given: a call for each account above.")
    parser:option("--format", "A drawing, or one array of all accounts with their paths."):choices { "table", "json" }
  end,
  run = function(arguments, context)
    local tree = context.read_tree()
    local missing = arguments.missing and tree:missing() or {}
    if arguments.format == "json" then return write_json(context, tree, missing) end
    context.out:write(text.mask(tostring(tree), "\n"), "\n")
    if not arguments.missing then return end
    context.out:write(("\n%d labs that the application cannot see%s\n"):format(#missing, #missing > 0 and ":" or ""))
    for _, lab in ipairs(missing) do
      context.out:write(("%s  %s / %s\n"):format(lab.id, text.mask(tree:path(lab.parent)), text.mask(lab.name or "-")))
    end
  end,
}
