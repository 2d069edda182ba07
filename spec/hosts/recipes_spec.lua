--- examples/hosts: each recipe under the real program. A server has to answer others while one of its calls gets no answer.

local helper = require "spec.support.helper"
local socket = require "cqueues.socket"

local ROOT <const> = assert(io.popen("pwd"):read "l")

local function quoted(text) return "'" .. tostring(text):gsub("'", "'\\''") .. "'" end

local function output(command, ...)
  local pipe <close> = assert(io.popen(command:format(...)))
  return pipe:read "a"
end

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
end

--- A folder for sockets, settings and logs, removed at the end.
local Folder = {}
function Folder:__close() os.execute("rm -rf " .. self.path) end
local function folder() return setmetatable({ path = output("mktemp -d"):match "%S+" }, Folder) end

--- A program that runs until the block is left. `stdout`: what it prints.
local Program = {}
Program.__index = Program
function Program:__close()
  os.execute(("kill %d 2>/dev/null"):format(self.pid))
  self.stdout:close()
end

local function start(command, ...)
  local stdout = assert(io.popen("echo $$; exec " .. command:format(...)))
  return setmetatable({ stdout = stdout, pid = math.tointeger(stdout:read "l") }, Program)
end

--- What `attempt` gives, tried again until it gives something; fails after 20 seconds.
local function eventually(attempt)
  local late <const> = helper.now() + 20
  while true do
    local result = attempt()
    if result then return result end
    assert(helper.now() < late, "it did not happen")
    os.execute "sleep 0.02"
  end
end

describe("a server that looks up a booking for each line,", function()
  --- Starts one; returns it, and a function that makes connections.
  local function server(name, scenario, id)
    local program = start("env CALIRA_BASE_URL=%s CALIRA_TOKEN=%s lua5.4 examples/hosts/%s.lua",
      quoted(helper.url(scenario, id)), helper.token, name)
    local port = assert(tonumber(program.stdout:read "l":match "^port%s+(%d+)$"))
    return program, function()
      local con = socket.connect("127.0.0.1", port)
      con:settimeout(20)
      assert(con:connect(20))
      return con
    end
  end

  for _, name in ipairs { "copas_server", "cqueues_server", "luv_server" } do
    it(name .. " serves several at once", function()
      local program <close>, connect = server(name, "latency=5")
      local connections = { connect(), connect(), connect() }
      for round = 0, 9 do
        for i, con in ipairs(connections) do assert(con:write(("%d\n"):format(12345 + 3 * round + i - 1))) end
        for i, con in ipairs(connections) do
          local line = con:read "*l"
          assert.equal(12345 + 3 * round + i - 1, tonumber(line:match "^%d+"), line)
        end
      end
      connections[1]:write "12345\nnonsense\n7\n"
      local lines = { connections[1]:read "*l", connections[1]:read "*l", connections[1]:read "*l" }
      table.sort(lines) -- luv's may come in another order
      assert.equal("12345 Confirmed Advanced Microscope", lines[1])
      assert.matches("^error: calira: GET /bookings/7: 404: ", lines[2])
      assert.equal("error: not an id", lines[3])
      for _, con in ipairs(connections) do con:close() end
      assert.is_true(program.pid > 0)
    end)

    it(name .. " goes on while calls get no answer", function()
      local id = helper.id()
      local program <close>, connect = server(name, "silence=1", id)
      local waiting = {}
      for i = 1, 3 do
        waiting[i] = connect()
        waiting[i]:write(12344 + i, "\n")
      end
      eventually(function() return helper.stats(id).in_flight == 3 end)
      local other = connect()
      for _ = 1, 20 do
        other:write "ping\n"
        assert.equal("pong", other:read "*l")
      end
      for _, con in ipairs(waiting) do con:close() end
      other:close()
      assert.is_true(program.pid > 0)
    end)
  end
end)

