--- A server that a spec scripts itself, for what the stand-in of the service does not do: echo tokens, be a proxy, be another host. It
-- is a process of its own (lua-cqueues) that answers each request with what a function of the spec's returns, and keeps the requests.

local M = {}

local Server = {}
Server.__index = Server

local SCRIPT <const> = [=[
local cqueues, socket = require "cqueues", require "cqueues.socket"
local host, answer = arg[1], load(arg[2], "=answer")()
local log, loop = {}, cqueues.new()
local listening = socket.listen { host = host, port = 0 }
listening:listen()
local _, _, port = listening:localname()
io.stdout:write(port, "\n")
io.stdout:flush()

local function head_of(con)
  local first = con:read(1)
  if first == "\22" then return first .. (con:read(-65536) or "") end -- TLS: no lines
  if first then con:unget(first) end
  local lines = {}
  repeat
    local line = con:read "*l"
    lines[#lines + 1] = line
  until not line or line == "" or line == "\r"
  return table.concat(lines, "\n")
end

local function serve(con)
  con:setmode("b", "bf")
  con:onerror(function(_, _, code) return code end)
  local head = head_of(con)
  if head:find "^GET /__quit " then os.exit(0, true) end
  local reply
  if head:find "^GET /__log " then
    reply = table.concat(log, "\n\n")
    reply = ("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"):format(#reply, reply)
  else
    local length = tonumber(head:lower():match "content%-length: *(%d+)") or 0
    local body = length > 0 and con:read(length) or ""
    log[#log + 1] = head .. body
    reply = answer(head, body, #log)
  end
  if reply then con:write(reply) end
  con:flush()
  con:close()
end

loop:wrap(function()
  for con in listening:clients() do loop:wrap(serve, con) end
end)
loop:wrap(function()
  cqueues.sleep(120) -- should nobody end it
  os.exit(0)
end)
assert(loop:loop())
]=]

--- Starts one. `answer`: the text of a Lua chunk that returns function(head, body, number) → the whole reply, or nil to hang up.
---@param host string? an address of this machine
function M.start(answer, host)
  host = host or "127.0.0.1"
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "w"))
  file:write(SCRIPT)
  file:flush()
  -- a Lua without a sanitizer, and none of the environment's proxies
  local quoted = answer:gsub("'", [['\'']])
  local pipe = assert(io.popen(("PATH=/usr/local/bin:/usr/bin:/bin exec lua5.4 %s %s '%s'"):format(path, host, quoted)))
  local port = assert(tonumber(pipe:read "l"), "the server did not start")
  os.remove(path)
  return setmetatable({ pipe = pipe, host = host, port = port, origin = ("http://%s:%d"):format(host, port) }, Server)
end

--- A reply: status, body, further header fields.
function M.reply(status, body, fields)
  local text = ("HTTP/1.1 %s\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n%s\\r\\n%s")
    :format(status, #body, fields or "", body)
  return ('return function() return "%s" end'):format((text:gsub('"', '\\"')))
end

--- Everything that was asked of it so far.
function Server:log()
  local pipe <close> = assert(io.popen(("curl -s --noproxy '*' %s/__log"):format(self.origin)))
  return pipe:read "a"
end

function Server:stop()
  os.execute(("curl -s --noproxy '*' %s/__quit"):format(self.origin))
  self.pipe:close()
end

Server.__close = Server.stop

return M
