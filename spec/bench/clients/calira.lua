--- This library in a process of its own: calira.lua WHAT BASE_URL [OPTION=VALUE …]; the options are a client's. Prints the number of
--- records and the seconds of CPU that they took; `first` prints seconds instead, `supports` nothing.

local calira = require "calira"

local function client_of(url, first)
  local options = { base_url = url, token = os.getenv "CALIRA_TOKEN", ca_file = os.getenv "CALIRA_SANDBOX_CA" }
  for i = first, #arg do
    local name, value = assert(arg[i]:match "^([%l_]+)=(.*)$")
    if value == "true" or value == "false" then options[name] = value == "true" else options[name] = math.tointeger(value) or value end
  end
  return calira.new(options)
end

local function count(...)
  local records, before = 0, os.clock()
  for _ in ... do records = records + 1 end
  print(records, os.clock() - before)
end

local what = {}

function what.list(client) count(client:bookings { provider = 102 }) end

function what.details(client) count(client:bookings { provider = 102, details = true }) end

function what.under(client) count(client:bookings { under = 9000 }) end

--- Seconds of one page alone, until a list's first record, and of leaving the loop after it; medians of many, by turns.
function what.first(client)
  local now = require("calira.core").now
  local pages, firsts, leavings = {}, {}, {}
  client:get("/bookings", { provider_account = 102 }) -- opens the connection
  for i = 1, 15 do
    local started = now()
    client:get("/bookings", { provider_account = 102 })
    pages[i] = now() - started
    started = now()
    for _ in client:bookings { provider = 102 } do -- luacheck: ignore 512
      firsts[i] = now() - started
      started = now()
      break
    end
    leavings[i] = now() - started
  end
  for _, list in ipairs { pages, firsts, leavings } do table.sort(list) end
  print(pages[8], firsts[8], leavings[8])
end

if arg[1] == "supports" then
  os.exit((pcall(calira.new, { token = "t", [arg[2]] = false })))
end
what[arg[1]](client_of(arg[2], 3))
