--- A store of one OAuth grant in a file: mode 0600, locked between processes while a refresh goes on, written whole or not at all.

local core <const> = require "calira.core"

local PAUSE <const> = 0.05 -- seconds between two looks at a lock that another process holds

local NO_SUCH_FILE <const> = 2 -- ENOENT

local Store = { __name = "calira.oauth.file_store" }
Store.__index = Store

--- Makes a store. The folder is made, with mode 0700, when the first grant is saved.
---@param path string
---@return table store `load`, `save`, `lock`, as functions
return function(path)
  if type(path) ~= "string" or path == "" then core.raise("argument", "file_store takes the path of a file") end
  local store = {}

  --- The grant in the file, or nil where there is none. Raises kind `argument` where the file holds something else.
  function store.load()
    local file, message, code = io.open(path, "rb")
    if not file then
      if code == NO_SUCH_FILE then return nil end
      core.raise("argument", ("the grant file cannot be read: %s"):format(message))
    end
    local text = file:read "a"
    file:close()
    local grant = text and core.decode(text)
    if type(grant) ~= "table" then core.raise("argument", ("the grant file %s holds no grant; remove it and consent again"):format(path)) end
    return grant
  end

  --- Writes the grant to a file beside, with mode 0600, and puts that in the place of the old one.
  function store.save(grant)
    local ok, message = core.write_private(path, core.encode(grant))
    if not ok then core.raise("argument", ("the grant file %s cannot be written: %s"):format(path, message)) end
  end

  --- An OS lock, held until it is closed. Waits, without blocking others, for another process's refresh.
  function store.lock()
    while true do
      local lock, message = core.try_lock(path .. ".lock")
      if lock then return lock end
      if lock == nil then core.raise("argument", ("the grant file %s cannot be locked: %s"):format(path, message)) end
      core.sleep(PAUSE)
    end
  end

  return setmetatable(store, Store)
end
