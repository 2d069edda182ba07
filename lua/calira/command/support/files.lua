--- Files that a command writes as a whole. Nothing here waits but for the disk.

local core <const> = require "calira.core"
local files <const> = require "calira.values.files"
local status <const> = require "calira.command.support.status"

local M = {}

--- Makes the new file beside the old one, and gives it its name.
local function replace(path, text)
  local beside <const> = path .. ".new"
  local file, message = files.create(beside, path)
  if not file then return nil, message end
  local ok
  ok, message = file:write(text)
  if ok then ok, message = core.sync(file) end
  pcall(file.close, file)
  if ok then ok, message = os.rename(beside, path) end
  if not ok then os.remove(beside) end
  return ok, message
end

--- Replaces a file by a text: whole, on the disk, or as it was. It is made as FILE.new beside it, with the mode and the owner of the old one;
-- a symbolic link stays one. What is no regular file (a device, a FIFO) is written in place.
---@param path string
---@param text string
function M.replace(path, text)
  local place, kind = files.resolve(path)
  local ok, message
  if not place then
    message = kind
  elseif kind == "other" then
    local left = text
    ok, message = files.write_in_place(path, function()
      local piece = left
      left = nil
      return piece
    end)
  else
    ok, message = replace(place, text)
  end
  if not ok then status.raise(status.failed, ("%s: %s"):format(path, message)) end
end

return M
