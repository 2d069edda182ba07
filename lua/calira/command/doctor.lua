--- `calira doctor`: looks at everything between this machine and the service, a line each, with what to do about what is wrong.

local calira <const> = require "calira"
local core <const> = require "calira.core"
local environment <const> = require "calira.api.environment"
local profiles <const> = require "calira.command.support.profiles"
local status <const> = require "calira.command.support.status"
local text <const> = require "calira.values.text"

local SKEW <const> = 30 -- seconds that a clock may be off
local SLOW <const> = 5  -- seconds
local WORTH_TELLING <const> = 0.1 -- seconds waited for limits: less is a moment between calls

local MONTHS <const> = {
  Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11, Dec = 12,
}

--- Epoch seconds of an HTTP date (RFC 9110, IMF-fixdate); nil for anything else.
local function http_date(value)
  local day, month, year, clock = (value or ""):match "^%a+, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d:%d%d:%d%d) GMT$"
  return MONTHS[month] and calira.time(("%s-%02d-%sT%sZ"):format(year, MONTHS[month], day, clock))
end

--- What is found, as lines; `wrong` counts.
local Findings = {}
Findings.__index = Findings

function Findings:line(mark, subject, said, advice)
  self.out:write(("%-5s  %-14s  %s%s\n"):format(mark, subject, text.mask(said), advice and "\n" .. (" "):rep(23) .. "→ " .. advice or ""))
  self.out:flush()
end

function Findings:good(subject, said) self:line("ok", subject, said) end
function Findings:note(subject, said, advice) self:line("note", subject, said, advice) end

function Findings:bad(subject, said, advice)
  self.wrong = self.wrong + 1
  self:line("WRONG", subject, said, advice)
end

local ADVICE <const> = {
  network = "is the address right, is there a proxy in the way (https_proxy), does a firewall let it through?",
  timeout = "the service, or a proxy in the way (https_proxy), does not answer in time",
  tls = "is the clock right, are the authorities up to date (apt-get install ca-certificates), does a proxy put a certificate of its own?",
  unauthorized = "run 'calira login', or set CALIRA_TOKEN to a token that is still valid",
  forbidden = "an administrator adds the scope to the application, or approves it; then run 'calira login' again",
  rate_limited = "ask less often, or later",
  redirect = "is the base URL right? It ends in /v1 and is not followed elsewhere",
  decode = "is the base URL right? A login page or a proxy answered",
}

local function advice_of(err)
  return ADVICE[err.kind] or (err.kind == "not_found" and "is the base URL right?") or nil
end

--- A call: the body and the response, or nil and the error.
local function ask(client, path, query)
  local ok, body, response = pcall(function()
    local body, response = client:get(path, query)
    return body, response
  end)
  if ok then return body, response end
  if not core.is_error(body) then error(body, 0) end
  return nil, body
end

-- ── The questions ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local function look_at_library(found)
  local versions = core.versions()
  found:good("calira", ("%s on %s"):format(core.version, _VERSION))
  found:good("libcurl", ("%s, %s%s"):format(versions.libcurl, versions.tls or "no TLS", versions.http2 and ", HTTP/2" or ""))
  local place = versions.authorities
  local file = place and io.open(place)
  if file then
    file:close()
    found:good("authorities", place)
  else
    found:bad("authorities", (place or "none") .. (place and " is not there" or ""), "apt-get install ca-certificates")
  end
end

--- Says who asks, and makes the client; nil where there is none.
local function look_at_identity(found, arguments, context)
  local ok, err = pcall(context.client)
  if not ok then
    local code, message = status.of(err)
    if code == status.interrupted then error(err, 0) end
    local address = message:find "^base_url" or message:find("plain http", 1, true)
    found:bad(address and "service" or "token", message)
    return nil
  end
  local name, profile = profiles.chosen(arguments.profile)
  local from = "CALIRA_TOKEN"
  if name then
    from = ("profile %s of %s"):format(name, profiles.path())
  elseif not environment.variable "CALIRA_TOKEN" then
    from = "the grant in " .. select(2, environment.grant_store())
  end
  found:good("identity", from)
  local base = name and profile.base_url or not name and environment.variable "CALIRA_BASE_URL" or nil
  found:good("service", base or "https://api.clustermarket.com/v1")
  return err
end

local function look_at_clock(found, response)
  local theirs = http_date(response.headers.date)
  if not theirs then return found:note("clock", "the service sends no date to compare with") end
  local skew = os.time() - theirs
  if math.abs(skew) <= SKEW then return found:good("clock", "as the service's") end
  found:bad("clock", ("%d seconds %s the service's"):format(math.abs(skew), skew > 0 and "ahead of" or "behind"),
    "set it (timedatectl set-ntp true): grants seem to expire too early or too late")
