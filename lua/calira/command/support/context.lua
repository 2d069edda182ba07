--- What a command is given besides its arguments: the client, the output, the time zone, and questions about them.

local calira <const> = require "calira"
local core <const> = require "calira.core"
local environment <const> = require "calira.api.environment"
local options <const> = require "calira.command.support.options"
local profiles <const> = require "calira.command.support.profiles"
local status <const> = require "calira.command.support.status"
local text <const> = require "calira.values.text"
local trees <const> = require "calira.accounts.tree"
local zones <const> = require "calira.values.zone"

local M = {}

-- ── Output ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local EPIPE <const> = 32

--- stdout, where a write that fails ends the command: quietly if the reader has gone (`| head`), else with status 1.
local Output = {}
Output.__index = Output

local function check(ok, message, code)
  if ok then return end
  if code == EPIPE then status.raise(status.right) end
  status.raise(status.failed, "the output cannot be written: " .. tostring(message))
end

function Output:write(...)
  check(self.file:write(...))
  return self
end

function Output:flush() check(self.file:flush()) end

-- ── The context ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

---@class calira.command.context
---@field calira table the module
---@field out table like a file: `write`, `flush`; what cannot be written ends the command
---@field err file* stderr
---@field doubts string[] why something may be missing
---@field tree table? once it was read
---@field zone table the time zone of --tz, TZ, or UTC (calira.values.zone); made on first use
local Context = {}

local made = {} -- fields that are made on first use

function made.zone(self)
  local name = self.arguments.tz or environment.variable "TZ" or "UTC"
  local zone, message = zones.find(name)
  return zone or status.raise(status.usage, message)
end

function Context.__index(self, name)
  if made[name] then
    local value = made[name](self)
    rawset(self, name, value)
    return value
  end
  return Context[name]
end

--- The client of the profile, or of the environment.
local function client_of(self)
  if not self.own_client then
    local name, profile = profiles.chosen(self.arguments.profile)
    self.own_client = name and calira.new(profiles.options(name, profile)) or calira.default()
  end
  return self.own_client
end

--- The tree, read once, and why it may lack accounts, if it may: what came of it serves all the same. May wait.
local function tree_of(self)
  if not self.tree then
    local accounts, list = {}, self.client():accounts()
    local ok, err = pcall(function()
      for account in list do accounts[#accounts + 1] = account end
    end)
    if not (ok or core.is_error(err) and err.kind == "drift") then error(err, 0) end
    local unseen <const> = ok and list:report().unseen or 0
    if unseen > 0 then self.note(("the service counts %d accounts more than it shows to this application"):format(unseen)) end
    self.tree, self.tree_doubt = trees.build(accounts, self.client()), err and status.words(err)
  end
  return self.tree, self.tree_doubt
end

--- The account that --lab or --under names. Reads the tree; may wait.
-- A token that may not read accounts can still ask about one by its id.
---@param key string an id, a name or a path
---@param alone boolean? what is under it does not matter
---@return table node raises a failure (status 1) with the nearest names where there is none
local function account_of(self, key, alone)
  local ok, tree, doubt = pcall(tree_of, self)
  if not ok then
    local id = key:find "^%d+$" and math.tointeger(tonumber(key))
    if id and core.is_error(tree) and tree.kind == "forbidden" then return { id = id } end
    error(tree, 0)
  end
  local found, node = pcall(tree.find, tree, key)
  if doubt and not (found and alone) then self.doubt(doubt) end
  if found then return node end
  if core.is_error(node) and node.kind == "argument" then
    status.raise(status.failed, (node.message:gsub("tostring%(calira%.tree%(%)%)", "'calira tree'")))
  end
  error(node, 0)
end

--- Makes a context.
---@param arguments table as argparse gives them
---@return calira.command.context
function M.new(arguments)
  local self = setmetatable({
    calira = calira, arguments = arguments, out = setmetatable({ file = io.stdout }, Output), err = io.stderr,
    mask = text.mask, is_terminal = core.isatty, doubts = {},
  }, Context)
  --- A line on stderr.
  function self.note(message) io.stderr:write("calira: ", text.mask(message), "\n") end
  --- The client: of the profile, else of the environment; made on first use.
  function self.client() return client_of(self) end
  --- The node of an account; see account_of. May wait.
  function self.account(key, alone) return account_of(self, key, alone) end
  --- The tree of all accounts, read once. May wait.
  function self.read_tree()
    local tree, doubt = tree_of(self)
    if doubt then self.doubt(doubt) end
    return tree
  end
  --- Notes why something may be missing.
  function self.doubt(message) self.doubts[#self.doubts + 1] = message end
  --- Tells of the doubts on stderr, each once; whether there are any.
  function self.tell_doubts()
    local doubts <const> = self.doubts
    for i = (doubts.told or 0) + 1, #doubts do self.note("possibly incomplete: " .. doubts[i]) end
    doubts.told = #doubts
    return #doubts > 0
  end
  --- The span that the arguments say, in epoch seconds, each nil where it is open.
  function self.span(given) return options.span(given or arguments, self.zone) end
  --- Ends the command with a status (calira.command.support.status) and a line on stderr.
  self.fail = status.raise
  return self
end

return M
