--- `calira login`: gets a grant by an administrator's consent and keeps it where the default client, or the profile, looks for it.
-- No server listens here: the address to which the browser is sent after the consent is pasted.

local calira <const> = require "calira"
local environment <const> = require "calira.api.environment"
local endpoint <const> = require "calira.oauth.endpoint"
local profiles <const> = require "calira.command.support.profiles"
local status <const> = require "calira.command.support.status"

local M = {
  summary = "Get a grant by an administrator's consent.",
  description = "Prints an address at which an administrator consents, asks for the address to which the browser was sent afterwards, "
    .. "and keeps the grant in $CALIRA_GRANT_FILE (default: calira/grant.json in $XDG_CONFIG_HOME or ~/.config). The application is in "
    .. "CALIRA_CLIENT_ID and CALIRA_CLIENT_SECRET. With --profile, application, grant file and base URL are kept under that name in "
    .. "calira/profiles.json.",
}

function M.define(parser)
  parser:option("--redirect-uri", "As registered for the application; the default shows the code.", "urn:ietf:wg:oauth:2.0:oob"):argname "URI"
  parser:option("--scopes", "What the application may read.", "read_accounts,read_bookings,read_equipment,read_projects"):argname "A,B"
  parser:option("--authorize-url", "Where to consent, if not at Calira's own page."):argname "URL"
  parser:option("--token-url", "The token endpoint, if not Calira's own."):argname "URL"
  parser:option("--base-url", "With --profile: the API, if not Calira's own."):argname "URL"
end

--- A text that nobody can guess, to tell our consent from another's.
local function new_state()
  local file <close> = assert(io.open("/dev/urandom", "rb"))
  return (file:read(16):gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function decode(text)
  return (text:gsub("%+", " "):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

--- The code in what was pasted: an address with `code` and `state`, or the code alone.
local function code_of(pasted, state)
  local query = pasted:match "%?(.*)$"
  if not query then return pasted end
  local fields = {}
  for name, value in query:gmatch "([^&=#]+)=([^&#]*)" do fields[name] = decode(value) end
  if fields.error then status.raise(status.unauthorized, "the consent was not given: " .. (fields.error_description or fields.error)) end
  if fields.state ~= state then status.raise(status.failed, "the address does not belong to this login: its state is another one") end
  return fields.code or status.raise(status.failed, "the address has no code")
end

--- The token endpoint (nil: Calira's own), and the CALIRA_BASE_URL that it is for. One is not guessed from the other: the client secret is
-- sent there.
local function token_url_of(arguments, profile)
  local url = arguments.token_url or profile.token_url or environment.variable "CALIRA_TOKEN_URL"
  local base = profile.base_url or environment.variable "CALIRA_BASE_URL"
  if base and not url and not endpoint.same(base, endpoint.BASE_URL) then
    status.raise(status.failed, "CALIRA_BASE_URL names another service than Calira's own: say where it consents (--authorize-url) and gives "
      .. "tokens (--token-url)")
  end
  return url, base
end

--- Where the grant will be kept. A code serves once: it is asked for only where what comes of it can be kept.
local function writable_store(name, profile)
  local store, place
  if name then
    store, place = calira.oauth.file_store(profile.grant_file), profile.grant_file
  else
    store, place = environment.grant_store()
  end
  if not store then status.raise(status.failed, "set CALIRA_GRANT_FILE, the file to keep the grant in (HOME is not set)") end
  local ok, why = store.check()
  if not ok then status.raise(status.failed, "the grant could not be kept: " .. why) end
  return store, place
end

--- Not while another process refreshes, which would save the old one's successor after it.
local function save(store, grant)
  local lock <close> = store.lock()
  store.save(grant)
end

--- What is known of the profile to log in for: its name and the profile, which may be new; nil where none is named.
local function profile_of(arguments)
  local name = arguments.profile or environment.variable "CALIRA_PROFILE"
  if not name then return nil, {} end
  if not name:find "^[%w_.-]+$" then status.raise(status.usage, "a profile's name has letters, digits, '_', '.' and '-' only") end
  if not profiles.path() then status.raise(status.failed, "set HOME or XDG_CONFIG_HOME, where profiles are kept") end
  local profile = profiles.all()[name] or {}
  profile.base_url = arguments.base_url or profile.base_url or environment.variable "CALIRA_BASE_URL"
  profile.token_url = arguments.token_url or profile.token_url
  profile.grant_file = profile.grant_file or profiles.grant_file(name)
  return name, profile
end

--- Exchanges the code. What the library advises to do in Lua is here this command. May wait.
local function exchange(given)
  local ok, grant = pcall(calira.oauth.exchange, given)
  if ok then return grant end
  if calira.is_error(grant) then
    local first, last = grant.message:find(endpoint.CONSENT, 1, true)
    if first then grant.message = grant.message:sub(1, first - 1) .. "run 'calira login' again" .. grant.message:sub(last + 1) end
  end
  error(grant, 0)
end

function M.run(arguments, context)
  local name, profile = profile_of(arguments)
  local id = environment.variable "CALIRA_CLIENT_ID" or profile.client_id
  local secret = environment.variable "CALIRA_CLIENT_SECRET" or profile.client_secret
  if not (id and secret) then status.raise(status.failed, "set CALIRA_CLIENT_ID and CALIRA_CLIENT_SECRET, which the application has") end
  local token_url, base_url = token_url_of(arguments, profile)
  local store, place = writable_store(name, profile)
  local scopes, state = {}, new_state()
  for scope in arguments.scopes:gmatch "[^,%s]+" do scopes[#scopes + 1] = scope end
  context.out:write("Open this address and consent:\n\n  ", calira.oauth.authorize_url{
    client_id = id, redirect_uri = arguments.redirect_uri, scopes = scopes, state = state, url = arguments.authorize_url,
  }, "\n\nThen paste the address to which the browser was sent, or the code that it shows:\n> ")
  context.out:flush()
  local pasted = (io.read "l" or ""):match "^%s*(.-)%s*$"
  if pasted == "" then status.raise(status.failed, "nothing was pasted") end
  local grant = exchange {
    code = code_of(pasted, state), client_id = id, client_secret = secret, redirect_uri = arguments.redirect_uri, token_url = token_url,
  }
  grant.base_url = base_url
  save(store, grant)
  if name then
    profile.client_id, profile.client_secret = id, secret
    profiles.save(name, profile)
  end
  context.out:write("\nThe grant is in ", place, name and ("; profile %s uses it"):format(name)
    or "; scripts use it where CALIRA_TOKEN is not set", ".\n")
end

return M
