--- `calira completion`.

local SHELLS <const> = { "bash", "zsh", "fish" }

local M = { summary = "Print what a shell needs to complete this command.", values = SHELLS }

function M.define(parser)
  parser:argument("shell", "Which shell."):choices(SHELLS)
  parser:epilog("bash: eval \"$(calira completion bash)\" in ~/.bashrc; zsh: calira completion zsh >_calira in a folder of $fpath; "
    .. "fish: calira completion fish >~/.config/fish/completions/calira.fish.")
end

--- What argparse leaves out for bash and fish: the values of a command's argument. Each a line of the script, where that is put (nil: at
-- the end).
local BASH <const> = [=[    if [[ "$cmd" = NAME && "$prev" = NAME ]]; then COMPREPLY=($(compgen -W "VALUES" -- "$cur")); fi]=]
local FISH <const> = "complete -c calira -n '__fish_calira_seen_command NAME; and not __fish_seen_subcommand_from VALUES' -xa 'VALUES'"
local ADDED <const> = { bash = { BASH, '    if [[ "$cur" = -* ]]; then' }, fish = { FISH } }

--- The script with them, of each command that has `values`.
local function with_values(script, shell, commands)
  local added <const> = ADDED[shell]
  if not added then return script end
  local lines = {}
  for name, command in pairs(commands) do
    local words = { NAME = name, VALUES = command.values and table.concat(command.values, " ") }
    if command.values then lines[#lines + 1] = added[1]:gsub("%u+", words) .. "\n" end
  end
  table.sort(lines)
  local at <const> = added[2] and script:find(added[2], 1, true) or #script + 1
  return script:sub(1, at - 1) .. table.concat(lines) .. script:sub(at)
end

function M.run(arguments, context)
  local parser, commands = require("calira.command").parser {}
  local script <const> = parser["get_" .. arguments.shell .. "_complete"](parser)
  context.out:write(with_values(script, arguments.shell, commands), "\n")
end

return M
