--- The token endpoint (RFC 6749, sections 4.1.3, 5 and 6): what is posted to it, and what its answers mean.

local core <const> = require "calira.core"

local M = {}

--- Calira's own service: the API, where an administrator consents, and where tokens are given.
M.BASE_URL = "https://api.clustermarket.com/v1"
M.AUTHORIZE_URL = "https://app.clustermarket.com/oauth/authorize"
M.TOKEN_URL = "https://app.clustermarket.com/oauth/token"

--- What to do about a grant that is no good, where its store has no advice of its own.
M.CONSENT = "consent again: open calira.oauth.authorize_url{…}, and pass the code to calira.oauth.exchange{…}"

-- ── Forms and addresses ───────────────────────────────────────────────────────────────────────────────────────────────────────────

local function encode(text)
  return (text:gsub("[^%w%-._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

--- A table of fields as an encoded form, sorted by name.
function M.form(fields)
  local names, parts = {}, {}
  for name in pairs(fields) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do parts[i] = encode(name) .. "=" .. encode(tostring(fields[name])) end
  return table.concat(parts, "&")
end

--- Whether two addresses are the same but for the letters' case in scheme and host, and a slash at the end.
function M.same(one, other)
  local function plain(url)
    return (url:gsub("^%a[%w+.-]*://[^/]*", string.lower):gsub("/+$", ""))
  end
  return plain(one) == plain(other)
end

--- The trace of a client, told of the posts to its token endpoint too.
local function trace_of(like)
  local trace = like.trace
  return trace and function(event)
    if event.method then event.method = "POST" end
    trace(event)
  end
end

--- The options of a client that have to do with connecting, for another client of the core.
function M.connecting(like)
  return {
    user_agent = like.user_agent or "calira/" .. core.version, allow_http = like.allow_http, backoff_base = like.backoff_base,
    backoff_max = like.backoff_max, max_wait = like.max_wait, timeout = like.timeout, connect_timeout = like.connect_timeout,
    ca_file = like.ca_file, ca_path = like.ca_path, insecure = like.insecure, proxy = like.proxy,
  }
end

--- A client of the core for the token endpoint: it sends no bearer token, over https or to this host only, with the connection options of
-- the client that it serves. Returns it and the path; raises kind `argument` for an address that cannot be used.
---@param url string
---@param like table options of the client that it serves
function M.open(url, like)
  local base, path = url:match "^(%a[%w+.-]*://[^/?#]*)(/[^?#]*)$"
  if not base then core.raise("argument", "token_url cannot be used: it takes an address with a path, without query and fragment") end
  local checked = M.connecting(like)
  checked.base_url, checked.carries_secrets, checked.trace, checked.retries = base, true, trace_of(like), like.retries
  local ok, client = pcall(core.client, checked)
  if ok then return client, path end
  if core.is_error(client) then core.raise(client.kind, (client.message:gsub("^base_url", "token_url"))) end
  error(client, 0)
end

-- ── Answers ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local SECRETS <const> = { "refresh_token", "client_secret", "code", "code_verifier" }
local LEAST <const>, SHORT <const> = 4, 12 -- bytes of a secret: below, it is found everywhere; below, only as a word of its own
local MOST_WORDS <const> = 500             -- bytes of a server's words that are shown

--- A text from the endpoint that may be shown: without what was sent to it, should it echo that, and without control characters.
local function cleaned(text, fields)
  for _, name in ipairs(SECRETS) do
    local sent = fields[name]
    for _, secret in ipairs(sent and #sent >= LEAST and { sent, encode(sent) } or {}) do
      local pattern = secret:gsub("%W", "%%%0")
      if #secret < SHORT then pattern = "%f[%w_]" .. pattern .. "%f[^%w_]" end
      text = text:gsub(pattern, "***")
    end
  end
  return (text:sub(1, MOST_WORDS):gsub("%c", " "))
end

--- OAuth's name for what is wrong (RFC 6749, 5.2) and the server's words, of a decoded answer.
local function said_in(answer)
  if type(answer) ~= "table" or type(answer.error) ~= "string" then return nil, nil end
  local words = answer.error_description
  return answer.error, type(words) == "string" and words or answer.error
end

--- Whether the grant itself is no good: the endpoint says so, or refuses without a reason.
local function is_dead(code) return code == "invalid_grant" or code == nil end

local MEANINGS <const> = {
  invalid_client = { "the application was not accepted: ", "; check client_id and client_secret" },
  other = { "the token endpoint refused the request: ", "" },
}

--- The error of a refusal.
local function refused(code, words, advice, fields)
  local meaning = is_dead(code) and { "the grant is not valid any more: ", "; " .. advice } or MEANINGS[code] or MEANINGS.other
  return core.failure("unauthorized", meaning[1] .. words .. meaning[2], fields)
end

--- The error that a post ended with, as it may be shown; second, whether it says that the grant is no good.
local function failure_of(err, post)
  local code = said_in(err.body and core.decode(err.body))
  err.body = nil
  err.message = cleaned(err.message, post.fields)
  err.request_id = err.request_id and cleaned(err.request_id, post.fields)
  if err.status ~= 400 and err.status ~= 401 then return err, false end
  return refused(code, err.message, post.advice, {
    status = err.status, path = err.path, method = err.method, request_id = err.request_id, attempts = err.attempts,
  }), is_dead(code)
end

--- The same of an answer that counts as a success and is none.
local function no_grant(answer, post)
  local code, words = said_in(answer)
  local where = { path = post.path, method = "POST" }
  if code then return refused(code, cleaned(words, post.fields), post.advice, where), is_dead(code) end
  return core.failure("decode", "the token endpoint's answer has no access_token", where), false
end

-- ── Asking ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Posts a form to the token endpoint, without waiting. Where an answer is lost the old refresh token may be dead: it tries again as calls
-- do. `advice`: what a person should do when the grant is no good.
---@return table post for `M.finish`
function M.start(url, like, fields, advice)
  local client, path = M.open(url, like)
  return { client = client, path = path, fields = fields, advice = advice, request = core.post(client, path, M.form(fields)) }
end

--- Waits for the answer. An error that is not the library's own, such as an interrupt, passes through, and the post is still on its way;
-- else `post.over` is set.
---@return table? answer the endpoint's, decoded
---@return table? err the error object
---@return boolean? dead whether the grant is no good
function M.finish(post)
  local ok, answer = pcall(post.request.wait, post.request)
  if not ok and not core.is_error(answer) then error(answer, 0) end
  post.over = true
  post.client:close()
  if not ok then return nil, failure_of(answer, post) end
  local token = answer.access_token
  if type(token) ~= "string" or token == "" then return nil, no_grant(answer, post) end
  return answer
end

return M
