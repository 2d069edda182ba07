--- Shares of accounts: `"3/16"` is the third of sixteen. Nothing here waits.
-- Which share an account falls to follows from its id alone, by rendezvous hashing (Thaler and Ravishankar, 1998): of all shares, the one
-- whose hash together with the id is the highest. So shares are disjoint and complete, whatever the order and whoever asks, and one share
-- more takes over its part of the accounts and moves no others.

local core <const> = require "calira.core"

local M = {}

local MOST <const> = 4096

--- Added to a share's number. Any value would do; with this one, ids that follow one another spread most evenly (shard_spec.lua).
local SEED <const> = 0x3ed0e89bc3edf05a

--- Mixes 64 bits so that each one depends on all: the finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
local function mix(x)
  x = (x ~ x >> 30) * 0xbf58476d1ce4e5b9
  x = (x ~ x >> 27) * 0x94d049bb133111eb
  return x ~ x >> 31
end

--- Reads a share.
---@param text any `"3/16"`: a number from 1 to the number of shares, which is 4096 at most
---@return string? share without leading zeros; nil for anything else
---@return string expected what it takes, for messages
function M.read(text)
  local expected = ('a share as "3/16": a number, and of how many, %d at the most'):format(MOST)
  local number, count
  if type(text) == "string" then number, count = text:match "^0*(%d+)/0*(%d+)$" end
  if not number or #number > 4 or #count > 4 then return nil, expected end
  number, count = math.tointeger(tonumber(number)), math.tointeger(tonumber(count))
  if number < 1 or number > count or count > MOST then return nil, expected end
  return ("%d/%d"):format(number, count), expected
end

--- Makes the test whether an account falls to a share; one without an id falls to one of them, too.
---@param share string as `read` returns it
---@return fun(id: any): boolean
function M.test(share)
  local number, count = share:match "^(%d+)/(%d+)$"
  number, count = math.tointeger(tonumber(number)), math.tointeger(tonumber(count))
  local salts = {}
  for i = 1, count do salts[i] = mix(SEED + i) end
  return function(id)
    local h = mix(core.digest(tostring(id))) -- of the text, so that 7 and "7" are the same account
    local own = mix(h ~ salts[number])
    for i = 1, count do
      local other = i ~= number and mix(h ~ salts[i])
      if other and (math.ult(own, other) or other == own and i < number) then return false end
    end
    return true
  end
end

return M
