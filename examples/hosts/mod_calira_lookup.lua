-- A module for Prosody: its HTTP server answers GET /calira_lookup/ID, and everybody else's chat goes on meanwhile. It brings an adapter
-- for Prosody's util.async. Into a folder of `plugin_paths`, and "calira_lookup" into `modules_enabled`.
-- luacheck: globals module
local adapters = require "calira.adapters"
local async = require "util.async"
local calira = require "calira"
local server = require "net.server"

local client = calira.new {
  base_url = module:get_option_string "calira_base_url", token = module:get_option_string "calira_token",
}

local function wait(waiter)
  local sleep, done = async.waiter()
  adapters.park(waiter, function() module:add_timer(0, done) end) -- `done` resumes at once: not while the engine has its turn
  sleep()
end

adapters.register(module.name, function() return async.ready() and wait or nil end)
local watched = server.watchfd(adapters.pollfd(), function() adapters.step(0) end)

function module.unload()
  watched:close()
  adapters.unregister(module.name)
  client:close()
end

module:provides("http", {
  route = {
    ["GET /*"] = function(event, id)
      event.response.headers.content_type = "text/plain; charset=utf-8"
      if id == "ping" then return "pong\n" end
      local ok, b = pcall(client.booking, client, id)
      if ok then return ("%d %s\n"):format(b.id, b.status) end
      module:log("warn", "%s", b)
      return calira.is_error(b) and b.status or 502
    end,
  },
})
