--- `calira man`: the manual page, calira.1, made of the same descriptions as --help.

local calira <const> = require "calira"

local M = { summary = "Print the manual page.", hidden = true }

function M.define() end

--- A text in roff: nothing of it is a request or an escape.
local function roff(text)
  text = text:gsub("\\", "\\e"):gsub("-", "\\-")
  return (text:gsub("^([.'])", "\\&%1"):gsub("\n([.'])", "\n\\&%1"))
end

local function bold(text) return "\\fB" .. roff(text) .. "\\fR" end

--- What stands for the value of an option or an argument: italic.
local function value_of(element)
  local name = element._argname or (element._choices and table.concat(element._choices, "|")) or element._name
  if type(name) == "table" then name = table.concat(name, " ") end
  return "\\fI" .. roff((name:gsub("[<>]", ""))) .. "\\fR"
end

local SHARED <const> = { ["-h"] = true, ["--profile"] = true } -- by all commands: described once

--- A tagged paragraph for each option or argument.
local function entries(lines, elements, but)
  for _, element in ipairs(elements) do
    if not element._hidden and not (but and but[element._name]) then
      local names = {}
      for i, alias in ipairs(element._public_aliases or {}) do names[i] = bold(alias) end
      local tag = table.concat(names, ", ")
      if #names == 0 then tag = value_of(element) elseif element._maxargs > 0 then tag = tag .. " " .. value_of(element) end
      local default = element._default and (" Default: %s."):format(element._default) or ""
      lines[#lines + 1] = ".TP\n" .. tag .. "\n" .. roff((element._description or "") .. default)
    end
  end
end

local ENVIRONMENT <const> = {
  { "CALIRA_TOKEN", "An access token; goes before a grant." },
  { "CALIRA_GRANT_FILE", "Where the grant is; otherwise calira/grant.json in $XDG_CONFIG_HOME or ~/.config." },
  { "CALIRA_CLIENT_ID, CALIRA_CLIENT_SECRET", "The application." },
  { "CALIRA_BASE_URL", "The service, if not Calira's own." },
  { "CALIRA_PROFILE", "The profile to use where \\-\\-profile does not say." },
  { "CALIRA_TRACE", "1: a line on stderr for each request." },
  { "TZ", "The time zone, as Europe/London; UTC where it is not set." },
}

function M.run(_, context)
  local parser = require("calira.command").parser {}
  local lines = {
    ('.TH CALIRA 1 "" "%s" "User Commands"'):format(calira._VERSION),
    ".SH NAME\ncalira \\- ask the Calira API for laboratory equipment and bookings",
    ".SH SYNOPSIS\n.B calira\n.I command\n[\\fIoption\\fR ...]",
    ".SH DESCRIPTION\n" .. roff(parser._description),
    ".SH OPTIONS",
  }
  entries(lines, parser._options)
  lines[#lines + 1] = ".SH COMMANDS"
  for _, command in ipairs(parser._commands) do
    if not command._hidden then
      local usage = command:get_usage():gsub("%s+", " "):gsub("^Usage: calira [^ ]+ ?", "")
      lines[#lines + 1] = ".SS " .. roff(command._name) .. "\n" .. roff(command._description) .. "\n.PP\n" .. bold("calira " .. command._name)
        .. " " .. roff((usage:gsub("%[%-h%] ?", ""):gsub("%[%-%-profile NAME%] ?", "")))
      entries(lines, command._arguments)
      entries(lines, command._options, SHARED)
      if command._epilog then lines[#lines + 1] = ".PP\n" .. roff(command._epilog) end
    end
  end
  lines[#lines + 1] = ".SH EXIT STATUS\n" .. roff((parser._epilog:gsub("^Exit status: ", "")))
  lines[#lines + 1] = ".SH ENVIRONMENT"
  for _, entry in ipairs(ENVIRONMENT) do lines[#lines + 1] = ".TP\n.B " .. entry[1] .. "\n" .. entry[2] end
  lines[#lines + 1] = ".SH FILES\n.TP\n.I $XDG_CONFIG_HOME/calira/profiles.json\n"
    .. "Profiles of several institutions, by name: base_url, client_id, client_secret, grant_file, token_url, token."
  context.out:write(table.concat(lines, "\n"), "\n")
end

return M
