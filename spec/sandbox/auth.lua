-- Bearer tokens and their scopes. `sandbox-token` may do everything, `sandbox-token:read_bookings,read_accounts` what
-- it spells out, `at-N` is what the token endpoint handed out, `expired-…` has expired.
local faults = require "faults"
local oauth = require "oauth"

local auth = {}

local function challenge(status, code, description, scope)
  local answer = faults.error(status, code, description)
  answer.headers["WWW-Authenticate"] = ('Bearer realm="Doorkeeper", error="%s", error_description="%s"%s'):format(
    code, description, scope and (', scope="%s"'):format(scope) or "")
  return answer
end

-- Whether the token holds the scope; nil and a description for a token that is no good.
local function permits(call, token, scope)
  if not token then return nil, "The access token is invalid" end
  if token == "sandbox-token" then return true end
  local scopes = token:match("^sandbox%-token:(.*)$")
  if scopes then return ("," .. scopes .. ","):find("," .. scope .. ",", 1, true) ~= nil end
  if token:find("^expired%-") then return nil, "The access token expired" end
  return oauth.check(call.state, token)
end

-- nil where the call is allowed, else the answer that refuses it.
function auth.refuse(call)
  local scope = call.route[2]
  local token = (ngx.var.http_authorization or ""):match("^[Bb]earer +(%S+)$")
  local allowed, why = permits(call, token, scope)
  if allowed then return nil end
  if allowed == nil then return challenge(401, "invalid_token", why) end
  return challenge(403, "insufficient_scope", "Access to this resource requires scope " .. scope, scope)
end

return auth
