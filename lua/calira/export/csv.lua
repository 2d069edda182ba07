--- Writes an export as CSV (RFC 4180): a writer, see export/init.lua. It blocks as long as the disk takes, and waits for nothing else.
--
-- FILE.csv is always a whole export; where it is a link, what it leads to is; a device or a FIFO is written at the end. The one under way is in
-- two files beside it, both gone when it is done:
--   FILE.csv.part     the rows so far; what follows the size that is written down may be torn, and is cut off before going on
--   FILE.csv.cursor   text, a `name value` a line: `calira-export 1`, then `source` (what is exported), `size` (bytes of the part that
--                     are on the disk), `rows`, `cursor` (where the list goes on; `-`: at its start). It is written after the rows.

local core <const> = require "calira.core"
local cell <const> = require("calira.values.text").csv
local files <const> = require "calira.values.files"
local row <const> = require "calira.export.row"

local M = {}

local COPIED <const> = 65536            -- bytes at a time

local Csv = {}
Csv.__index = Csv

-- ── Rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- The next row of a file, as it is there, with its line break: lines are joined until every quote is closed. nil at the end.
local function read_row(file)
  local text = file:read "L"
  if not text then return nil end
  while select(2, text:gsub('"', "")) % 2 == 1 do
    local more = file:read "L"
    if not more then return nil end                                 -- torn: a quote is never closed
    text = text .. more
  end
  return text
end

--- The first cell of a row, by which it is found, as it is there; the last, a digest.
local function ends_of(text)
  return text:match '^"[^"]*"' or text:match "^[^,\r\n]*", text:match ",([^,\r\n]*)\r?\n$"
end

--- The same of an id.
function Csv:key(id) return (ends_of(cell(id, self.raw))) end

-- ── State ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local function read_state(path)
  local file <close> = io.open(path, "r")
  if not file or file:read "l" ~= "calira-export 1" then return nil end
  local state = {}
  for line in file:lines() do
    local name, value = line:match "^(%w+) (.*)$"
    if name then state[name] = value end
  end
  state.size, state.rows = math.tointeger(tonumber(state.size)), math.tointeger(tonumber(state.rows))
  return state.source and state.size and state.rows and state.cursor and state or nil
end

local function fail(path, message)
  error(("%s: %s"):format(path, message or "cannot be written"), 0)
end

--- Writes down how far the rows go that are on the disk. By a file of one name beside it, so that a kill leaves no litter.
function Csv:save(cursor)
  local path <const> = self.path .. ".cursor"
  local file, message = io.open(path .. ".new", "w")
  if not file then fail(path, message) end
  local ok
  ok, message = file:write(("calira-export 1\nsource %s\nsize %d\nrows %d\ncursor %s\n")
    :format(self.source, self.size, self.rows, cursor or "-"))
  if ok then ok, message = core.sync(file) end
  pcall(file.close, file)
  if ok then ok, message = os.rename(path .. ".new", path) end
  if not ok then fail(path, message) end
end

--- Puts text after the rows; they count once `commit` has written them down.
function Csv:put(text)
  local ok, message = self.file:write(text)
  if not ok then fail(self.part, message) end
  self.size = self.size + #text
end

function Csv:commit(cursor)
  local ok, message = core.sync(self.file)
  if not ok then fail(self.part, message) end
  self:save(cursor)
end

-- ── Opening ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Where each row of the export before begins, by id, so that an unchanged one is taken from there. Only where its columns are the same.
--- Raises a text where the file is there and is no export: it may be somebody's work.
function Csv:index_before()
  local file = not self.in_place and io.open(self.path, "rb")
  if not file then return end
  local header = read_row(file)
  if header ~= self.header then
    local foreign = file:seek "end" > 0 and not (header and header:find(table.concat(row.SUMMARY, ","), 1, true) == 1)
    file:close()
    if foreign then error(("%s is there and is no export: give this one a file of its own, or remove it"):format(self.path), 0) end
    return
  end
  local place = file:seek()
  local text = read_row(file)
  while text do
    self.before[ends_of(text)] = place
    place = file:seek()
    text = read_row(file)
  end
  self.old = file
end

