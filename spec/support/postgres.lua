--- A PostgreSQL of a spec's own: on a socket in a temporary folder, without TCP, as a user who is not root, stopped by the spec (and by
-- itself within a second or two should the spec's process end without that).

local M = {}

local Server = {}
Server.__index = Server

local function output(command)
  local pipe <close> = assert(io.popen(command .. " 2>&1"))
  local text = pipe:read "a"
  local ok = pipe:close()
  return ok, text
end

--- The folder of the server's programs, which Debian keeps out of the PATH.
local function programs()
  local _, text = output "ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1"
  return (text:gsub("%s+$", ""))
end

--- PostgreSQL refuses to run as root.
local function as_user(command)
  local _, id = output "id -u"
  if tonumber(id) ~= 0 then return command end
  return ("setpriv --reuid=postgres --regid=postgres --clear-groups %s"):format(command)
end

function Server:run(what) return output(as_user(("env LC_ALL=C %s/pg_ctl -D %s/data -w %s"):format(self.bin, self.folder, what))) end

--- Starts one; `server.dsn` is its address.
function M.start()
  local folder = os.tmpname()
  os.remove(folder)
  local server = setmetatable({ folder = folder, bin = programs(), dsn = ("host=%s dbname=postgres user=tester"):format(folder) }, Server)
  assert(os.execute(("mkdir -m 700 %s && { [ $(id -u) != 0 ] || chown postgres %s; }"):format(folder, folder)))
  local ok, text = output(as_user(("env LC_ALL=C %s/initdb -D %s/data -U tester -A trust -N -E UTF8"):format(server.bin, folder)))
  assert(ok, text)
  server:resume()
  -- ends the server when this process is gone; `read` ends with the pipe
  server.watch = assert(io.popen(("read _; %s >/dev/null 2>&1; rm -rf %s"):format(
    as_user(("%s/pg_ctl -D %s/data -m immediate stop"):format(server.bin, folder)), folder), "w"))
  return server
end

--- Starts it again after `pause`.
function Server:resume()
  local settings = ("-c listen_addresses= -c unix_socket_directories=%s -c fsync=off -c max_connections=40"):format(self.folder)
  local ok, text = self:run(("-l %s/log -o '%s' start"):format(self.folder, settings))
  assert(ok, text)
end

--- Stops it for a while; its data stay.
function Server:pause() assert(self:run "-m immediate stop") end

--- Runs SQL: what psql prints.
function Server:sql(text)
  local _, out = output(("%s/psql -X -q -A -t -d '%s' -c \"%s\""):format(self.bin, self.dsn, text))
  return (out:gsub("%s+$", ""))
end

--- Stops it and removes the folder.
function Server:stop() self.watch:close() end

Server.__close = Server.stop

return M
