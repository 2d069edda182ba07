--- Modules that are loaded when they are first used: `local tree <const> = lazy "calira.accounts.tree"`, then `tree.build(…)`.

local require <const> = require -- a host may take it away from scripts later

return function(name)
  local module
  return setmetatable({}, { __index = function(_, key)
    module = module or require(name)
    return module[key]
  end })
end
