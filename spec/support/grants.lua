--- What the specs of tokens share: stores in memory, clients with a grant, scripts that use one.

local calira = require "calira"
local H = require "spec.support.helper"

local M = {}

--- The token endpoint of a scenario.
function M.token_url(scenario, id) return (H.url(scenario, id):gsub("/v1$", "/oauth/token")) end

local Lock = {}
function Lock:__close() self.store.locked = false end

--- A store that notes what it is asked, for several clients of one process.
function M.memory(grant)
  local store = { saved = {}, grant = grant, loads = 0, locks = 0 }
  function store.load()
    store.loads = store.loads + 1
    return store.grant
  end
  function store.save(new)
    store.saved[#store.saved + 1] = new
    store.grant = new
  end
  function store.lock()
    while store.locked do calira.sleep(0.01) end
    store.locks, store.locked = store.locks + 1, true
    return setmetatable({ store = store }, Lock)
  end
  return store
end

--- A grant of the sandbox's first token.
function M.grant(more)
  local grant = { access_token = "at-0", refresh_token = "rt-0", expires_in = 7200, created_at = os.time() }
  for name, value in pairs(more or {}) do grant[name] = value end
  return grant
end

--- A client with a grant: the client, its scenario's id, its store.
function M.client(scenario, grant, options, oauth)
  local id = H.id()
  local store = M.memory(grant)
  local all = {
    base_url = H.url(scenario, id), backoff = { base = 0.001, max = 0.01 },
    oauth = { client_id = "app", client_secret = "app-secret", refresh_token = "rt-0", token_url = M.token_url(scenario, id), store = store },
  }
  for name, value in pairs(options or {}) do all[name] = value end
  for name, value in pairs(oauth or {}) do all.oauth[name] = value end
  return calira.new(all), id, store
end

--- A script's text that makes `client`, of a scenario, with the store that the expression gives.
function M.script(id, store, scenario)
  return ([[
    local calira = require "calira"
    local client = calira.new { base_url = %q, backoff = { base = 0.001, max = 0.01 }, oauth = {
      client_id = "app", client_secret = "secret", refresh_token = "rt-0", token_url = %q, store = %s } }
  ]]):format(H.url(scenario, id), M.token_url(scenario, id), store)
end

return M
