--- The token of a client with an `oauth` option: its grant is loaded, refreshed when it expires, and saved. CONTRACT section 3.
-- A refresh kills the old refresh token (Doorkeeper rotates them), so it is an irreversible step: one at a time, only where the new grant
-- can be saved, saved before it is used, and kept here until it is.

local core <const> = require "calira.core"
local endpoint <const> = require "calira.oauth.endpoint"
local grants <const> = require "calira.oauth.grants"
local options <const> = require "calira.values.options"

local M = {}

local MOMENT <const> = 5        -- seconds for which a token counts as issued a moment ago
local PAUSES <const> = { 1, 2 } -- seconds before such a token is sent again after its first 401, and its second
local PATIENCE <const> = 5      -- seconds for which another process's grant is waited for where no lock kept it from refreshing
local LOOK <const> = 0.05       -- seconds between the first two looks for it

local kind <const> = options.kind
local secret <const> = kind.secret(kind.text)

local OAUTH <const> = {
  client_id = kind.text, client_secret = secret, refresh_token = secret, token_url = kind.text, store = kind.table,
}

--- `given`: the option `oauth`; `like`: the client's options; `grant`: the one that this process used last; `issued`: { token, since, pauses }
-- of a token that this process saw come; `post`: a refresh on its way; `unsaved`: a grant that is not
-- saved yet, in the place of the one with the refresh token `replaces`.
local Provider = {}
Provider.__index = Provider

local unlocked <const> = setmetatable({}, { __mode = "k" }) -- stores that were warned about

function Provider:advice() return self.given.store.advice or endpoint.CONSENT end

--- The grant of the store, or else of this process; nil where there is none.
function Provider:stored()
  local grant = grants.check(self.given.store.load(), self:advice()) or self.grant
  if grant then grants.check_service(grant, self.given, self.like.base_url, self:advice()) end
  return grant
end

--- The grant's token is the one to use: the token, seconds it lasts, whether it was refreshed.
function Provider:use(grant, rejected, refreshed)
  local token = grant.access_token
  if refreshed or rejected then self.issued = { token = token, since = core.now(), pauses = 0 } end
  self.grant = grant
  -- of one that came just now, whatever the clocks here and there say
  return token, refreshed and grants.life(grant) or grants.left(grant), refreshed
end

--- What the API says of a token: "good", "dead", or "unknown" where it gives no reason for its 401.
local function tried(token, like, probe)
  local checked = endpoint.connecting(like)
  checked.base_url, checked.token, checked.retries, checked.trace = like.base_url, token, 0, like.trace
  local client <close> = core.client(checked)
  local ok, err = pcall(core.get, client, probe, { "per_page", "1" })
  if ok or not core.is_error(err) or err.status ~= 401 then return "good" end
  return (err.message:find "expired" or err.message:find "revoked") and "dead" or "unknown"
end

--- Whether a token that was answered by 401 is to be sent again: one that was issued a moment ago, which not every server knows yet, after
-- a pause. Refreshing again would only bring the next that they do not know. One call, not those that wait, asks what the token is.
function Provider:settles(rejected)
  local issued = self.issued
  if not rejected or not issued or issued.token ~= rejected or core.now() - issued.since > MOMENT then return false end
  local pause = PAUSES[issued.pauses + 1]
  local state = pause and tried(rejected, self.like, self.probe) or "dead"
  issued.pauses = issued.pauses + 1
  if state == "unknown" then core.sleep(pause) end
  return state ~= "dead"
end

function Provider:lock()
  local store = self.given.store
  if store.lock then return store.lock() end
  if not unlocked[store] then
    unlocked[store] = true
    warn "calira: the store of the grant has no lock(): processes that share it may refresh at the same time, and lose the grant"
  end
end

-- ── Saving ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Saves the grant that is not saved yet; where that fails it stays, and the error is raised.
function Provider:save()
  local ok, saved, message = pcall(self.given.store.save, self.unsaved)
  if ok and not saved and type(message) == "string" then ok, saved = false, message end -- as functions of io say it
  if not ok then
    local known = core.is_error(saved)
    core.raise(known and saved.kind or "unauthorized", ("the new grant could not be saved, and is kept for the next call: %s")
      :format(known and saved.message or tostring(saved)), { cause = saved })
  end
  self.grant, self.unsaved = self.unsaved, nil
end

--- Saves what an earlier call could not, unless somebody has consented anew meanwhile. Without the lock: who has it may be waiting for this
-- grant.
function Provider:save_late()
  local stored = self.given.store.load()
  local token = grants.refresh_token(stored)
  if token and token ~= self.replaces then
    self.unsaved = nil
  else
    self:save()
  end
