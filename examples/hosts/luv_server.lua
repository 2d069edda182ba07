-- A server on luv (libuv): each line is answered by a coroutine on its loop.
--   CALIRA_TOKEN=… lua5.4 examples/hosts/luv_server.lua [PORT]
package.path = package.path .. ";" .. arg[0]:gsub("[^/]*$", "?.lua")

local lookup = require "lookup"
local luv = require "calira.adapters.luv"
local uv = require "luv"

local server = uv.new_tcp()
assert(server:bind("127.0.0.1", tonumber(arg[1]) or 0))
assert(server:listen(128, function(failed)
  assert(not failed, failed)
  local client, unread = uv.new_tcp(), ""
  server:accept(client)
  client:read_start(function(err, data)
    if err or not data then return client:close() end
    unread = (unread .. data):gsub("([^\n]*)\n", function(line)
      luv.spawn(function()
        local answer = lookup(line)
        if not client:is_closing() then client:write(answer .. "\n") end
      end)
      return ""
    end)
  end)
end))
print("port", server:getsockname().port)
io.stdout:flush()
uv.run()
