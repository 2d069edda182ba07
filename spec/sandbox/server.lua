-- What nginx calls: one request from its first line to its log. The order is: scenario, faults before, token, API,
-- faults after, sending.
local auth = require "auth"
local bodies = require "bodies"
local bookings = require "bookings"
local control = require "control"
local faults = require "faults"
local json = require "json"
local oauth = require "oauth"
local paging = require "paging"
local records = require "records"
local routes = require "routes"
local scenario = require "scenario"
local state = require "state"
local watch = require "watch"
local world = require "world"

local server = {}
local settings

-- In the master, before it forks: loads the examples.
function server.init(options)
  settings = options
  records.load(options.data)
  bookings.index_examples()
end

-- In the worker: watches over whoever started it, and tells sandbox.sh that the world is up.
function server.start()
  watch.start(settings)
  assert(io.open(settings.dir .. "/ready", "w")):close()
end

-- "/~a=b/v1/x?y" → keys, "/v1/x?y"; nil and why where the scenario is not understood.
local function split_target(target)
  local prefix, rest = target:match("^/~([^/?]*)(.*)$")
  local keys, why = scenario.parse(prefix or "")
  return keys, keys and (rest or target) or why
end

local function new_call(keys, target)
  local path, query = target:match("^([^?]*)%??(.*)$")
  local call = {
    keys = keys, target = target, path = path, state = state.of(keys.id), args = oauth.read_form(query),
  }
  call.page, call.per = paging.asked(call.args)
  return call
end

-- Counts the call in, and out again in `log`; on_abort hears of a client that hangs up.
local function enter(call)
  local s = call.state
  ngx.ctx.call = call
  call.entry = state.enter(s, ngx.req.get_method() .. " " .. call.target, call.target)
  ngx.on_abort(function()
    call.aborted = true
    ngx.exit(499)
  end)
end

-- Runs those faults of a table that the scenario has; the first result that is not nil or false ends it.
local function run_faults(list, call, answer)
  for _, fault in ipairs(list) do
    local value = call.keys[fault[1]]
    local result = value and fault[2](call, value, answer)
    if result then return result end
  end
end

local function ask_api(call, first, second)
  local keys = call.keys
  call.view = world.view(keys)
  if call.route.list then
    local source = call.route.list(call, first, second)
    return source and paging.answer(call, source) or faults.error(404)
  end
  local hidden = keys.gone and keys.gone[second or first]
  local record = not hidden and call.route.detail(call, first, second)
  if not record then return faults.error(404) end
  return { status = 200, headers = {}, body = json.encode(paging.dress(record, keys)) }
end

local function api(call, path)
  local route, first, second = routes.find(path)
  call.route = route or {}
  call.state.calls = call.state.calls + 1
  call.number = call.state.calls
  local answer = run_faults(faults.before, call)
  if not answer and not route then answer = faults.error(404) end
  answer = answer or auth.refuse(call) or ask_api(call, first, second)
  run_faults(faults.after, call, answer)
  return answer
end

local function send(call, answer)
  answer.headers["X-Request-Id"] = ngx.var.request_id
  if call.number and run_faults(faults.deliver, call, answer) then return end
  ngx.status = answer.status
  for name, value in pairs(answer.headers) do ngx.header[name] = value end
  if answer.stream then return bodies.send_stream(call, answer) end
  ngx.header["Content-Length"] = #answer.body
  ngx.print(answer.body)
end

-- Which part of the server answers; nil where none does.
local function dispatch(call, method)
  local path = call.path
  local api_path = path:match("^/v1(/.*)$")
  if method == "POST" and path == "/oauth/token" then return oauth.token(call) end
  if method ~= "GET" then return nil end
  if path == "/oauth/authorize" then return oauth.authorize(call) end
  if api_path then return api(call, api_path) end
end

function server.handle()
  local keys, target = split_target(ngx.var.request_uri)
  local method = ngx.req.get_method()
  if not keys then return send({}, faults.error(400, "sandbox_scenario", target)) end
  local call = new_call(keys, target)
  local command = call.path:match("^/control/(%l+)$")
  local answer = command and control.answer(command, call.args)
  if not answer then
    if method == "POST" then
      ngx.req.read_body()
      call.form = oauth.read_form(ngx.req.get_body_data())
    end
    enter(call)
    answer = dispatch(call, method) or faults.error(404)
  end
  send(call, answer)
end

function server.log()
  local call = ngx.ctx.call
  if call then state.leave(call.state, call.entry, ngx.status, call.aborted) end
end

return server
