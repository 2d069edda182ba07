--- Exit statuses of the command, and errors that end it with one of them. CONTRACT section 11.

local core <const> = require "calira.core"

local M = { right = 0, failed = 1, usage = 2, incomplete = 3, unauthorized = 4, unmatched = 5, interrupted = 130 }

local Failure = { __name = "calira.command.failure" }
Failure.__tostring = function(self) return self.message end

--- Ends the command with a status and a line on stderr.
---@param status integer one of this table
---@param message string? nil: end without a word
function M.raise(status, message)
  error(setmetatable({ status = status, message = message }, Failure), 0)
end

local BY_KIND <const> = { argument = M.usage, unauthorized = M.unauthorized, forbidden = M.unauthorized, drift = M.incomplete }

--- What an error says, for stderr: without the line of this command that it came from, which says nothing to its user.
---@return string
function M.words(err)
  if core.is_error(err) then err.at = nil end
  return (tostring(err):gsub("^calira: ", ""))
end

--- What an error that nobody caught means: a status, and the words for stderr.
---@return integer status, string? message
function M.of(err)
  if getmetatable(err) == Failure then return err.status, err.message end
  if core.is_error(err) then
    local message = M.words(err)
    local status = BY_KIND[err.kind] or M.failed
    if err.kind == "argument" and message:find "^no token" then
      status, message = M.unauthorized, "no token: set CALIRA_TOKEN, or run 'calira login'"
    end
    return status, message
  end
  if type(err) == "string" and err:find "interrupted!$" then return M.interrupted, "interrupted" end -- lua.c's words for SIGINT
  return M.failed, tostring(err)
end

return M
