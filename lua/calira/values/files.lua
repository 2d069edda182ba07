--- Files that are replaced as a whole: where a path leads, and what becomes of a link, a device and the mode of a file.
-- Nothing here waits but for the disk, and for the reader of a FIFO.

local core <const> = require "calira.core"

local M = {}

--- Where a file is replaced: behind a symbolic link. A device or a FIFO keeps its name: it is written in place.
---@param path string
---@return string? place nil where links lead in a circle
---@return string? kind as of core.file_type; the message where there is no place
function M.resolve(path)
  local kind <const> = core.file_type(path)
  if kind == "other" then return path, kind end
  local place, message = core.follow_link(path)
  return place, place and kind or message
end

--- Opens a new file that is to replace another, with the mode and owner of that one from the start.
---@param path string
---@param like string the file that is replaced, if there is one
---@return file*? file
---@return string? message
function M.create(path, like)
  local file, message = io.open(path, "wb")
  if not file then return nil, message end
  local ok
  ok, message = core.copy_mode(like, path)
  if ok then return file end
  file:close()
  os.remove(path)
  return nil, message
end

--- Writes into what is no regular file.
---@param path string
---@param pieces fun(): string? the text, piece by piece
---@return boolean? ok
---@return string? message
function M.write_in_place(path, pieces)
  local file, message = io.open(path, "wb")
  local ok = file
  if not file then return nil, message end
  for piece in pieces do
    ok, message = file:write(piece)
    if not ok then break end
  end
  if ok then ok, message = core.sync(file) end
  pcall(file.close, file)
  return ok and true or nil, message
end

return M