describe("a page of a web server", function()
  it("is made by a process of CGI, under nginx with fcgiwrap", function()
    local place <close> = folder()
    local params = {}
    for name, value in pairs { CALIRA_BASE_URL = helper.url "labs=101,102,103", CALIRA_TOKEN = helper.token,
      LUA_PATH = os.getenv "LUA_PATH", LUA_CPATH = os.getenv "LUA_CPATH" } do
      params[#params + 1] = ('fastcgi_param %s "%s";\n'):format(name, value)
    end
    write(place.path .. "/params", table.concat(params))
    local recipe <close> = assert(io.open "examples/hosts/nginx.conf")
    local location = recipe:read "a":gsub("/etc/nginx/calira_params", place.path .. "/params")
      :gsub("/usr/lib/cgi%-bin", ROOT .. "/examples/hosts"):gsub("/run/fcgiwrap.socket", place.path .. "/cgi.sock")
    write(place.path .. "/conf", ([[
      daemon off; master_process off; pid P/pid; error_log P/log;
      events {}
      http {
        access_log off; client_body_temp_path P/body; proxy_temp_path P/proxy; fastcgi_temp_path P/fastcgi;
        uwsgi_temp_path P/uwsgi; scgi_temp_path P/scgi;
        server { listen unix:P/http.sock; ]] .. location .. "}}\n"):gsub("%f[%w]P/", place.path .. "/"))
    local wrap <close> = start("fcgiwrap -s unix:%s/cgi.sock 2>%s/cgi.log", place.path, place.path)
    local nginx <close> = start("nginx -e %s/log -p %s -c conf", place.path, place.path)
    local function get(query)
      return output("curl -s --noproxy '*' -w ' %%{http_code}' --unix-socket %s/http.sock 'http://localhost/bookings%s'", place.path, query)
    end
    eventually(function() return get "":find " 200$" or get "":find " [45]%d%d$" end)
    local page = get ""
    assert.matches(" 200$", page)
    for _, count in ipairs { 320, 250, 140 } do assert.matches('"bookings":' .. count .. "%f[%D]", page) end
    assert.matches('^%[{[^}]*"bookings":250[^}]*}%]\n 200$', get "?under=Equipment+Sharing+Lab")
    assert.matches("no such place.* 404$", get "?under=no%20such%20place")
    assert.is_true(wrap.pid ~= nginx.pid)
  end)
end)

describe("GNU parallel", function()
  local function run(scenario)
    local out = output("CALIRA_BASE_URL=%s CALIRA_TOKEN=%s sh examples/hosts/parallel.sh 2 2>&1; echo status $?",
      quoted(helper.url(scenario)), helper.token)
    local lines = {}
    for line in out:gmatch "[^\n]+" do lines[#lines + 1] = line end
    return table.remove(lines), lines
  end

  it("reads labs in several processes", function()
    local status, lines = run "labs=101,102,103"
    table.sort(lines)
    assert.same({ "101\t320", "102\t250", "103\t140" }, lines)
    assert.equal("status 0", status)
  end)

  it("ends where a lab fails", function()
    local status, lines = run "labs=101,102,103;failpath=403:bookings"
    assert.not_equal("status 0", status)
    assert.matches("403", table.concat(lines))
  end)
end)

describe("Prosody", function()
  --- Starts it; returns the program and a function that gets a path of its HTTP server, or curl's words for that.
  local function prosody(place, url)
    local free = socket.listen { host = "127.0.0.1", port = 0 }
    free:listen()
    local _, _, port = free:localname()
    free:close()
    write(place.path .. "/prosody.cfg.lua", ([[
      run_as_root = true
      data_path = %q
      plugin_paths = { %q }
      modules_enabled = { "http", "calira_lookup" }
      modules_disabled = { "c2s", "s2s", "offline" }
      http_interfaces, http_ports, https_ports = { "127.0.0.1" }, { %d }, {}
      calira_base_url, calira_token = %q, %q
      log = { warn = "*stdout" }
      VirtualHost "localhost"
    ]]):format(place.path, ROOT .. "/examples/hosts", port, url, helper.token))
    local program = start("lua5.4 /usr/bin/prosody -F --config %s/prosody.cfg.lua >%s/log 2>&1", place.path, place.path)
    local function get(path, words)
      local request = ("-s --noproxy '*' --max-time 20 -H 'Host: localhost' http://127.0.0.1:%d/calira_lookup/%s"):format(port, path)
      return words and request or output("curl %s", request)
    end
    return program, get
  end

  --- The same, where nobody else took the port in between.
  local function running(place, url)
    for _ = 1, 5 do
      local program, get = prosody(place, url)
      local late <const> = helper.now() + 10
      while helper.now() < late do
        if get "ping" == "pong\n" then return program, get end
        os.execute "sleep 0.05"
      end
      Program.__close(program)
    end
    error(output("cat %s/log", place.path))
  end

  it("serves chat and answers, also while calls get no answer", function()
    local place <close> = folder()
    do
      local program <close>, get = running(place, helper.url "latency=5")
      assert.equal("12345 Confirmed\n", get "12345")
      assert.equal("12346 Pending\n", get "12346")
      assert.matches("404", get "7")
      assert.is_true(program.pid > 0)
    end
    local id = helper.id()
    local program <close>, get = running(place, helper.url("silence=1", id))
    local waiting <close> = start("curl %s", get("12345", true))
    eventually(function() return helper.stats(id).in_flight == 1 end)
    for _ = 1, 5 do assert.equal("pong\n", get "ping") end
    assert.is_true(program.pid ~= waiting.pid)
  end)
end)
