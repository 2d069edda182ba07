--- One worker of an export that many do together: takes labs from the queue, one after the other, until the run is over. Waits wherever the
-- library does; a lab that it cannot go on with is left to others where it stands.

local calira <const> = require "calira"
local core <const> = require "calira.core"
local export <const> = require "calira.export"
local writers <const> = require "calira.export.postgres.writer"

local M = {}

local LOOK <const> = 0.1                -- seconds until the second look whether others need help, doubled each time
local MOST_LOOK <const> = 5
local NOT_SEEN <const> = { forbidden = true, not_found = true }
local FAILED <const>, INCOMPLETE <const>, UNAUTHORIZED <const> = 1, 3, 4 -- exit statuses: see calira.command.support.status

local Worker = {}
Worker.__index = Worker

--- The lab's id, where the application still sees it: asked only where something would be taken for gone. May wait.
function Worker:visible(lab, writer)
  if writer:unseen() == 0 then return { lab.id } end
  local ok, err = pcall(self.client.account, self.client, lab.id)
  if ok then return { lab.id } end
  if core.is_error(err) and NOT_SEEN[err.kind] then return {} end
  error(err, 0)
end

--- Why something of a lab may be missing: a text and an exit status, nil and 0 where nothing is.
local function doubts_of(result)
  local texts, code = {}, 0
  if result.drift then texts[1], code = result.drift.message, INCOMPLETE end
  for _, doubt in ipairs(result.doubts) do
    texts[#texts + 1] = doubt.text
    if doubt.serious then code = INCOMPLETE end
  end
  return #texts > 0 and table.concat(texts, "; ") or nil, code
end

function Worker:add(counts)
  for name, count in pairs(counts) do self.counts[name] = (self.counts[name] or 0) + count end
end

--- Reads a lab to its end.
function Worker:read(lab)
  local writer <const> = writers.open(self.queue, lab)
  local node <const> = { id = math.tointeger(tonumber(lab.id)) or lab.id, name = lab.name }
  local result = calira.run(function()
    local beats <const> = calira.spawn(function()
      local half <const> = self.queue.lease / 2
      repeat
        local since = core.now() - lab.held_at
        if since < half then calira.sleep(half - since) end
      until core.now() - lab.held_at >= half and not self.queue:beat(lab)
    end)
    local ok, done = pcall(export.run, {
      client = self.client, writer = writer, nodes = { node }, list = self.list, details = self.details, refetch = self.refetch,
      labs = function() return self:visible(lab, writer) end, on_page = self.on_page,
    })
    beats:cancel()
    if not ok then error(done, 0) end
    return done
  end)
  local problem, code = doubts_of(result)
  self.queue:settle(lab, "done", { bookings = result.rows, gone = result.gone, problem = problem, code = code })
  self:add(result.counts)
  self.labs = self.labs + 1
end

--- The same, where it may fail: the lab alone did, or it is another worker's by now, or else this worker cannot go on.
function Worker:try(lab)
  local ok, err = pcall(self.read, self, lab)
  if ok then return end
  if core.is_error(err) and err.kind == "closed" and not self.queue:beat(lab) then return end
  if core.is_error(err) and NOT_SEEN[err.kind] then
    self.queue:settle(lab, "failed", { problem = err.message, code = err.kind == "forbidden" and UNAUTHORIZED or FAILED })
    return
  end
  pcall(self.queue.settle, self.queue, lab, "waiting", {})
  error(err, 0)
end

--- Works until the run is over.
---@param options table `queue`, joined; `client`; `list`, `details`, `refetch`, `on_page`: see export.run
---@return table done `counts`: see export.run; `labs`: how many this worker read to their end
function M.run(options)
  local self = setmetatable({ counts = {}, labs = 0 }, Worker)
  for name, value in pairs(options) do self[name] = value end
  local pause = LOOK
  repeat
    local lab = self.queue:take()
    local over = not lab and self.queue:over()
    if lab then
      self:try(lab)
      pause = LOOK
    elseif not over then
      calira.sleep(pause * (0.5 + math.random()))
      pause = math.min(2 * pause, MOST_LOOK)
    end
  until over
  return { counts = self.counts, labs = self.labs }
end

return M
