--- What bookings cost, by funding code, project and currency, summed exactly. Nothing here waits.
-- A booking of several codes or projects counts once, under all of them joined, since the API does not say how its cost is split.

local money <const> = require "calira.values.money"
local odd <const> = require "calira.report.odd"
local row <const> = require "calira.export.row"

local M = {}

local NONE <const> = "(none)"

local Funding = {}
Funding.__index = Funding

function M.new() return setmetatable({ by_key = {}, rows = {}, totals = {}, odd = odd.new() }, Funding) end

local function joined(texts)
  table.sort(texts)
  return #texts > 0 and table.concat(texts, " + ") or NONE
end

--- Counts a booking with its details.
function Funding:booking(b)
  local projects, codes = row.payers(b)
  local currency = type(b.currency) == "string" and b.currency ~= "" and b.currency or NONE
  local all_codes, all_projects = joined(codes), joined(projects)
  local key = table.concat({ currency, all_codes, all_projects }, "\0")
  local each = self.by_key[key]
  if not each then
    each = { currency = currency, funding_codes = all_codes, projects = all_projects, cost = "0.00", bookings = 0 }
    self.by_key[key], self.rows[#self.rows + 1] = each, each
  end
  each.bookings = each.bookings + 1
  if b.cost == nil then return self.odd:add("without a cost, counted as 0", b) end
  local ok, sum = pcall(money.add, each.cost, b.cost)
  if not ok then return self.odd:add("with a cost that is no amount, counted as 0", b) end
  each.cost = sum
  self.totals[currency] = money.add(self.totals[currency] or "0.00", b.cost)
end

--- The sums.
---@return table result `rows` (`currency`, `funding_codes`, `projects`, `cost`, `bookings`), in the order of these; `totals`: an array of
---  `currency`, `cost`, in order; `odd`: lines
function Funding:result()
  local function before(a, b)
    for _, name in ipairs { "currency", "funding_codes", "projects" } do
      if a[name] ~= b[name] then return a[name] < b[name] end
    end
    return false
  end
  table.sort(self.rows, before)
  local totals = {}
  for currency, cost in pairs(self.totals) do totals[#totals + 1] = { currency = currency, cost = cost } end
  table.sort(totals, function(a, b) return a.currency < b.currency end)
  return { rows = self.rows, totals = totals, odd = self.odd:lines() }
end

return M
