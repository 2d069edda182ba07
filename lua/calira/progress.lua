--- A progress bar for any list: `for b in progress(calira.bookings{ … }) do … end`.
-- On stderr where that is a terminal; elsewhere the list is handed back as it is. What is printed to the same terminal meanwhile mixes
-- with the bar: send the output to a file. Everything is plain Lua, so a read may wait here wherever it may without the bar.

local core <const> = require "calira.core"

local INTERVAL <const> = 0.1            -- seconds between two drawings
local CELLS <const> = 24                -- width of the bar; the whole line stays under 80 columns
local ERASE <const> = "\r\27[K"

--- `1234567` → `1,234,567`.
local function grouped(count)
  local reversed = tostring(count):reverse():gsub("%d%d%d", "%0,")
  return (reversed:reverse():gsub("^,", ""))
end

--- Seconds as `m:ss` or `h:mm:ss`.
local function clock(seconds)
  local s = math.floor(seconds + 0.5)
  if s < 3600 then return ("%d:%02d"):format(s // 60, s % 60) end
  return ("%d:%02d:%02d"):format(s // 3600, s // 60 % 60, s % 60)
end

--- The share that is done, 0 to 1: of the records where their number is known, else of the lists; nil where neither tells.
local function share(received, total, finished, in_all)
  if total and total > 0 then return math.min(received / total, 1) end
  if in_all and in_all > 1 then return finished / in_all end
end

--- One line of text: bar, counts, rate, time left. `elapsed` is in seconds.
local function line(elapsed, received, total, finished, in_all)
  local done, parts = share(received, total, finished, in_all), {}
  if done then
    local full = math.floor(done * CELLS)
    parts[1] = ("[%s%s] %3d%%"):format(("="):rep(full), (" "):rep(CELLS - full), math.floor(done * 100))
  end
  parts[#parts + 1] = total and grouped(received) .. "/" .. grouped(total) or grouped(received)
  if in_all and in_all > 1 then parts[#parts + 1] = ("list %d/%d"):format(math.min(finished + 1, in_all), in_all) end
  if elapsed > 0 and received > 0 then
    parts[#parts + 1] = ("%s/s"):format(grouped(math.floor(received / elapsed + 0.5)))
    if done and done > 0 then parts[#parts + 1] = clock(elapsed / done * (1 - done)) .. " left" end
  end
  return table.concat(parts, "  ")
end

--- A list with a bar: callable, closable, with every method of the list it wraps.
local function wrap(list)
  local columns = core.columns(2) or 80
  local started, drawn = core.now(), -math.huge

  local function draw()
    local now = core.now()
    if now - drawn < INTERVAL then return end
    drawn = now
    io.stderr:write(ERASE, line(now - started, list:progress()):sub(1, columns - 1))
    io.stderr:flush()
  end

  local function read()
    draw()
    local record, node = list:next()
    if record == nil then io.stderr:write(ERASE) end
    return record, node
  end

  local function close()
    io.stderr:write(ERASE)
    list:close()
  end

  local own = { next = read, close = close }
  return setmetatable({}, {
    __name = "calira.progress",
    __call = read,
    __close = close,
    __tostring = function() return tostring(list) end,
    __index = function(_, name)
      if own[name] then return own[name] end
      local method = list[name]
      return function(_, ...) return method(list, ...) end
    end,
  })
end

--- Wraps a list for a `for` loop and shows how far it is: records, rate and time left, redrawn ten times a second at most.
-- The line is erased when the loop ends, by itself, by `break` or by an error. Reading waits and raises as the list does.
-- Nothing is drawn on a terminal that cannot erase a line: TERM is empty or `dumb`.
---@param list userdata any list of this library; further arguments are ignored, so that a list call can stand inside the brackets
---@return table|userdata list the list, wrapped where stderr is a terminal; then nil, nil, and the same once more, to be closed
return function(list)
  if type(list) ~= "userdata" and type(list) ~= "table" then
    core.raise("argument", ("progress: expected a list, got %s"):format(type(list)))
  end
  local terminal = os.getenv "TERM"
  local draws = core.isatty(2) and terminal and terminal ~= "" and terminal ~= "dumb"
  local wrapped = draws and wrap(list) or list
  return wrapped, nil, nil, wrapped
end
