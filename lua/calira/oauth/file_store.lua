--- A store of one OAuth grant in a file: mode 0600, locked between processes while a refresh goes on, written whole or not at all.

local core <const> = require "calira.core"
local endpoint <const> = require "calira.oauth.endpoint"

local PAUSE <const> = 0.05 -- seconds between two looks at a lock that another process holds

local NO_SUCH_FILE <const>, NO_SUCH_FOLDER <const> = 2, 20 -- ENOENT, ENOTDIR

local NAME <const> = "calira.oauth.file_store"

--- Content and nil, or nil, a message and a code.
local function read(path)
  local file <close>, message, code = io.open(path, "rb")
  if not file then return nil, message, code end
  return file:read "a"
end

--- The grant in a text, or nil.
local function grant_in(text)
  local grant = text and core.decode(text)
  return type(grant) == "table" and grant or nil
end

--- The grant in what was written beside a file that cannot be replaced, if that was cut short: then the copy is newer, or the file is torn.
local function copied(path, grant)
  local copy = path .. ".copy"
  local text = read(copy)
  if text and (not grant or (core.modified(copy) or 0) > (core.modified(path) or 0)) then return grant_in(text) end
end

--- Makes a store. The folder is made, with mode 0700, when the first grant is saved. A symbolic link is followed, for the lock too.
---@param path string
---@return table store `load`, `save`, `lock`, `check`, as functions; `advice`: what messages say to do about a grant that is no good
return function(path)
  if type(path) ~= "string" or path == "" then core.raise("argument", "file_store takes the path of a file") end
  local store = {}

  local function raise(what, message) core.raise("argument", ("the grant file %s %s: %s"):format(path, what, message)) end

  --- Where the file really is.
  local function target()
    local followed, message = core.follow_link(path)
    return followed or raise("cannot be found", message)
  end

  --- The grant in the file, or nil where there is none. Raises kind `argument` where the file holds something else.
  function store.load()
    local at = target()
    local text, message, code = read(at)
    if not text then
      if code == NO_SUCH_FILE or code == NO_SUCH_FOLDER then return nil end
      raise("cannot be read", message)
    end
    local grant = grant_in(text)
    grant = copied(at, grant) or grant
    return grant or raise("holds no grant", "remove it and " .. (store.advice or endpoint.CONSENT))
  end

  --- Writes the grant to a file beside, with mode 0600, and puts that in the place of the old one; where that cannot be (it is a mount
  -- point), the file beside stays as a copy, and the old one is overwritten.
  function store.save(grant)
    local ok, message = core.write_private(target(), core.encode(grant))
    if not ok then raise("cannot be written", message) end
  end

  --- Whether `save` would do: true, or false and a message.
  function store.check()
    local ok, message = core.check_private(target())
    if ok then return true end
    return false, ("the grant file %s cannot be written: %s"):format(path, message)
  end

  --- An OS lock, held until it is closed. Waits, without blocking others, for another process's refresh.
  function store.lock()
    while true do
      local lock, message = core.try_lock(target() .. ".lock")
      if lock then return lock end
      if lock == nil then raise("cannot be locked", message) end
      core.sleep(PAUSE)
    end
  end

  return setmetatable(store, { __name = NAME, __tostring = function() return ("%s (%s)"):format(NAME, path) end })
end