--- Goes on with a part: its rows as far as they are written down, without what may be torn after them.
function Csv:reopen(state)
  local from <close> = io.open(self.part, "rb")
  if not from or from:seek "end" < state.size then return false end
  from:seek "set"
  local beside = self.part .. ".new"
  local file, message = files.create(beside, self.path)
  if not file then fail(beside, message) end
  self.file, self.size, self.rows = file, 0, state.rows
  while self.size < state.size do
    local text = read_row(from)
    if not text or self.size + #text > state.size then
      file:close()
      return false
    end
    if self.size > 0 then self.written[ends_of(text)] = true end
    self:put(text)
  end
  local ok
  ok, message = core.sync(file)
  if ok then ok, message = os.rename(beside, self.part) end
  if not ok then fail(self.part, message) end
  return true
end

--- Begins a part.
function Csv:start()
  if self.file then self.file:close() end
  os.remove(self.part .. ".new")
  os.remove(self.path .. ".cursor")
  local file, message = files.create(self.part, self.path)
  if not file then fail(self.part, message) end
  self.file, self.size, self.rows, self.written, self.last = file, 0, 0, {}, {}
  self:put(self.header)
  self:commit()
end

--- Opens a writer.
---@param path string
---@param options table `source`: what is exported; `details`: whether rows have those columns; `raw`: formulas stay as they are
---@return table writer; raises a text where the file belongs to another export or cannot be written
function M.open(path, options)
  local columns = table.move(row.SUMMARY, 1, #row.SUMMARY, 1, {})
  if options.details then table.move(row.DETAILS, 1, #row.DETAILS, #columns + 1, columns) end
  local place, kind = files.resolve(path)
  if not place then fail(path, kind) end
  path = place
  local self = setmetatable({
    path = path, in_place = kind == "other", part = path .. ".part", source = options.source, raw = options.raw, columns = columns,
    header = table.concat(columns, ",") .. ",summary\r\n", before = {}, written = {},
  }, Csv)
  local state = read_state(path .. ".cursor")
  if state and state.source ~= options.source then
    fail(path, ("an unfinished export of something else is there (%s): end that one, or remove %s.cursor"):format(state.source, path))
  end
  self:index_before()
  self.last = {}
  if state and self:reopen(state) then
    self.last = { cursor = state.cursor ~= "-" and state.cursor or nil, resumed = true }
  else
    self:start()
  end
  return self
end

-- ── Writing ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- What is known of bookings from the export before: id → `summary`, `details_of` (digests), `line` (as it is there).
function Csv:known(ids)
  local found = {}
  for _, id in ipairs(ids) do
    local place = self.before[self:key(id)]
    if place then
      self.old:seek("set", place)
      local line = read_row(self.old)
      local _, digest = ends_of(line)
      found[id] = { summary = digest, details_of = digest, line = line }
    end
  end
  return found
end

function Csv:line_of(each)
  if each.known and each.known.summary == each.summary and not each.fetched then return each.known.line end
  local cells = {}
  for i, name in ipairs(self.columns) do cells[i] = cell(each.values[name], self.raw) end
  cells[#cells + 1] = each.summary
  return table.concat(cells, ",") .. "\r\n"
end

--- Writes the rows of a page, and then where the list goes on. A row that an interrupted run has written already is left out.
function Csv:write(rows, cursor)
  for _, each in ipairs(rows) do
    local id <const> = each.id ~= nil and self:key(each.id)
    if not (id and self.written[id]) then
      if id then self.written[id] = true end
      self:put(self:line_of(each))
      self.rows = self.rows + 1
    end
  end
  self:commit(cursor)
end

--- Forgets a part whose cursor is of no use any more.
function Csv:restart() self:start() end

--- Writes the part into what is no regular file.
function Csv:copy()
  local from <close> = assert(io.open(self.part, "rb"))
  local ok, message = files.write_in_place(self.path, from:lines(COPIED))
  if ok then os.remove(self.part) end
  return ok, message
end

--- The export is whole: it takes its name. Returns how many rows it has.
function Csv:finish()
  self.file:close()
  self.file = nil
  local ok, message
  if self.in_place then ok, message = self:copy() else ok, message = os.rename(self.part, self.path) end
  if not ok then fail(self.path, message) end
  os.remove(self.path .. ".cursor.new")
  os.remove(self.path .. ".cursor")
  return { rows = self.rows }
end

function Csv:close()
  if self.file then pcall(self.file.close, self.file) end
  if self.old then self.old:close() end
  self.file, self.old = nil, nil
end

return M
