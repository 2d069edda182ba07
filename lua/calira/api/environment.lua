--- The default client, from the environment. CONTRACT section 1.

local client <const> = require "calira.api.client"
local core <const> = require "calira.core"
local file_store <const> = require "calira.oauth.file_store"

local M = {}

local NO_TOKEN <const> = "no token: set CALIRA_TOKEN, run 'calira login', or call calira.configure{ token = … }"

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

local function exists(path)
  local file = path and io.open(path, "r")
  if file then file:close() end
  return file ~= nil
end

--- The grant of the environment: a file of grants, which CALIRA_REFRESH_TOKEN only seeds; nil where there is neither.
local function oauth()
  local path, seed = grant_file(), variable "CALIRA_REFRESH_TOKEN"
  if not path or not (exists(path) or seed) then return nil end
  return {
    client_id = variable "CALIRA_CLIENT_ID", client_secret = variable "CALIRA_CLIENT_SECRET", refresh_token = seed,
    store = file_store(path),
  }
end

--- Options completed from the environment. A token of the environment is for the environment's server: not with a base_url of the
-- caller's own.
local function complete(given)
  local made = {}
  for name, value in pairs(given) do made[name] = value end
  if made.base_url == nil then
    made.base_url = variable "CALIRA_BASE_URL"
    if made.token == nil and made.oauth == nil then
      made.token = variable "CALIRA_TOKEN"
      if not made.token then made.oauth = oauth() end
    end
  end
  return made
end

local default

--- The client of the module's own calls, made on first use.
function M.default()
  if not default then
    local made = complete {}
    if not (made.token or made.oauth) then core.raise("argument", NO_TOKEN) end
    default = client.new(made)
  end
  return default
end

--- Makes a new default client; lists that are open keep theirs.
function M.configure(given)
  if given == nil then given = {} end
  if type(given) ~= "table" then core.raise("argument", "configure takes a table of options") end
  local made = complete(given)
  if not (made.token or made.oauth) then core.raise("argument", NO_TOKEN) end
  default = client.new(made)
  return default
end

return M
