--- lua-http with dkjson, on Lua 5.1: lua_http.lua FILE. The addresses, a line each, one after the other.

local json = require "dkjson"
local request = require "http.request"

local records = 0
for url in io.lines(arg[1]) do
  local asked = request.new_from_uri(url)
  asked.headers:append("authorization", "Bearer " .. os.getenv "CALIRA_TOKEN")
  local headers, stream = assert(asked:go())
  assert(headers:get ":status" == "200")
  records = records + math.max(1, #assert(json.decode(stream:get_body_as_string())))
end
print(records)