end

-- ── Refreshing ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Sends the refresh, once it is known that what comes of it can be kept.
function Provider:post_refresh(grant)
  local given, like = self.given, self.like
  local token = grants.refresh_token(grant) or given.refresh_token
  if not token then core.raise("unauthorized", "there is no refresh token; " .. self:advice()) end
  local id = given.client_id or grant and grant.client_id
  if not id then core.raise("argument", "oauth takes the client_id of the application (from the environment: CALIRA_CLIENT_ID)") end
  local url = grants.token_url(grant, given, like.base_url)
  local store = given.store
  if store.check then
    local ok, why = store.check()
    if not ok then
      core.raise("unauthorized", "the grant is not refreshed, since the new one could not be saved: " .. tostring(why or "check() says no"))
    end
  end
  local post = endpoint.start(url, like, {
    grant_type = "refresh_token", refresh_token = token, client_id = id, client_secret = given.client_secret,
  }, self:advice())
  post.process = core.process_id()
  post.old = { refresh_token = token, token_url = url, client_id = id, base_url = grant and grant.base_url }
  return post
end

--- Refreshes and saves. Should an interrupt come while the answer is waited for, the next call waits for the same one.
---@return table? grant
---@return table? err
---@return boolean? dead whether another process may have been quicker
function Provider:refresh(grant)
  local post = self.post or self:post_refresh(grant)
  self.post = post
  local answer, err, dead = endpoint.finish(post)
  if answer then self.unsaved, self.replaces = grants.renewed(post.old, answer), post.old.refresh_token end
  self.post = nil
  if not answer then return nil, err, dead end
  self:save()
  if not self.grant.access_token then
    core.raise("decode", "the token endpoint's access_token is not a text without white space and control characters")
  end
  return self.grant
end

--- The grant that another process stored meanwhile: where it may be refreshing right now, it is waited for.
function Provider:others(old, rejected)
  local store = self.given.store
  local till, pause = core.now() + (store.lock and not store.lock_may_end and 0 or PATIENCE), LOOK
  while true do
    local grant = self:stored()
    if grants.usable(grant, rejected) and not (old and old.access_token == grant.access_token) then return grant end
    if core.now() >= till then return nil end
    core.sleep(pause)
    pause = math.min(2 * pause, 1)
  end
end

--- With the lock: another process's newer grant, or a refresh.
function Provider:renew(rejected)
  local lock <close> = self:lock()
  if self.post and self.post.process ~= core.process_id() then self.post = nil end -- the parent's, of a forked child
  local grant = self:stored()
  if not self.post and grants.usable(grant, rejected) then return self:use(grant, rejected, false) end
  local new, err, dead = self:refresh(grant)
  if new then return self:use(new, rejected, true) end
  local theirs = dead and self:others(grant, rejected)
  if theirs then return self:use(theirs, rejected, false) end
  error(err, 0)
end

--- The token for calls to go with. May wait; raises what went wrong.
---@param rejected string? the token that was answered by 401
---@return string token
---@return number? seconds it lasts; nil: not known
---@return boolean refreshed
function Provider:token(rejected)
  if not (self.unsaved or self.post) then
    if self:settles(rejected) then return self:use(self.grant, nil, false) end
    local grant = self:stored()
    if grants.usable(grant, rejected) then return self:use(grant, rejected, false) end
  end
  if self.unsaved then self:save_late() end
  local process = core.process_id()
  local results = table.pack(pcall(self.renew, self, rejected))
  if results[1] then return table.unpack(results, 2, 4) end
  if core.process_id() == process then error(results[2], 0) end
  return self:token(rejected) -- forked meanwhile: the lock and the refresh are the parent's
end

--- The provider of an `oauth` option: a function(rejected token or nil) → token, seconds it lasts or nil, whether it was refreshed.
---@param oauth table
---@param like table the checked options of the client
---@param probe string a path of the API that any token may ask for
function M.new(oauth, like, probe)
  local given = options.check(oauth, OAUTH, "oauth")
  local store = given.store
  if not (store and type(store.load) == "function" and type(store.save) == "function") then
    core.raise("argument", "oauth takes a store with load and save: a rotated refresh token that is not kept is lost "
      .. "(calira.oauth.file_store(path) is one)")
  end
  if given.token_url then endpoint.open(given.token_url, like):close() end
  local provider = setmetatable({ given = given, like = like, probe = probe }, Provider)
  return function(rejected) return provider:token(rejected) end
end

return M
