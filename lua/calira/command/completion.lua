--- `calira completion`.

local M = { summary = "Print what a shell needs to complete this command." }

function M.define(parser)
  parser:argument("shell", "Which shell."):choices { "bash", "zsh", "fish" }
  parser:epilog("bash: eval \"$(calira completion bash)\" in ~/.bashrc; zsh: calira completion zsh >_calira in a folder of $fpath; "
    .. "fish: calira completion fish >~/.config/fish/completions/calira.fish.")
end

function M.run(arguments, context)
  local parser = require("calira.command").parser {}
  context.out:write(parser["get_" .. arguments.shell .. "_complete"](parser), "\n")
end

return M
