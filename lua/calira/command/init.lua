--- The command `calira`: which commands there are, what they have in common, and what their errors mean.
-- A command is a file of this folder that returns `summary` (one line), `define(parser)`, which describes its arguments (lua-argparse), and
-- `run(arguments, context)`, which does it and returns an exit status or raises; `values` are those of its argument, which
-- completions offer. The help, the manual page and the completions are all made of what `define` says.

local calira <const> = require "calira"
local status <const> = require "calira.command.support.status"
local text <const> = require "calira.values.text"

local M = {}

local NAMES <const> = {
  "bookings", "equipment", "projects", "groups", "accounts", "booking", "form", "get", "tree", "export", "report", "watch", "metrics",
  "login", "logout", "doctor", "completion", "man",
}

local DESCRIPTION <const> = "Asks the Calira API (formerly Clustermarket), by which laboratories book shared instruments."

local EPILOG <const> = "Exit status: 0 right, 1 failed, 2 wrong usage, 3 possibly incomplete (what came is printed), 4 not authorised, "
  .. "5 nothing matched a value that was never seen, 130 interrupted."

--- The command of a name; nil where there is no such file.
local function load_command(name)
  local module = "calira.command." .. name
  if package.preload[module] or package.searchpath(module, package.path) then return require(module) end
end

--- A flag that shows the help of its parser, whatever else is said or missing.
local function add_help(parser, wanted)
  parser:flag("-h --help", "Shows this help."):action(function() wanted.help = wanted.help or parser end)
end

--- Where the option stands before the command, and after it.
local function add_profile(parser, target)
  parser:option("--profile", "The institution to ask, of those in profiles.json (see 'calira login'); otherwise the one in CALIRA_PROFILE.")
    :argname "NAME":target(target)
end

--- The command that arguments name; nil where they name none, or ask for what is said of all.
local function named(arguments)
  local i = 1
  while arguments[i] and arguments[i]:find "^%-%-profile" do i = i + (arguments[i] == "--profile" and 2 or 1) end
  for _, name in ipairs(NAMES) do
    if name == arguments[i] then return name end
  end
end

--- Describes the commands.
---@param wanted table its field `help` becomes the parser whose help was asked for
---@param only string? the name of one: the others are not loaded
---@return table parser, table<string, table> commands by name
function M.parser(wanted, only)
  local argparse <const> = require "argparse"
  local parser = argparse("calira", DESCRIPTION, EPILOG):require_command(false):command_target "command":add_help(false)
    :help_max_width(100):usage_max_width(100)
  add_help(parser, wanted)
  add_profile(parser, "profile_before")
  parser:flag("--version", "Shows the version.")
  local commands = {}
  for _, name in ipairs(only and { only } or NAMES) do
    local command = load_command(name)
    if command then
      commands[name] = command
      local own = parser:command(name):summary(command.summary):description(command.description or command.summary):add_help(false)
        :hidden(command.hidden or false)
      add_help(own, wanted)
      add_profile(own, "profile")
      command.define(own)
    end
  end
  return parser, commands
end

--- argparse takes what begins with a dash for an option: `--from -30d` becomes `--from=-30d`.
local function joined(arguments)
  local list = {}
  for _, argument in ipairs(arguments) do
    local option = list[#list]
    if argument:find "^%-%d" and option and option:find "^%-%-[%w-]+$" then
      list[#list] = option .. "=" .. argument
    else
      list[#list + 1] = argument
    end
  end
  return list
end

local function run(arguments)
  local context <const> = require "calira.command.support.context"
  local wanted = {}
  local name <const> = named(arguments)
  local parser, commands = M.parser(wanted, name)
  local ok, parsed = parser:pparse(joined(arguments))
  if ok then parsed.profile = parsed.profile or parsed.profile_before end
  local own = context.new(ok and parsed or {})
  if wanted.help then
    own.out:write(wanted.help:get_help(), "\n")
  elseif not ok then
    local command = name and " " .. name or ""
    status.raise(status.usage, ("%s; see 'calira%s --help'"):format((parsed:gsub("\n", "; ")), command))
  elseif parsed.version then
    own.out:write(calira._VERSION, "\n")
  elseif not parsed.command then
    io.stderr:write(parser:get_help(), "\n")
    return status.usage
  else
    local done, result = pcall(commands[parsed.command].run, parsed, own)
    local doubtful = own.tell_doubts()
    if not done then error(result, 0) end
    own.out:flush()
    result = result or status.right
    return doubtful and (result == status.right or result == status.unmatched) and status.incomplete or result
  end
  own.out:flush()
  return status.right
end

--- Runs the command.
---@param arguments string[] without the program's name
---@return integer status of the process
function M.main(arguments)
  local ok, result = pcall(run, arguments)
  if ok then return result end
  local code, message = status.of(result)
  if message then io.stderr:write("calira: ", text.mask(message, "\n"), "\n") end
  return code
end

return M
