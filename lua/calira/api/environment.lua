--- The default client, from the environment. CONTRACT section 1.

local client <const> = require "calira.api.client"
local core <const> = require "calira.core"
local lazy <const> = require "calira.values.lazy"
local oauth <const> = lazy "calira.oauth"

local M = {}

local NO_TOKEN <const> = "no token: set CALIRA_TOKEN, run 'calira login', or call calira.configure{ token = … }"
local LOGIN <const> = "run 'calira login'"

local NO_SUCH_FILE <const>, NO_SUCH_FOLDER <const> = 2, 20 -- ENOENT, ENOTDIR

--- A variable; an empty one counts as unset.
local function variable(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end
M.variable = variable

--- Where the grant is kept; nil where the environment names no place.
local function grant_file()
  local path = variable "CALIRA_GRANT_FILE"
  if path then return path end
  local config = variable "XDG_CONFIG_HOME" or (variable "HOME" and variable "HOME" .. "/.config")
  return config and config .. "/calira/grant.json"
end
M.grant_file = grant_file

--- The store of the environment's grant: a row of PostgreSQL where CALIRA_GRANT_STORE names a database, else a file. nil where it names no
-- place.
---@return table? store
---@return string? place its name for people; no secret
function M.grant_store()
  local address, path = variable "CALIRA_GRANT_STORE", grant_file()
  if not address and not path then return nil end
  if address and not address:find "^postgres[ql]*://" then
    core.raise("argument", "CALIRA_GRANT_STORE takes the address of a database: postgresql://…")
  end
  local store = address and oauth.postgres_store { dsn = address, name = variable "CALIRA_PROFILE" } or oauth.file_store(path)
  store.advice = LOGIN
  return store, address and "the database of CALIRA_GRANT_STORE" or path
end

--- Whether the environment has a grant: a file (what cannot be read is told by the first call), or a database, which is not asked here.
local function has_grant()
  if variable "CALIRA_GRANT_STORE" then return true end
  local path = grant_file()
  if not path then return false end
  local file <close>, _, code = io.open(path, "r")
  return file ~= nil or code ~= NO_SUCH_FILE and code ~= NO_SUCH_FOLDER
end

--- The grant of the environment, which CALIRA_REFRESH_TOKEN only seeds; nil where there is neither.
local function granted()
  local seed = variable "CALIRA_REFRESH_TOKEN"
  if not (has_grant() or seed and grant_file()) then return nil end
  return {
    client_id = variable "CALIRA_CLIENT_ID", client_secret = variable "CALIRA_CLIENT_SECRET", refresh_token = seed,
    token_url = variable "CALIRA_TOKEN_URL", store = (M.grant_store()),
  }
end

--- An `oauth` of the caller's own: the environment says which application it is, where that is left out.
local function filled(given)
  if type(given) ~= "table" then return given end
  local made = {}
  for name, value in pairs(given) do made[name] = value end
  if made.client_id == nil then made.client_id = variable "CALIRA_CLIENT_ID" end
  if made.client_secret == nil then made.client_secret = variable "CALIRA_CLIENT_SECRET" end
  return made
end

--- Options completed from the environment. A token of the environment is for the environment's server: not with a base_url of the
-- caller's own.
local function complete(given)
  local made = {}
  for name, value in pairs(given) do made[name] = value end
  made.oauth = filled(made.oauth)
  if made.base_url == nil then
    made.base_url = variable "CALIRA_BASE_URL"
    if made.token == nil and made.oauth == nil then
      made.token = variable "CALIRA_TOKEN"
      if not made.token then made.oauth = granted() end
    end
    local shared <const> = variable "CALIRA_LIMITS"
    if shared and made.limits == nil then
      made.limits = require "calira.limits.postgres" { dsn = shared, name = variable "CALIRA_PROFILE" }
    end
  end
  return made
end

--- What to do about a missing token: not what was done already.
local function advice(given)
  if given.base_url ~= nil and (variable "CALIRA_TOKEN" or has_grant() or variable "CALIRA_REFRESH_TOKEN") then
    return "no token: that of the environment is not sent to another base_url; call calira.configure{ base_url = …, token = … }"
  end
  if not grant_file() then
    return (variable "CALIRA_REFRESH_TOKEN" and "no token: CALIRA_REFRESH_TOKEN is set, but HOME is not: set CALIRA_GRANT_FILE, the file to "
      .. "keep the grant in") or NO_TOKEN .. "; HOME is not set, so 'calira login' needs CALIRA_GRANT_FILE, the file to keep the grant in"
  end
  return NO_TOKEN
end

--- A client of options that are completed from the environment.
local function made_of(given)
  local made = complete(given)
  if not (made.token or made.oauth) then core.raise("argument", advice(given)) end
  return client.new(made)
end

local default

--- The client of the module's own calls, made on first use.
function M.default()
  if not default then default = made_of {} end
  return default
end

--- Makes a new default client; lists that are open keep theirs.
function M.configure(given)
  if given == nil then given = {} end
  if type(given) ~= "table" then core.raise("argument", "configure takes a table of options") end
  default = made_of(given)
  return default
end

return M
