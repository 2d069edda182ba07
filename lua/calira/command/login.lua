--- `calira login`: gets a grant by an administrator's consent and keeps it where the default client looks for it.
-- No server listens here: the address to which the browser is sent after the consent is pasted.

local core <const> = require "calira.core"
local environment <const> = require "calira.api.environment"
local endpoint <const> = require "calira.oauth.endpoint"
local oauth <const> = require "calira.oauth"

local M = {}

local USAGE <const> = [[
usage: calira login [options]

Prints an address at which an administrator consents, asks for the address to which the browser was sent afterwards,
and keeps the grant in $CALIRA_GRANT_FILE (default: calira/grant.json in $XDG_CONFIG_HOME or ~/.config).
The application is in CALIRA_CLIENT_ID and CALIRA_CLIENT_SECRET.

  --redirect-uri URI    as registered for the application (default: urn:ietf:wg:oauth:2.0:oob, which shows the code)
  --scopes A,B          default: read_accounts,read_bookings,read_equipment,read_projects
  --authorize-url URL   where to consent, if not at Calira's own page
  --token-url URL       the token endpoint, if not Calira's own (or CALIRA_TOKEN_URL)
]]

local OPTIONS <const> = { ["--redirect-uri"] = true, ["--scopes"] = true, ["--authorize-url"] = true, ["--token-url"] = true }

local function read_options(arguments)
  local given = {
    ["--redirect-uri"] = "urn:ietf:wg:oauth:2.0:oob", ["--scopes"] = "read_accounts,read_bookings,read_equipment,read_projects",
  }
  for i = 2, #arguments, 2 do
    local name, value = arguments[i], arguments[i + 1]
    if not OPTIONS[name] or not value then core.raise("argument", ("unknown or incomplete option %s\n\n%s"):format(name, USAGE)) end
    given[name] = value
  end
  return given
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
  if fields.error then core.raise("unauthorized", "the consent was not given: " .. (fields.error_description or fields.error)) end
  if fields.state ~= state then core.raise("unauthorized", "the address does not belong to this login: its state is another one") end
  return fields.code or core.raise("unauthorized", "the address has no code")
end

--- The token endpoint (nil: Calira's own), and the CALIRA_BASE_URL that it is for. One is not guessed from the other: the client secret is
-- sent there.
local function token_url_of(given)
  local url, base = given["--token-url"] or environment.variable "CALIRA_TOKEN_URL", environment.variable "CALIRA_BASE_URL"
  if base and not url and not endpoint.same(base, endpoint.BASE_URL) then
    core.raise("argument", "CALIRA_BASE_URL names another service than Calira's own: say where it consents (--authorize-url) and gives "
      .. "tokens (--token-url)")
  end
  return url, base
end

--- Where the grant will be kept. A code serves once: it is asked for only where what comes of it can be kept.
local function writable_store()
  local store, place = environment.grant_store()
  if not store then core.raise("argument", "set CALIRA_GRANT_FILE, the file to keep the grant in (HOME is not set)") end
  local ok, why = store.check()
  if not ok then core.raise("argument", "the grant could not be kept: " .. why) end
  return store, place
end

--- Not while another process refreshes, which would save the old one's successor after it.
local function save(store, grant)
  local lock <close> = store.lock()
  store.save(grant)
end

local function login(arguments)
  local given = read_options(arguments)
  local id, secret = environment.variable "CALIRA_CLIENT_ID", environment.variable "CALIRA_CLIENT_SECRET"
  if not (id and secret) then core.raise("argument", "set CALIRA_CLIENT_ID and CALIRA_CLIENT_SECRET, which the application has") end
  local token_url, base_url = token_url_of(given)
  local store, place = writable_store()
  local scopes, state = {}, new_state()
  for scope in given["--scopes"]:gmatch "[^,%s]+" do scopes[#scopes + 1] = scope end
  io.write("Open this address and consent:\n\n  ", oauth.authorize_url{
    client_id = id, redirect_uri = given["--redirect-uri"], scopes = scopes, state = state, url = given["--authorize-url"],
  }, "\n\nThen paste the address to which the browser was sent, or the code that it shows:\n> ")
  io.flush()
  local pasted = (io.read "l" or ""):match "^%s*(.-)%s*$"
  if pasted == "" then core.raise("argument", "nothing was pasted") end
  local grant = oauth.exchange{
    code = code_of(pasted, state), client_id = id, client_secret = secret, redirect_uri = given["--redirect-uri"], token_url = token_url,
  }
  grant.base_url = base_url
  save(store, grant)
  io.write("\nThe grant is in ", place, "; scripts use it where CALIRA_TOKEN is not set.\n")
end

--- Runs the command with its arguments and returns its exit status.
function M.main(arguments)
  if arguments[1] ~= "login" or arguments[2] == "--help" or arguments[2] == "-h" then
    local helped = arguments[1] == "--help" or arguments[1] == "-h" or arguments[1] == "login"
    local to = helped and io.stdout or io.stderr
    to:write(USAGE)
    return helped and 0 or 2
  end
  local ok, err = pcall(login, arguments)
  if ok then return 0 end
  io.stderr:write(core.is_error(err) and "calira: " .. err.message or tostring(err), "\n")
  return 1
end

return M
