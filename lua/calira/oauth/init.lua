--- Tokens: functions that give one, and OAuth grants that are refreshed. CONTRACT section 3; the service is Doorkeeper (API.md).
-- A refresh kills the old refresh token, so there is one refresh at a time, and the new grant is saved before it is used.

local core <const> = require "calira.core"
local file_store <const> = require "calira.oauth.file_store"
local options <const> = require "calira.values.options"
local supply <const> = require "calira.tasks.supply"

local M = {}

local AUTHORIZE_URL <const> = "https://app.clustermarket.com/oauth/authorize"
local TOKEN_URL <const> = "https://app.clustermarket.com/oauth/token"
local CONSENT <const> = "; consent again: open calira.oauth.authorize_url{…}, and pass the code to calira.oauth.exchange{…}"

local kind <const> = options.kind
local secret <const> = kind.secret(kind.text)

-- ── Providers ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local function check_token(value)
  if type(value) == "string" and value:find("^[\x21-\x7e]+$") then return value end
  core.raise("argument", "the token function must return a text without white space and control characters")
end

--- A provider is a function(rejected token or nil) → token, seconds it lasts or nil, whether it was refreshed.
function M.function_provider(f)
  return function(rejected)
    local token = check_token(f())
    if token == rejected then
      core.raise("unauthorized", "the access token was not accepted, and the token function returns the same one again")
    end
    return token
  end
end

local providers <const> = setmetatable({}, { __mode = "k" }) -- client → provider

--- Makes a provider a client's. The C module asks for a token when a call needs one; a task of its own fetches it, so that whoever
-- waits, in whatever way, is served.
function M.attach(client, provider) providers[client] = provider end

supply.register(core.TOKEN, function(client, rejected)
  local token, expires_in, refreshed = providers[client](rejected)
  if refreshed then core.trace(client, { event = "refresh" }) end
  core.set_token(client, token, expires_in or -1, refreshed)
end)

-- ── The token endpoint ────────────────────────────────────────────────────────────────────────────────────────────────────────────

