--- How a grant is first had: the address at which an administrator consents, and the exchange of the code that comes of it.

local core <const> = require "calira.core"
local endpoint <const> = require "calira.oauth.endpoint"
local grants <const> = require "calira.oauth.grants"
local options <const> = require "calira.values.options"

local M = {}

local kind <const> = options.kind
local secret <const> = kind.secret(kind.text)

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
  local url = given.url or endpoint.AUTHORIZE_URL
  return url .. (url:find("?", 1, true) and "&" or "?") .. endpoint.form(fields)
end

local EXCHANGE <const> = {
  code = secret, client_id = kind.text, client_secret = secret, redirect_uri = kind.text, code_verifier = secret,
  token_url = kind.text,
}

--- Exchanges the code of a consent for a grant, which remembers the token endpoint and the application. May wait.
---@return table grant; raises kind `unauthorized` for a code that is not valid
function M.exchange(given)
  given = options.check(given, EXCHANGE, "exchange")
  required(given, { "code", "client_id", "redirect_uri" }, "exchange")
  local url = given.token_url or endpoint.TOKEN_URL
  given.token_url, given.grant_type = nil, "authorization_code"
  local post = endpoint.start(url, { retries = 0 }, given, endpoint.CONSENT) -- a code serves once
  local client <close> = post.client
  local answer, err = endpoint.finish(post)
  if not answer then error(err, 0) end
  return grants.renewed({ token_url = url, client_id = given.client_id }, answer)
end

return M
