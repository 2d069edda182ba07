--- Profiles: what to ask, and as whom, for each of several institutions, in one private file: name → `base_url`, `client_id`,
-- `client_secret`, `grant_file`, `token_url`, `token`. Only a name and one of grant_file and token are needed.

local core <const> = require "calira.core"
local environment <const> = require "calira.api.environment"
local file_store <const> = require "calira.oauth.file_store"
local status <const> = require "calira.command.support.status"

local M = {}

local FIELDS <const> = { base_url = true, client_id = true, client_secret = true, grant_file = true, token_url = true, token = true }

--- The folder of the user's settings; nil where the environment names none.
local function folder()
  local config = environment.variable "XDG_CONFIG_HOME" or (environment.variable "HOME" and environment.variable "HOME" .. "/.config")
  return config and config .. "/calira/"
end

--- Where the profiles are; nil where the environment names no place.
---@return string?
function M.path()
  return folder() and folder() .. "profiles.json"
end

--- The grant file of a profile that names none.
---@return string
function M.grant_file(name)
  return folder() .. "grant-" .. name .. ".json"
end

--- All profiles by name; empty where there is no file.
---@return table<string, table>
function M.all()
  local path = M.path()
  local file <close> = path and io.open(path, "rb") or nil
  if not file then return {} end
  local found = core.decode(file:read "a" or "")
  if type(found) ~= "table" then status.raise(status.failed, ("%s is not readable as JSON"):format(path)) end
  for name, profile in pairs(found) do
    for field, value in pairs(type(profile) == "table" and profile or { profile }) do
      if not FIELDS[field] or type(value) ~= "string" then
        status.raise(status.failed, ("%s: profile %s: %s is no field of a profile, or no text"):format(path, name, field))
      end
    end
  end
  return found
end

--- The profile that the option or the environment names: the name and the profile; nil where neither does.
---@param given string? the option --profile
---@return string? name, table? profile
function M.chosen(given)
  local name = given or environment.variable "CALIRA_PROFILE"
  if not name then return nil end
  local all, names = M.all(), {}
  if all[name] then return name, all[name] end
  for each in pairs(all) do names[#names + 1] = each end
  table.sort(names)
  status.raise(status.usage, ("there is no profile %q in %s; there are: %s")
    :format(name, M.path() or "(no folder for it: set HOME)", #names > 0 and table.concat(names, ", ") or "none"))
end

--- Adds a profile, or puts it in the place of the one of that name.
function M.save(name, profile)
  local all = M.all()
  all[name] = profile
  local ok, message = core.write_private(M.path(), core.encode(all))
  if not ok then status.raise(status.failed, ("%s cannot be written: %s"):format(M.path(), message)) end
end

--- A profile as options of `calira.new`. A token of the environment is for the environment's server, never for a profile's.
function M.options(name, profile)
  if profile.token then return { base_url = profile.base_url, token = profile.token } end
  return {
    base_url = profile.base_url,
    oauth = {
      client_id = profile.client_id or environment.variable "CALIRA_CLIENT_ID",
      client_secret = profile.client_secret or environment.variable "CALIRA_CLIENT_SECRET",
      token_url = profile.token_url, store = file_store(profile.grant_file or M.grant_file(name)),
    },
  }
end

return M