local function encode(text)
  return (text:gsub("[^%w%-._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local function form_of(fields)
  local names, parts = {}, {}
  for name in pairs(fields) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do parts[i] = encode(name) .. "=" .. encode(tostring(fields[name])) end
  return table.concat(parts, "&")
end

--- The client that talks to a token endpoint: never with a bearer token, over https or to this host only. It tries again as calls do:
-- where an answer was lost the old refresh token may be dead, but then it is so for the next call, too.
local function endpoint(url, like)
  local scheme, host, path = url:match("^(https?://)([^/?#]+)(/[^?#]*)$")
  if not host then core.raise("argument", "token_url is no address with a path") end
  local checked = {
    base_url = scheme .. host, carries_secrets = true, user_agent = "calira/" .. core.version, allow_http = like.allow_http,
    retries = like.retries, backoff_base = like.backoff_base, backoff_max = like.backoff_max, max_wait = like.max_wait,
    timeout = like.timeout, connect_timeout = like.connect_timeout, ca_file = like.ca_file, ca_path = like.ca_path,
    insecure = like.insecure, proxy = like.proxy,
  }
  return core.client(checked), path
end

local SECRETS <const> = { "refresh_token", "client_secret", "code", "code_verifier" }

--- Raises what the token endpoint's error means for the grant, if it says so.
local function refuse(err)
  if err.status ~= 400 and err.status ~= 401 then return end
  local what, advice = "the grant is not valid any more: ", CONSENT
  if err.code == "invalid_client" then what, advice = "the application was not accepted: ", "; check client_id and client_secret" end
  core.raise("unauthorized", what .. err.message .. advice, {
    status = err.status, path = err.path, method = err.method, request_id = err.request_id, attempts = err.attempts,
  })
end

--- An error of the token endpoint without what was sent to it, should it echo that; `code`: OAuth's name for it (RFC 6749, 5.2).
local function cleaned(err, fields)
  local said = err.body and core.decode(err.body)
  err.code, err.body = type(said) == "table" and said.error or nil, nil
  for _, name in ipairs(SECRETS) do
    local sent = fields[name]
    for _, text in ipairs(sent and #sent > 3 and { sent, encode(sent) } or {}) do
      local pattern = text:gsub("%W", "%%%0")
      err.message = err.message:gsub(pattern, "***")
      err.request_id = err.request_id and err.request_id:gsub(pattern, "***")
    end
  end
  return err
end

--- Asks the token endpoint; a refusal of the grant raises `unauthorized`, everything else as it is. May wait.
local function ask(url, like, fields)
  local client <close>, path = endpoint(url, like)
  local request = core.post(client, path, form_of(fields))
  local ok, grant = pcall(request.wait, request)
  if ok and type(grant.access_token) ~= "string" then
    ok, grant = false, core.failure("decode", "the token endpoint's answer has no access_token", { path = path, method = "POST" })
  end
  if ok then return grant end
  if core.is_error(grant) then
    refuse(cleaned(grant, fields))
    grant.code = nil
  end
  error(grant, 0)
end

--- A new grant keeps what the endpoint's answer leaves out.
local function renewed(old, new)
  local grant = {}
  for name, value in pairs(new) do grant[name] = value end
  grant.refresh_token = grant.refresh_token or old.refresh_token
  grant.created_at = grant.created_at or os.time()
  return grant
end

-- ── Grants ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local OAUTH <const> = {
  client_id = kind.text, client_secret = secret, refresh_token = secret, token_url = kind.text, store = kind.table,
}

local EARLY <const> = 60 -- seconds before its end at which a grant counts as expired; of a short one, a quarter of its life

--- Seconds that the grant's token still lasts; nil: not known.
local function left_of(grant)
  if type(grant.expires_in) ~= "number" then return nil end
  return (tonumber(grant.created_at) or os.time()) + grant.expires_in - os.time()
end

local function usable(grant, rejected)
  if not grant or type(grant.access_token) ~= "string" or grant.access_token == rejected then return false end
  local left = left_of(grant)
  return not left or left > math.min(EARLY, grant.expires_in / 4)
end

local function refresh(given, like, grant)
  local token = grant and grant.refresh_token or given.refresh_token
  if not token then core.raise("unauthorized", "there is no refresh token" .. CONSENT) end
  if not given.client_id then
    core.raise("argument", "oauth takes the client_id of the application (from the environment: CALIRA_CLIENT_ID)")
  end
  local answer = ask(given.token_url or TOKEN_URL, like, {
    grant_type = "refresh_token", refresh_token = token, client_id = given.client_id, client_secret = given.client_secret,
  })
  return renewed({ refresh_token = token }, answer)
end

--- The provider of an `oauth` option.
function M.provider(oauth, like)
  local given = options.check(oauth, OAUTH, "oauth")
  local store = given.store
  if not (store and type(store.load) == "function" and type(store.save) == "function") then
    core.raise("argument", "oauth takes a store with load and save: a rotated refresh token that is not kept is lost "
      .. "(calira.oauth.file_store(path) is one)")
  end
  if given.token_url then endpoint(given.token_url, like):close() end
  local last -- the grant of this process
  return function(rejected)
    local locked <close> = store.lock and store.lock() or nil
    local grant = store.load() or last
    if usable(grant, rejected) then
      last = grant
      return grant.access_token, left_of(grant), false
    end
    local ok, new = pcall(refresh, given, like, grant)
    if not ok then
      -- A store without a lock: perhaps another process was quicker, and its grant is there now.
      local theirs = store.load()
      if not usable(theirs, rejected) or (grant and theirs.access_token == grant.access_token) then error(new, 0) end
      new = theirs
    else
      store.save(new)
    end
    last = new
    -- of one that came just now, whatever the clocks here and there say
    return new.access_token, ok and tonumber(new.expires_in) or left_of(new), ok
  end
end

-- ── Consent ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local AUTHORIZE <const> = {
  client_id = kind.text, redirect_uri = kind.text, scopes = kind.table, state = kind.text, code_challenge = kind.text, url = kind.text,
}

local function required(given, names, what)
  for _, name in ipairs(names) do
    if given[name] == nil then core.raise("argument", ("%s takes the option %s"):format(what, name)) end
  end
end

--- The address at which an administrator consents. `scopes`: an array; `code_challenge`: PKCE (RFC 7636), method S256.
---@return string
function M.authorize_url(given)
  given = options.check(given, AUTHORIZE, "authorize_url")
  required(given, { "client_id", "redirect_uri" }, "authorize_url")
  for _, scope in ipairs(given.scopes or {}) do
    if type(scope) ~= "string" then core.raise("argument", "authorize_url: option scopes takes an array of texts") end
  end
  local fields = {
    response_type = "code", client_id = given.client_id, redirect_uri = given.redirect_uri, state = given.state,
    code_challenge = given.code_challenge, code_challenge_method = given.code_challenge and "S256" or nil,
    scope = given.scopes and table.concat(given.scopes, " ") or nil,
  }
  local url = given.url or AUTHORIZE_URL
  return url .. (url:find("?", 1, true) and "&" or "?") .. form_of(fields)
end

local EXCHANGE <const> = {
  code = secret, client_id = kind.text, client_secret = secret, redirect_uri = kind.text, code_verifier = secret,
  token_url = kind.text,
}

--- Exchanges the code of a consent for a grant. May wait.
---@return table grant; raises kind `unauthorized` for a code that is not valid
function M.exchange(given)
  given = options.check(given, EXCHANGE, "exchange")
  required(given, { "code", "client_id", "redirect_uri" }, "exchange")
  local url = given.token_url or TOKEN_URL
  given.token_url, given.grant_type = nil, "authorization_code"
  return renewed({}, ask(url, { retries = 0 }, given)) -- a code serves once
end

M.file_store = file_store

return M
