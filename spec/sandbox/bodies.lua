-- Bodies that are not what was asked for: body=KIND or body=KIND:ARGUMENT.
local bit = require "bit"

local bodies = {}

local LOGIN = [[<!DOCTYPE html>
<html><head><title>Sign in</title></head>
<body><form action="/users/sign_in" method="post"><input name="user[email]"><input name="user[password]"></form></body>
</html>
]]

local MIB = 1048576

-- One record with the given members, as a list call or a detail call would send it.
local function record(members)
  return function(call)
    local text = '{"id":12345,' .. members .. "}"
    return call.route.list and "[" .. text .. "]" or text
  end
end

local function little_endian(n, bytes)
  local out = {}
  for i = 1, bytes do
    out[i] = string.char(bit.band(n, 255))
    n = bit.rshift(n, 8)
  end
  return table.concat(out)
end

-- The text in gzip's format, not compressed: deflate's "stored" blocks need no compressor.
local function gzip(text)
  local out = { "\31\139\8\0\0\0\0\0\0\255" }
  for at = 1, math.max(#text, 1), 65535 do
    local part = text:sub(at, at + 65534)
    local last = at + 65535 > #text and "\1" or "\0"
    out[#out + 1] = last .. little_endian(#part, 2) .. little_endian(bit.bnot(#part), 2) .. part
  end
  out[#out + 1] = little_endian(ngx.crc32_long(text), 4) .. little_endian(#text, 4)
  return table.concat(out)
end

-- Each gets the call, the body that was to be sent and the argument; returns the body, or a table to lay over the
-- answer.
local kinds = {
  login = function() return { body = LOGIN, type = "text/html; charset=utf-8" } end,
  empty = function() return "" end,
  object = function(_, body) return '{"data":' .. body .. "}" end,
  notarray = function() return "42" end,
  badjson = function(_, body) return body:sub(1, -10) end,
  nul = function(_, body) return body .. "\0garbage" end,
  ctrl = record('"name":"a\1b"'),
  badutf8 = record('"name":"a\255\254b"'),
  nan = record('"duration":NaN'),
  dup = record('"id":12346'),
  surrogate = record([["name":"\ud800"]]),
  deep = function(_, _, depth) return ("["):rep(depth) .. ("]"):rep(depth) end,
  huge = function(_, _, bytes) return { stream = "x", bytes = tonumber(bytes) } end,
  bomb = function(_, _, mib) return { stream = " ", bytes = mib * MIB, compress = true } end,
  badgzip = function(_, body) return { body = body, encoding = "gzip" } end,
  cutgzip = function(_, body)
    local whole = gzip(body)
    return { body = whole:sub(1, math.floor(#whole / 2)), encoding = "gzip" }
  end,
  encoding = function(_, body, name) return { body = body, encoding = name } end,
}

local numbered = { deep = true, huge = true, bomb = true }

-- Whether there is such a body.
function bodies.known(kind, argument)
  return kinds[kind] and (not numbered[kind] or tonumber(argument)) and (kind ~= "encoding" or argument ~= "")
end

-- Puts the body into the answer; one that is too long to hold goes as `stream`.
function bodies.replace(call, answer, kind, argument)
  local new = kinds[kind](call, answer.body, argument)
  if type(new) == "string" then new = { body = new } end
  answer.body = new.body or ""
  answer.stream, answer.bytes, answer.compress = new.stream, new.bytes, new.compress
  if new.type then answer.headers["Content-Type"] = new.type end
  if new.encoding then answer.headers["Content-Encoding"] = new.encoding end
end

-- Sends a JSON array of one string of so many bytes, a MiB at a time; `compress` lets nginx shrink it whatever the
-- client asked for. A client may hang up in the middle of it; then the write fails before on_abort hears of it.
function bodies.send_stream(call, answer)
  if answer.compress then
    ngx.req.set_header("Accept-Encoding", "gzip")
  else
    ngx.req.clear_header("Accept-Encoding")
  end
  local part = answer.stream:rep(math.min(MIB, answer.bytes))
  ngx.print('["')
  local left = answer.bytes
  while left > 0 do
    ngx.print(part:sub(1, left))
    if not ngx.flush(true) then
      call.aborted = true
      return
    end
    left = left - #part
  end
  ngx.print('"]')
end

return bodies
