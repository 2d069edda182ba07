#!/usr/bin/env lua5.4
-- A page of a web server: how many bookings each lab has, as JSON. `?under=KEY` takes the labs under an account. A process for each
-- request, so that it may block. examples/hosts/nginx.conf has nginx and fcgiwrap run it.
local calira = require "calira"
local cjson = require "cjson"

local function decoded(text)
  return (text:gsub("%+", " "):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

local under = (os.getenv "QUERY_STRING" or ""):match "^under=([^&]+)"
local ok, counts = pcall(function()
  local tree, labs = calira.tree(), {}
  for _, lab in ipairs(under and tree:labs(decoded(under)) or tree:labs()) do
    labs[#labs + 1] = function() return { lab = lab.name, bookings = calira.bookings({ provider = lab }):total() } end
  end
  local found = calira.gather(labs)
  found.n = nil
  return found
end)

local wrong = not ok and calira.is_error(counts) and counts.kind == "argument" -- an account that is not there
io.write("Status: ", ok and "200 OK" or wrong and "404 Not Found" or "502 Bad Gateway", "\r\nContent-Type: application/json\r\n\r\n")
io.write(cjson.encode(ok and counts or { error = tostring(counts) }), "\n")
