--- Seconds of CPU that `require "calira"` takes where libcurl and lua-cjson are loaded already: require.lua [without]. `without`
--- leaves the library out, for whoever counts instructions.

assert(package.loadlib("libcurl.so.4", "*"))
require "cjson"
local started = os.clock()
if arg[1] ~= "without" then require "calira" end
print(os.clock() - started)
