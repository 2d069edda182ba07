--- `calira logout`.

local environment <const> = require "calira.api.environment"
local profiles <const> = require "calira.command.support.profiles"
local status <const> = require "calira.command.support.status"

local NO_SUCH_FILE <const> = 2 -- ENOENT

return {
  summary = "Remove the grant that 'calira login' has kept.",
  description = "Removes the file of the grant from this machine; of a profile, the grant file and the profile. The service goes on taking "
    .. "the grant until an administrator revokes the application there.",
  define = function() end,
  run = function(arguments, context)
    local name, profile = profiles.chosen(arguments.profile)
    if not name and environment.variable "CALIRA_GRANT_STORE" then
      status.raise(status.failed, "the grant is a row in the database of CALIRA_GRANT_STORE: remove it there")
    end
    local path = name and (profile.grant_file or profiles.grant_file(name)) or not name and environment.grant_file() or nil
    if not path then status.raise(status.failed, "set CALIRA_GRANT_FILE, the file where the grant is") end
    local ok, message, code = os.remove(path)
    if not ok and code ~= NO_SUCH_FILE then status.raise(status.failed, "the grant cannot be removed: " .. message) end
    for _, beside in ipairs { ".lock", ".copy" } do os.remove(path .. beside) end
    if name then profiles.save(name, nil) end
    context.out:write(ok and "Removed " or "There is no ", path, "\n")
    if environment.variable "CALIRA_TOKEN" and not name then context.note("CALIRA_TOKEN is still set, and goes before a grant") end
  end,
}