end

local PAGING <const> = { "x-total-records", "x-current-page", "x-per-page" }

local function look_at_paging(found, response)
  local missing = {}
  for _, name in ipairs(PAGING) do
    if not response.headers[name] then missing[#missing + 1] = name end
  end
  if #missing == 0 then return found:good("paging", "the service says how many records there are") end
  found:note("paging", "the service does not send " .. table.concat(missing, ", "), "lists are read page by page until one is empty: slower")
end

local function look_at_limits(found, client, response)
  local said = {}
  for name, value in pairs(response.headers) do
    if name:find "ratelimit" then said[#said + 1] = name .. ": " .. value end
  end
  table.sort(said)
  local stats = client:stats()
  local busy <const> = stats.retries > 0 or stats.waited >= WORTH_TELLING
  if busy then
    said[#said + 1] = ("%d of %d calls were tried again, %.1f s were waited"):format(stats.retries, stats.calls, stats.waited)
  end
  if not busy then
    found:good("limits", #said > 0 and table.concat(said, ", ") or "none met, none announced")
  else
    found:note("limits", table.concat(said, ", "), "the service is busy, or was asked too often; calls are tried again by themselves")
  end
end

local SCOPES <const> = {
  { "read_accounts", "/accounts" }, { "read_bookings", "/bookings" }, { "read_equipment", "/equipment" },
  { "read_projects", "/accounts/%s/projects" },
}

--- Asks one record by each scope; the first call tells of the connection and the token. Returns the response of one that was answered.
local function look_at_scopes(found, client)
  local account, answered
  for _, scope in ipairs(SCOPES) do
    local name, path = scope[1], scope[2]
    if path:find "%%s" and not account then
      found:note(name, "not tried: no account is visible to ask the projects of")
    else
      local body, response = ask(client, path:format(account), { per_page = 1 })
      if body then
        answered = answered or response
        local slow = response.elapsed > SLOW and (", but it took %.0f s"):format(response.elapsed) or ""
        found:good(name, "granted" .. slow)
        if name == "read_accounts" and type(body) == "table" and body[1] then account = body[1].id end
      else
        found:bad(name, response.message, advice_of(response))
        if response.kind ~= "forbidden" and response.kind ~= "not_found" then return answered end -- the others would say the same
      end
    end
  end
  return answered
end

local function look_at_labs(found, client)
  local ok, tree, missing = pcall(function()
    local tree = client:tree()
    return tree, tree:missing()
  end)
  if not ok then
    if not core.is_error(tree) then error(tree, 0) end
    return tree.kind ~= "forbidden" and found:bad("labs", tree.message, advice_of(tree)) -- the scope has its own line
  end
  local labs = #tree:labs()
  if labs == 0 then
    found:bad("labs", "none is visible", "run 'calira login' and pick labs when you consent")
  else
    found:good("labs", ("%d visible"):format(labs))
  end
  if #missing == 0 then return end
  local names = {}
  for i = 1, math.min(#missing, 5) do names[i] = ("%s (%s)"):format(missing[i].name or "?", missing[i].id) end
  if #missing > #names then names[#names + 1] = ("%d more"):format(#missing - #names) end
  found:note("labs", ("%d not visible: %s"):format(#missing, table.concat(names, ", ")),
    "where they should be: run 'calira login' and pick them when you consent; 'calira tree --missing' names all")
end

return {
  summary = "Look for what is wrong between this machine and the service.",
  description = "Looks at libcurl, TLS and its authorities, the clock, the token and its scopes, the labs, paging and limits: a line each, "
    .. "with what to do. Makes about ten calls. Ends with status 1 if something is wrong.",
  define = function() end,
  run = function(arguments, context)
    local found = setmetatable({ out = context.out, wrong = 0 }, Findings)
    look_at_library(found)
    local client = look_at_identity(found, arguments, context)
    local response = client and look_at_scopes(found, client)
    if response then
      look_at_clock(found, response)
      look_at_paging(found, response)
      look_at_labs(found, client)
      look_at_limits(found, client, response)
    end
    local said = found.wrong == 0 and "Nothing is wrong." or found.wrong == 1 and "One thing is wrong."
    context.out:write(said or ("%d things are wrong."):format(found.wrong), "\n")
    return found.wrong == 0 and status.right or status.failed
  end,
}
