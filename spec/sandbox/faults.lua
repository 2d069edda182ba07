-- Faults on demand, each a small function of the call, the key's value and the answer. Three tables: `before` may
-- answer in place of the API or hang up, `after` changes the answer, `deliver` sends it in an unusual way. Nothing here
-- knows the world.
local bodies = require "bodies"
local capacity = require "capacity"
local scenario = require "scenario"

local faults = {}

local MESSAGES = {
  [400] = { "bad_request", "The request is not understood" },
  [401] = { "invalid_token", "The access token is invalid" },
  [403] = { "forbidden", "The application has not been approved" },
  [404] = { "not_found", "The record was not found" },
  [408] = { "request_timeout", "The request took too long" },
  [429] = { "too_many_requests", "Too many requests" },
  [500] = { "server_error", "Something went wrong" },
  [502] = { "bad_gateway", "The server behind did not answer" },
  [503] = { "unavailable", "The service is down for maintenance" },
  [504] = { "gateway_timeout", "The server behind took too long" },
}

-- An answer that is an error, with the API's body.
function faults.error(status, code, description)
  local message = MESSAGES[status] or { "error", "Status " .. status }
  return { status = status, headers = {},
    body = ('{"error":"%s","error_description":"%s"}'):format(code or message[1], description or message[2]) }
end

-- The server's own idea of the time.
local function now(keys)
  return ngx.time() + (keys.dateskew or 0)
end

-- Retry-After of a faulty status: what the scenario wrote, or "date+N" as a date N seconds after the Date header.
local function faulty(call, status)
  local answer = faults.error(status)
  local wanted = call.keys.retry_after
  local seconds = wanted and wanted:match("^date([+-]%d+)$")
  if seconds then wanted = ngx.http_time(now(call.keys) + tonumber((seconds:gsub("^%+", "")))) end
  answer.headers["Retry-After"] = wanted
  if status == 401 then
    answer.headers["WWW-Authenticate"] = 'Bearer realm="Doorkeeper", error="invalid_token", '
      .. 'error_description="The access token is invalid"'
  end
  return answer
end

local function every(call, n)
  return call.number % n == 0
end

-- A call that has to wait for so many seconds: 429, with Retry-After in whole seconds unless the scenario wants none.
local function over_limit(call, seconds)
  if not seconds then return nil end
  local answer = faults.error(429)
  if call.keys.bucket429 ~= "none" then answer.headers["Retry-After"] = math.max(1, math.ceil(seconds)) end
  return answer
end

-- Before the API is asked; the first that returns an answer ends the call. ----------------------------------------

faults.before = {
  { "latency", function(_, ms) ngx.sleep(ms / 1000) end },
  { "jitter", function(call, ms) ngx.sleep(call.number * 7919 % 997 / 997 * ms / 1000) end },
  { "bucket", function(call, bucket) return over_limit(call, capacity.refused_for(call.state, bucket)) end },
  { "window", function(call, window) return over_limit(call, capacity.closed_for(call.state, window)) end },
  { "workers", function(call, workers) ngx.sleep(capacity.seconds_of_work(call.state, workers)) end },
  { "silence", function(call, n) if every(call, n) then ngx.sleep(600) end end },
  { "reset", function(call, n) if every(call, n) then ngx.exit(444) end end },
  { "redirect", function(call, target)
    if not target:find("://", 1, true) then target = "http://" .. target .. call.target end
    return { status = 302, headers = { Location = target }, body = "" }
  end },
  { "firstfail", function(call, p) if call.number <= p[2] then return faulty(call, p[1]) end end },
  { "fail", function(call, p) if every(call, p[2]) then return faulty(call, p[1]) end end },
  { "failpage", function(call, p) if call.route.list and call.page == p[2] then return faulty(call, p[1]) end end },
  { "failpath", function(call, p)
    if scenario.decode(call.target):find(p[2], 1, true) then return faulty(call, p[1]) end
  end },
}

-- Changes to the answer --------------------------------------------------------------------------------------------

local function replace_body(call, wanted, answer)
  local keys = call.keys
  if answer.status ~= 200 or not every(call, keys.bodyevery or 1) then return end
  if keys.bodypage and not (call.route.list and call.page == keys.bodypage) then return end
  bodies.replace(call, answer, wanted[1], wanted[2])
end

local function add_filler(_, wanted, answer)
  local left, n = wanted[1], 0
  while left > 0 do
    n = n + 1
    answer.headers["X-Filler-" .. n] = ("x"):rep(math.min(left, wanted[2]))
    left = left - wanted[2]
  end
end

faults.after = {
  { "emptyerr", function(_, _, answer) if answer.status >= 400 then answer.body = "" end end },
  { "body", replace_body },
  { "bigheaders", add_filler },
  { "ratelimit", function(call, kind, answer)
    capacity.tell(call.state, call.keys.bucket, kind, answer.headers)
  end },
  { "dateskew", function(call, _, answer) answer.headers.Date = ngx.http_time(now(call.keys)) end },
}

-- Ways to send -----------------------------------------------------------------------------------------------------

local function send_head(answer, length)
  ngx.req.clear_header("Accept-Encoding")       -- else nginx would compress it and take Content-Length away
  ngx.status = answer.status
  for name, value in pairs(answer.headers) do ngx.header[name] = value end
  ngx.header["Content-Length"] = length
end

-- Half of the body, then the connection is closed (HTTP/2: the stream is reset).
local function send_half(answer, length)
  send_head(answer, length)
  ngx.print(answer.body:sub(1, math.ceil(#answer.body / 2)))
  ngx.flush(true)
  ngx.exit(444)
end

local function send_dripping(answer, ms)
  send_head(answer, #answer.body)
  for at = 1, #answer.body do
    ngx.print(answer.body:sub(at, at))
    ngx.flush(true)
    ngx.sleep(ms / 1000)
  end
  return true
end

-- The first that returns true has sent the answer.
faults.deliver = {
  { "cut", function(call, n, answer) return every(call, n) and send_half(answer, #answer.body + 10) end },
  { "chunkcut", function(call, n, answer) return every(call, n) and send_half(answer, nil) end },
  { "drip", function(_, ms, answer) return send_dripping(answer, ms) end },
}

return faults
