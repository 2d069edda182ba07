--- What a grant is: the token endpoint's answer, with `token_url` and `client_id`, which say whose it is, and `received_at`, when it
-- came by this machine's clock, and `base_url`, where `calira login` was told which API it is for. Plain data, no I/O.

local core <const> = require "calira.core"
local endpoint <const> = require "calira.oauth.endpoint"

local M = {}

local EARLY <const> = 60      -- seconds before its end at which a grant counts as expired; of a short one, a quarter of its life
local LONGEST <const> = 3.2e9 -- seconds: what is said to last longer has no end

--- Whether a value can be a bearer token.
function M.is_token(value) return type(value) == "string" and value:find "^[\x21-\x7e]+$" ~= nil end

--- The refresh token of a grant; nil where it has none, or an empty one.
function M.refresh_token(grant)
  local token = grant and grant.refresh_token
  return type(token) == "string" and token ~= "" and token or nil
end

--- Seconds for which the endpoint gave the token; nil: not known (0 too, of servers that say so and do not mean it).
function M.life(grant)
  local life = tonumber(grant.expires_in)
  return life and life > 0 and life < LONGEST and life or nil
end

--- Seconds that the grant's token still lasts; nil: not known.
function M.left(grant)
  local life, now = M.life(grant), os.time()
  if not life then return nil end
  return math.min((tonumber(grant.received_at) or tonumber(grant.created_at) or now) + life - now, life)
end

--- Whether calls can go with the grant's token.
---@param grant table?
---@param rejected string? a token that was answered by 401
function M.usable(grant, rejected)
  if not grant or not grant.access_token or grant.access_token == rejected then return false end
  local left = M.left(grant)
  return not left or left > math.min(EARLY, M.life(grant) / 4)
end

--- The endpoint's answer as a grant. What it leaves out is kept from the old one, and it remembers whose it is.
---@param old table `refresh_token`, `token_url`, `client_id`, …
function M.renewed(old, answer)
  local grant = {}
  for name, value in pairs(answer) do grant[name] = value end
  grant.refresh_token = M.refresh_token(answer) or M.refresh_token(old)
  grant.token_url, grant.client_id, grant.base_url = old.token_url, old.client_id, old.base_url
  grant.received_at = os.time()
  grant.created_at = grant.created_at or grant.received_at
  if not M.is_token(grant.access_token) then grant.access_token = nil end -- the refresh token is kept all the same
  return grant
end

--- What a store gave, if it is a grant; raises kind `argument` for what is none. `advice`: what to do about it.
function M.check(grant, advice)
  if grant == nil then return nil end
  if type(grant) ~= "table" then core.raise("argument", "the store's load gave no grant: a table, or nil where there is none") end
  if grant.access_token ~= nil and not M.is_token(grant.access_token) then
    core.raise("argument", "the stored grant's access_token is not a text without white space and control characters; " .. advice)
  end
  return grant
end

--- Whether a token endpoint and an API may belong together: both are Calira's own, or neither is, or `calira login` was told so.
local function together(grant, base_url)
  if type(grant.base_url) == "string" and endpoint.same(grant.base_url, base_url) then return true end
  return endpoint.same(grant.token_url, endpoint.TOKEN_URL) == endpoint.same(base_url, endpoint.BASE_URL)
end

--- Raises kind `argument` where the grant is another service's or application's than what is given.
---@param given table the option `oauth`
---@param base_url string of the client
function M.check_service(grant, given, base_url, advice)
  local function refuse(what, own, named)
    core.raise("argument", ("the stored grant is of another %s (%s, not %s); %s"):format(what, own, named, advice))
  end
  local own, named = grant.token_url, given.token_url
  if type(own) == "string" then
    if named and not endpoint.same(own, named) then refuse("service", own, named) end
    if not named and not together(grant, base_url) then refuse("service", own, "that of " .. base_url) end
  end
  if grant.client_id and given.client_id and grant.client_id ~= given.client_id then
    refuse("application", tostring(grant.client_id), given.client_id)
  end
end

--- The token endpoint of a grant; raises kind `argument` where only a guess would be left: it is sent the client secret.
---@param grant table?
function M.token_url(grant, given, base_url)
  local url = given.token_url or grant and grant.token_url
  if type(url) == "string" then return url end
  if endpoint.same(base_url, endpoint.BASE_URL) then return endpoint.TOKEN_URL end
  core.raise("argument", "oauth takes the token_url of the service that base_url names (from the environment: CALIRA_TOKEN_URL)")
end

return M
