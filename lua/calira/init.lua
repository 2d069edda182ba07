-- What `require "calira"` loads: a file that every Lua since 5.1 can read, so that the wrong one is told what it lacks. The library's face
-- is face.lua.
if _VERSION ~= "Lua 5.4" then
  error("calira needs Lua 5.4, this is " .. (rawget(_G, "jit") and jit.version .. " (" .. _VERSION .. ")" or _VERSION), 0)
end
return require "calira.face"
