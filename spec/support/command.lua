--- Runs the real command, bin/calira, as a process of its own against the sandbox.

local helper = require "spec.support.helper"

local M = {}

--- A word for the shell, whatever is in it.
function M.quoted(word) return "'" .. tostring(word):gsub("'", [['\'']]) .. "'" end

--- What is in a file, which goes.
local function take(path)
  local file <close> = assert(io.open(path, "rb"))
  local text = file:read "a"
  os.remove(path)
  return text
end

--- A command line: `words` is an array, or a text that the shell splits.
function M.line(words)
  local list = { "lua5.4 bin/calira" }
  if type(words) == "string" then return list[1] .. " " .. words end
  for _, word in ipairs(words) do list[#list + 1] = M.quoted(word) end
  return table.concat(list, " ")
end

--- Runs a line of the shell: what it wrote and its status. `env`: variables; CALIRA_BASE_URL is a scenario's of its own unless given.
---@param options { scenario: string?, id: string?, env: table<string, string>?, input: string? }?
---@return string out, string err, integer status
function M.shell(line, options)
  options = options or {}
  local env, prefix = { CALIRA_BASE_URL = helper.url(options.scenario, options.id), CALIRA_TOKEN = helper.token, TZ = "" }, {}
  for name, value in pairs(options.env or {}) do env[name] = value end
  for name, value in pairs(env) do prefix[#prefix + 1] = ("export %s=%s;"):format(name, M.quoted(value)) end
  local out, err = os.tmpname(), os.tmpname()
  local input = options.input and ("printf %%s %s |"):format(M.quoted(options.input)) or ""
  local _, _, status = os.execute(("%s %s { %s; } >%s 2>%s%s")
    :format(table.concat(prefix, " "), input, line, out, err, options.input and "" or " </dev/null"))
  return take(out), take(err), status
end

--- Runs `calira …`.
function M.run(words, options) return M.shell(M.line(words), options) end

--- What a command prints; fails with its words where its status is another than 0.
function M.out(words, options)
  local out, err, status = M.run(words, options)
  if status ~= 0 then error(("%s: status %d: %s"):format(M.line(words), status, err), 2) end
  return out, err
end

--- The same with a base URL and variables as a shell has them before a command.
---@param arguments string as for a shell
---@param url string? base URL; without it the sandbox as it is
---@param env string? more variables, as for a shell
function M.calira(arguments, url, env)
  return M.shell(("%s %s"):format(env or "", M.line(arguments)), { env = { CALIRA_BASE_URL = url, TZ = "UTC" } })
end

--- A folder of the test's own; the second result takes it away.
function M.folder()
  local path = os.tmpname()
  os.remove(path)
  os.execute("mkdir " .. path)
  return path, function() os.execute("rm -rf " .. path) end
end

--- What is in a file; nil where there is none.
function M.read(path)
  local file <close> = io.open(path, "rb")
  return file and file:read "a"
end

--- What Debian's Python makes of a text: the script has it in `text`, and prints.
function M.python(script, text)
  local path, program = os.tmpname(), os.tmpname()
  for name, content in pairs { [path] = text, [program] = "import sys\ntext = open(sys.argv[1], newline='', encoding='utf-8').read()\n" .. script } do
    local file <close> = assert(io.open(name, "wb"))
    file:write(content)
  end
  local pipe <close> = assert(io.popen(("PATH=/usr/bin:/bin python3 -X utf8 %s %s 2>&1"):format(program, path)))
  local said = pipe:read "a"
  os.remove(path)
  os.remove(program)
  return said
end

return M
