-- The authorisation server: POST /oauth/token with rotating refresh tokens, and an /oauth/authorize where the user
-- consents at once. Tokens are kept for each scenario id; each has at-0 and rt-0 to begin with.
local ffi = require "ffi"
local scenario = require "scenario"

local oauth = {}

ffi.cdef [[unsigned char *SHA256(const unsigned char *d, size_t n, unsigned char *md);]]

local EXPIRES = 7200
local SCOPES = "read_accounts read_bookings read_equipment read_projects read_user"

-- access[token] = { expires, previous, known } and refresh[token] = access token; those that are not there are dead.
local function tokens(s)
  s.oauth = s.oauth or { issued = 0, codes = {}, access = { ["at-0"] = {} }, refresh = { ["rt-0"] = "at-0" } }
  return s.oauth
end

-- Whether the access token is good: true, or nil and why not. Its first use is what kills the ones before it.
function oauth.check(s, token)
  local o = tokens(s)
  local access = o.access[token]
  if not access then
    local known = token:find("^at%-%d+$") and tonumber(token:sub(4)) <= o.issued
    return nil, known and "The access token was revoked" or "The access token is invalid"
  end
  if access.known and ngx.now() < access.known then return nil, "The access token is invalid" end -- the replicas lag
  if access.expires and ngx.now() >= access.expires then return nil, "The access token expired" end
  if access.previous then
    o.access[o.refresh[access.previous] or ""] = nil
    o.refresh[access.previous] = nil
    access.previous = nil
  end
  return true
end

-- Makes every access token of the scenario expire now; refresh tokens live on.
function oauth.expire(s)
  for _, access in pairs(tokens(s).access) do access.expires = 0 end
end

local function issue(o, keys, previous)
  o.issued = o.issued + 1
  local access, refresh = "at-" .. o.issued, "rt-" .. o.issued
  local expires = keys.expires or EXPIRES
  o.access[access] = { expires = ngx.now() + expires, previous = previous, known = keys.lag and ngx.now() + keys.lag / 1000 }
  if keys.norefresh then refresh = "" else o.refresh[refresh] = access end
  return { status = 200, headers = { ["Cache-Control"] = "no-store" },
    body = ('{"access_token":"%s","token_type":"Bearer","expires_in":%d,"refresh_token":"%s","scope":"%s",'
      .. '"created_at":%d}'):format(keys.badtoken and access .. "\\r\\nX: y" or access, keys.says or expires, refresh, SCOPES, ngx.time()) }
end

local function refuse(status, code, description)
  return { status = status, headers = {},
    body = ('{"error":"%s","error_description":"%s"}'):format(code, description) }
end

local function invalid_grant()
  return refuse(400, "invalid_grant", "The provided authorization grant is invalid, expired, revoked, does not match "
    .. "the redirection URI used in the authorization request, or was issued to another client.")
end

-- base64url of the SHA-256, as RFC 7636 makes a challenge of a verifier.
local function challenge_of(verifier)
  local digest = ffi.new("unsigned char[32]")
  ffi.C.SHA256(verifier, #verifier, digest)
  return (ngx.encode_base64(ffi.string(digest, 32), true):gsub("+", "-"):gsub("/", "_"))
end

-- A code is good-anything, or good-anything~challenge; each works once.
local function exchange(o, keys, form)
  local code = form.code or ""
  if not code:find("^good") or o.codes[code] then return invalid_grant() end
  if not form.redirect_uri then return refuse(400, "invalid_request", "Missing required parameter: redirect_uri.") end
  local challenge = code:match("~(.+)$")
  if challenge and challenge_of(form.code_verifier or "") ~= challenge then return invalid_grant() end
  o.codes[code] = true
  return issue(o, keys)
end

local function refresh(o, keys, form)
  local token = form.refresh_token or ""
  if not o.refresh[token] then return invalid_grant() end
  if keys.rotate == "use" then return issue(o, keys, token) end
  if keys.norefresh then return issue(o, keys) end
  o.access[o.refresh[token]] = nil
  o.refresh[token] = nil
  return issue(o, keys)
end

local grants = { authorization_code = exchange, refresh_token = refresh }

-- POST /oauth/token
function oauth.token(call)
  local s, keys = call.state, call.keys
  s.token_calls = s.token_calls + 1
  local form = call.form
  if keys.tokenlatency then ngx.sleep(keys.tokenlatency / 1000) end
  if keys.tokenfail and s.token_calls <= keys.tokenfail[2] then
    return refuse(keys.tokenfail[1], "server_error", "The authorization server failed")
  end
  if keys.tokenerror then return refuse(200, keys.tokenerror, "The authorization server says: " .. keys.tokenerror) end
  if not form.client_id or not form.client_secret or form.client_secret:find("^wrong") then
    return refuse(401, "invalid_client", "Client authentication failed due to unknown client, no client authentication "
      .. "included, or unsupported authentication method.")
  end
  local grant = grants[form.grant_type]
  if not grant then return refuse(400, "unsupported_grant_type", "The authorization grant type is not supported.") end
  local answer = grant(tokens(s), keys, form)
  if form.grant_type == "refresh_token" and answer.status == 200 then s.refreshes = s.refreshes + 1 end
  return answer
end

-- GET /oauth/authorize: consent is given at once, and the code goes back to where the application said.
function oauth.authorize(call)
  local args, o = call.args, tokens(call.state)
  o.consents = (o.consents or 0) + 1
  local code = "good-" .. o.consents .. (args.code_challenge and "~" .. args.code_challenge or "")
  local back = args.redirect_uri
  if not back or back:find("^urn:") then
    return { status = 200, headers = { ["Content-Type"] = "text/plain" }, body = code .. "\n" }
  end
  local query = "code=" .. ngx.escape_uri(code) .. (args.state and "&state=" .. ngx.escape_uri(args.state) or "")
  return { status = 302, headers = { Location = back .. (back:find("?", 1, true) and "&" or "?") .. query }, body = "" }
end

-- A form body as a table.
function oauth.read_form(body)
  local form = {}
  for name, value in (body or ""):gmatch("([^&=]+)=([^&]*)") do
    form[scenario.decode((name:gsub("+", " ")))] = scenario.decode((value:gsub("+", " ")))
  end
  return form
end

return oauth
