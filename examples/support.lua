-- What the examples share: lines that are safe for a terminal, and an end without a traceback. It is no part of the library; an example
-- loads it from its own folder.

local calira = require "calira"

local support = {}

--- Writes text to stdout; raises where that fails, as on a full disk.
function support.write(...)
  local ok, message = io.stdout:write(...)
  if not ok then error("the output cannot be written: " .. message, 0) end
end

--- Prints one line by a format. What came from the service is data: control characters in it are shown, not sent to the terminal.
function support.print(format, ...)
  local cells = table.pack(...)
  for i = 1, cells.n do
    if type(cells[i]) ~= "number" then cells[i] = calira.mask(cells[i] == nil and "-" or cells[i]) end
  end
  support.write(format:format(table.unpack(cells, 1, cells.n)), "\n")
end

--- An API time to the minute, in UTC, since offsets differ from record to record; nil where there is none.
function support.minute(text)
  local time = calira.time(text)
  return time and os.date("!%Y-%m-%d %H:%M", math.floor(time))
end

--- Ends the program at once, with a status and a line on stderr.
function support.fail(status, message) error({ status = status, message = message }, 0) end

local function explain(err)
  if type(err) == "table" and err.status and err.message and not calira.is_error(err) then return err.status, err.message end
  if type(err) == "string" and err:find "interrupted!$" then return 130, "interrupted" end -- what lua5.4 raises on Ctrl-C
  return 1, calira.mask(tostring(err):gsub("^calira: ", ""))
end

--- Runs the program and ends with its status: 0, 1 where it failed, 130 on Ctrl-C.
function support.run(program)
  local ok, err = pcall(function()
    program()
    local flushed, message = io.stdout:flush()
    if not flushed then error("the output cannot be written: " .. message, 0) end
  end)
  if ok then return end
  local status, message = explain(err)
  io.stderr:write(arg[0]:match "[^/]*$", ": ", message, "\n")
  os.exit(status, true)
end

return support
