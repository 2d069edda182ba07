--- Which accounts a list `under` a key asks: every lab of a branch of the tree, or every account of it; of these, a share.

local core <const> = require "calira.core"
local names <const> = require "calira.accounts.names"
local shard <const> = require "calira.accounts.shard"
local tree <const> = require "calira.accounts.tree"

local M = {}

--- Every account of a branch, its top included, depth first.
local function accounts_of(node, found)
  found[#found + 1] = node
  for _, child in ipairs(node.departments or {}) do accounts_of(child, found) end
  for _, child in ipairs(node.labs or {}) do accounts_of(child, found) end
  return found
end

local ABOVE <const> = { organisation = true, organization = true, department = true }

--- As the tree sees it: an account of a type that is not known counts as a lab where nothing is under it.
local function is_lab(node)
  local kind = type(node.account_type) == "string" and node.account_type:lower()
  return kind == "lab" or not ABOVE[kind] and #node.labs == 0 and #node.departments == 0
end

--- The node of a key: of a tree that is read for it, unless it is a node itself.
local function find(client, key, strict, reading)
  if tree.is_node(key) then return key end
  local list <close> = client:accounts { strict = strict }
  reading(list)
  return tree.build(list:collect(), client):find(key)
end

--- The accounts to ask, in the tree's order. May wait; raises kind `argument` for a key that the tree does not have.
---@param client userdata
---@param call table `under`: a key or node; `every_account`: of every account, not of every lab
---@param share string? of the option `shard`
---@param strict boolean? whether a list of accounts that may lack some is an error; nil: as the client says
---@param reading fun(list: userdata) told of the list of accounts before it is read, so that it can be closed
---@return table[] nodes
function M.accounts(client, call, share, strict, reading)
  local top = find(client, call.under, strict, reading)
  local falls_to = share and shard.test(share)
  local nodes = {}
  for _, node in ipairs(accounts_of(top, {})) do
    if (call.every_account or is_lab(node)) and (not falls_to or falls_to(node.id)) then nodes[#nodes + 1] = node end
  end
  if #nodes == 0 then
    local message = ("there is no %s to ask under %s (id %s)%s"):format(
      call.every_account and "account" or "lab", names.shown(top), top.id or "none", share and " in the share " .. share or "")
    core.trace(client, { event = "under", method = "GET", path = call.path, accounts = 0, message = message })
  end
  return nodes
end

return M
