-- Runs busted on the Lua that runs this file (the `busted` command takes whatever `lua` is), with warnings on.
--
-- A warning that no spec expects fails the run. Where the tree has the module spec.warnings, each test's warnings are
-- kept until the test takes them, and those left over at its end are an error of that test:
--
--   assert.same({ "calira: ..." }, require("spec.support.warnings").take())
--
-- Elsewhere, and while the state closes, they go to stderr as "Lua warning: ...", which ctest takes for a failure.

warn "@on"
local ok, warnings = pcall(require, "spec.support.warnings")
warnings = ok and warnings or nil

local tests, last = 0, "?"

-- busted takes its hooks from a helper.
package.preload["spec.support.busted.helper"] = function()
  local busted = require "busted"
  busted.subscribe({ "test", "end" }, function(test)
    tests, last = tests + 1, test.name
    return nil, true
  end)
  busted.after_each(function()
    collectgarbage() -- what a test leaves to the collector is that test's
    collectgarbage()
    local left = warnings and warnings.take() or {}
    if #left > 0 then error("warnings that '" .. last .. "' does not expect:\n" .. table.concat(left, "\n"), 0) end
  end)
end
table.insert(arg, 1, "--helper=spec.support.busted.helper")

require "busted.runner" { standalone = false } -- exits where a test failed
if warnings then warnings.stop() end
if tests == 0 then io.stderr:write "no test ran\n" end
os.exit(tests > 0, true)
