--- What all commands have in common: help, usage, statuses, output that ends early, the manual page and the completions.

local command = require "spec.support.command"
local helper = require "spec.support.helper"

local function commands_of(help)
  local names = {}
  for line in help:match "Commands:\n(.-)\n\n":gmatch "[^\n]+" do names[#names + 1] = line:match "^   ([%w-]+)" end
  return names
end

describe("calira", function()
  it("has help everywhere, and says what it is", function()
    local help = command.out "--help"
    local names = commands_of(help)
    assert.is_true(#names >= 12)
    for _, name in ipairs(names) do
      local own = command.out(name .. " --help")
      assert.matches("Usage: calira " .. name, own, 1, true)
      assert.matches("--profile", own, 1, true)
      assert.equal(own, command.out(name .. " -h --whatever=1 --limit x"))
      for line in own:gmatch "[^\n]+" do assert.is_true(#line <= 100, line) end
    end
    assert.equal("calira 0.1.0\n", (command.out "--version"))
  end)

  it("has the help of all commands where no command stands first", function()
    for _, line in ipairs { "-h bookings", "--help bookings", "--help" } do
      assert.matches("\n   watch ", command.out(line), 1, true)
    end
    for _, line in ipairs { "bookings -h", "--profile=x bookings --help", "--profile tree bookings --help" } do
      assert.matches("^Usage: calira bookings ", (command.out(line)))
    end
  end)

  it("ends with 2 for wrong usage, with a line on stderr", function()
    for _, line in ipairs {
      "nix", "bookings --limit x", "bookings --limti 1", "booking", "bookings --lab 1 --under 2", "bookings --format xml",
      "equipment --format ics", "bookings --month 2026-13", "bookings --from 2026-02-30", "bookings --from gestern",
      "bookings --month 2026-01 --to today", "bookings --from tomorrow --to today", "bookings --where status",
      "bookings --tz Mars/Olympus --month 2026-01",
      "completion tcsh", "get", "bookings --fields ,", "booking ../accounts", "--profile", "tree --profile nobody",
    } do
      local out, err, status = command.run(line)
      assert.equal(2, status, line .. ": " .. err)
      assert.equal("", out)
      assert.matches("^calira: [^\n]+\n$", err)
    end
    local out, err, status = command.run ""
    assert.equal(2, status)
    assert.equal("", out)
    assert.matches("Commands:", err, 1, true)
  end)

  it("ends with 4 where it is not authorised, and with 1 where it failed", function()
    local cases = {
      { "tree", { CALIRA_TOKEN = "" }, 4, "run 'calira login'" }, { "tree", { CALIRA_TOKEN = "expired-1" }, 4, "expired" },
      { "bookings --lab 102", { CALIRA_TOKEN = "sandbox-token:read_accounts" }, 4, "read_bookings" },
      { "booking 77777777", {}, 1, "404" }, { "bookings --lab Optiks", {}, 1, "nearest: University of Cambridge / Faculty of Physics / Optics" },
      { "bookings --lab Optics", {}, 1, "2 accounts are called" }, { "bookings --lab 4711", {}, 1, "4711" },
      { "bookings --lab 201", {}, 2, "--under" }, { "get /nix", {}, 1, "404" },
    }
    for _, case in ipairs(cases) do
      local out, err, status = command.run(case[1], { env = case[2] })
      assert.equal(case[3], status, case[1])
      assert.matches(case[4], err, 1, true)
      assert.equal("", out)
      assert.is_nil(err:find "traceback" or err:find "bin/calira:")
    end
  end)

  it("asks by id with a token that may not read accounts", function()
    local out = command.out("bookings --lab 102 --limit 1 --format csv", { env = { CALIRA_TOKEN = "sandbox-token:read_bookings" } })
    assert.matches("\n12345,", out, 1, true)
  end)

  it("ends with 3 where a list may be incomplete, and prints what came", function()
    local out, err, status = command.run("bookings --lab 102 --format json", { scenario = "ignorepage=1" })
    assert.equal(3, status)
    assert.matches("possibly incomplete: .- of 250 records may be missing", err)
    assert.matches("^%[.*%]\n$", out)
    assert.equal(100, select(2, out:gsub('"start_time":', "")))
  end)

  it("prints what came of a list of accounts that may lack some, and says so", function()
    local scenario = { scenario = "ignorepage=1;accounts=150" }
    for _, line in ipairs { "tree", "tree --format json", "bookings --under 211", "report idle --under 211 --month 2024-01", "metrics" } do
      local out, err, status = command.run(line, scenario)
      assert.equal(3, status, line)
      assert.matches("calira: possibly incomplete: GET /accounts: .-50 of 150 records may be missing\n", err)
      assert.is_true(#out > 100, line)
    end
    local out, err, status = command.run("bookings --lab 102", { scenario = "ignorepage=1;accounts=150;labs=102;bookings=90" })
    assert.same({ 0, "", 91 }, { status, err, select(2, out:gsub("\n", "")) }, "the list itself was read in whole")
  end)

  it("closes no array where a page failed", function()
    local out, err, status = command.run("bookings --lab 102 --format json", { scenario = "failpage=400:2" })
    assert.equal(1, status)
    assert.matches("page 2", err, 1, true)
    assert.equal(100, select(2, out:gsub('"start_time":', "")))
    assert.is_nil(out:find "%]\n$")
    local rows = command.run("bookings --lab 102", { scenario = "failpage=400:2" })
    assert.equal(101, select(2, rows:gsub("\n", "")))
  end)

  it("ends quietly where its reader has gone", function()
    local many = command.line "bookings --lab 102 --format csv"
    local out, err, status = command.shell(many .. " | head -n 2", { scenario = "bookings=3000" })
    assert.equal(0, status)
    assert.equal("", err)
    assert.equal(2, select(2, out:gsub("\n", "")))
    -- where SIGPIPE is ignored, as in a service
    out, err = command.shell("trap '' PIPE; { " .. many .. "; echo $? >&2; } | head -n 1", { scenario = "bookings=3000" })
    assert.equal("0\n", err)
    assert.equal(1, select(2, out:gsub("\n", "")))
  end)

  it("fails where its output cannot be written", function()
    for _, line in ipairs { "--help", "--version", "tree", "booking 12345", "bookings --lab 102", "bookings --lab 102 --format csv", "man" } do
      local _, err, status = command.shell(command.line(line) .. " >/dev/full")
      assert.equal(1, status, line)
      assert.equal("calira: the output cannot be written: No space left on device\n", err)
    end
  end)

  it("ends with 130 and without a traceback on Ctrl-C", function()
    local id = helper.id()
    local out, err = os.tmpname(), os.tmpname()
    local pipe = assert(io.popen(("CALIRA_BASE_URL='%s' lua5.4 bin/calira tree >%s 2>%s & echo $!; wait $!; echo $?")
      :format(helper.url("silence=1", id), out, err)))
    local pid = pipe:read "l"
    local late = helper.now() + 20
    repeat os.execute "sleep 0.05" until helper.stats(id).in_flight > 0 or helper.now() > late
    os.execute("kill -INT " .. pid)
    assert.equal("130", pipe:read "l")
    pipe:close()
    local said <close> = io.open(err)
    assert.equal("calira: interrupted\n", said:read "a")
    os.remove(out)
    os.remove(err)
  end)

  it("installs a manual page and completions that are as the help", function()
    for path, line in pairs {
      ["share/man/man1/calira.1"] = "man", ["share/bash-completion/completions/calira"] = "completion bash",
      ["share/zsh/site-functions/_calira"] = "completion zsh", ["share/fish/vendor_completions.d/calira.fish"] = "completion fish",
    } do
      local file <close> = assert(io.open(path))
      assert.is_true(file:read "a" == command.out(line), path .. " is older than the descriptions: sh spec/one.sh share/generate.sh")
    end
    local page = command.out "man"
    for _, name in ipairs(commands_of(command.out "--help")) do assert.matches(".SS " .. name .. "\n", page, 1, true) end
    assert.equal("", (command.shell("PATH=/usr/bin:/bin man -l --warnings -E UTF-8 -Tutf8 share/man/man1/calira.1 2>&1 >/dev/null")))
  end)

  it("completes in bash", function()
    local function completed(...)
      local words = { ... }
      local line = ("source share/bash-completion/completions/calira; COMP_WORDS=(%s); COMP_CWORD=%d; _calira; echo \"${COMPREPLY[*]}\"")
        :format(table.concat(words, " "), #words - 1)
      return (command.shell("bash -c " .. command.quoted(line)):gsub("%s+$", ""))
    end
    assert.equal("bookings booking", completed("calira", "book"))
    assert.equal("--status", completed("calira", "bookings", "--st"))
    assert.equal("csv", completed("calira", "bookings", "--format", "c"))
    assert.equal("utilisation funding idle check", completed("calira", "report", "''"))
    assert.equal("fish", completed("calira", "completion", "f"))
    assert.equal("--tz", completed("calira", "report", "--tz"))
  end)
end)

describe("calira doctor", function()
  it("finds nothing wrong where nothing is", function()
    local out = command.out "doctor"
    assert.matches("Nothing is wrong", out, 1, true)
    for subject in ("libcurl authorities read_accounts read_bookings read_equipment read_projects clock paging labs limits"):gmatch "%S+" do
      assert.matches("\nok +" .. subject, out)
    end
    assert.is_nil(out:find "WRONG")
    local version <close> = io.popen "curl-config --version"
    assert.matches((version:read "l"):match "[%d.]+", out, 1, true)
  end)

  it("says what is wrong, and what to do", function()
    local cases = {
      { "dateskew=400", {}, "WRONG  clock .-400 seconds behind.-→ set it" },
      { "dateskew=-400", {}, "WRONG  clock .-400 seconds ahead of" },
      { "", { CALIRA_TOKEN = "sandbox-token:read_accounts,read_bookings" }, "WRONG  read_equipment .-→ .-WRONG  read_projects" },
      { "", { CALIRA_TOKEN = "expired-1" }, "WRONG  read_accounts .-expired.-→ run 'calira login'" },
      { "", { CALIRA_TOKEN = "" }, "WRONG  token .-run 'calira login'" },
      { "", { CALIRA_BASE_URL = "ftp://example.org/v1" }, "WRONG  service +base_url cannot be used" },
      { "", { CALIRA_BASE_URL = "http://example.org/v1" }, "WRONG  service .-plain http" },
      { "", { CALIRA_BASE_URL = "http://127.0.0.1:1/v1" }, "WRONG  read_accounts .-connect.-→ is the address right" },
      { "", { CALIRA_BASE_URL = helper.tls .. "/v1" }, "WRONG  read_accounts .-certificate.-→ is the clock right" },
      { "body=login", {}, "WRONG  read_accounts .-→ is the base URL right" },
      { "labs=;", {}, "WRONG  labs " },
    }
    for _, case in ipairs(cases) do
      local out, err, status = command.run("doctor", { scenario = case[1]:gsub("=;$", "=1"), env = case[2] })
      assert.equal(1, status, case[1])
      assert.matches(case[3], out)
      assert.equal("", err)
    end
  end)

  it("notes what is odd but not wrong", function()
    local out = command.out("doctor", { scenario = "labs=101,102;total=none;firstfail=429:1;retry_after=0" })
    assert.matches("ok +labs +2 visible", out)
    assert.matches("note +labs +25 not visible: .-20 more", out)
    assert.matches("note +paging +.-x%-total%-records\n", out)
    assert.matches("note +limits +1 of %d+ calls were tried again", out)
  end)
end)
