--- Files that a command writes as a whole. Nothing here waits but for the disk.

local core <const> = require "calira.core"
local status <const> = require "calira.command.support.status"

local M = {}

--- Replaces a file by a text: whole, on the disk, or as it was. It is made as FILE.new beside it.
---@param path string
---@param text string
function M.replace(path, text)
  local beside <const> = path .. ".new"
  local file, message = io.open(beside, "w")
  local ok = file ~= nil
  if file then
    ok, message = file:write(text)
    if ok then ok, message = core.sync(file) end
    pcall(file.close, file)
    if ok then ok, message = os.rename(beside, path) end
    if not ok then os.remove(beside) end
  end
  if not ok then status.raise(status.failed, ("%s: %s"):format(path, message)) end
end

return M
