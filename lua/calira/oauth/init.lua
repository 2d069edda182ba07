--- Tokens: the functions that give one, and how a client is served by them. CONTRACT section 3; the service is Doorkeeper (API.md).

local consent <const> = require "calira.oauth.consent"
local core <const> = require "calira.core"
local file_store <const> = require "calira.oauth.file_store"
local grants <const> = require "calira.oauth.grants"
local provider <const> = require "calira.oauth.provider"
local supply <const> = require "calira.tasks.supply"

local M = {
  authorize_url = consent.authorize_url, exchange = consent.exchange, file_store = file_store, provider = provider.new,
}

--- A store in PostgreSQL; its driver is loaded only when one is used.
function M.postgres_store(given) return require "calira.oauth.postgres_store"(given) end

--- A provider is a function(rejected token or nil) → token, seconds it lasts or nil, whether it was refreshed.
function M.function_provider(f)
  return function(rejected)
    local token = f()
    if not grants.is_token(token) then
      core.raise("argument", "the token function must return a text without white space and control characters")
    end
    if token == rejected then
      core.raise("unauthorized", "the access token was not accepted, and the token function returns the same one again")
    end
    return token
  end
end

local providers <const> = setmetatable({}, { __mode = "k" }) -- client → provider

--- Makes a provider a client's. The C module asks for a token when a call needs one; a task of its own fetches it, so that whoever
-- waits, in whatever way, is served.
function M.attach(client, f) providers[client] = f end

supply.register(core.TOKEN, function(client, rejected)
  local token, expires_in, refreshed = providers[client](rejected)
  if refreshed then core.trace(client, { event = "refresh" }) end
  core.set_token(client, token, expires_in or -1, refreshed)
end)

return M
