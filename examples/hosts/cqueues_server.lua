-- A server on cqueues: calls in its coroutines wait as cqueues does.
--   CALIRA_TOKEN=… lua5.4 examples/hosts/cqueues_server.lua [PORT]
package.path = package.path .. ";" .. arg[0]:gsub("[^/]*$", "?.lua")

local cqueues = require "cqueues"
local lookup = require "lookup"
local socket = require "cqueues.socket"
require("calira.adapters.cqueues").attach()

local loop = cqueues.new()
local listening = socket.listen { host = "127.0.0.1", port = tonumber(arg[1]) or 0 }
listening:listen()
print("port", (select(3, listening:localname())))
io.stdout:flush()

local function serve(client)
  client:onerror(function(_, _, code) return code end) -- one who goes away is no error of the loop's
  for line in client:lines() do
    if not client:write(lookup(line), "\n") then break end
    client:flush()
  end
  client:close()
end

loop:wrap(function()
  for client in listening:clients() do loop:wrap(serve, client) end
end)
assert(loop:loop())
