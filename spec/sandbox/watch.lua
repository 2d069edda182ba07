-- Ends the server when whoever started it is gone: a test run that was killed leaves nothing behind.
local ffi = require "ffi"

local watch = {}

ffi.cdef [[int kill(int pid, int sig); int getppid(void);]]

local TERM = 15

-- The parent of a process, or nil where /proc does not tell. (The name in the second field may hold anything.)
local function parent_of(pid)
  local file = io.open("/proc/" .. pid .. "/stat")
  if not file then return nil end
  local line = file:read("*a")
  file:close()
  return tonumber(line:match("^.*%) %S (%d+)"))
end

-- A killed process may stay as a zombie, so its child's new parent says more than its pid being there.
local function is_gone(pid, child)
  if ffi.C.kill(pid, 0) ~= 0 then return true end
  local parent = parent_of(child)
  return parent ~= nil and parent ~= pid
end

-- sandbox.sh is gone: nobody else removes its directory.
local function end_alone(settings, master)
  if settings.dir:find("/calira-sandbox.", 1, true) then os.execute("rm -rf '" .. settings.dir .. "'") end
  ffi.C.kill(master, TERM)
end

function watch.start(settings)
  local master = ffi.C.getppid()
  local ending = false
  assert(ngx.timer.every(0.5, function(premature)
    if premature or ending then return end
    if is_gone(settings.pid, master) then
      ending = true
      end_alone(settings, master)
    elseif settings.parent ~= 0 and is_gone(settings.parent, settings.pid) then
      ending = true
      ffi.C.kill(settings.pid, TERM)
    end
  end))
end

return watch
