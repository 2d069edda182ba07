-- luacheck: the Lua layer is Lua 5.4; the sandbox runs in nginx. `sh spec/check.sh luacheck` leaves out what luacheck gets
-- wrong about <close>.
std = "lua54"
max_line_length = 150
ignore = { "581" } -- `not (x >= 0)` is true of NaN, `x < 0` is not
exclude_files = { "build", "build.luarocks", "lua/calira/types.lua" } -- types.lua is annotations for editors
files["spec/**/*_spec.lua"] = { std = "lua54+busted" }
files["lua/calira/init.lua"] = { std = "min+lua54", read_globals = { "jit" } }
files["spec/sandbox/**/*.lua"] = { std = "ngx_lua" }
files["**/*.rockspec"] = { std = "rockspec" }
