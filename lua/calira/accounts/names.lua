--- Names and paths of accounts: how `tree.lua` finds one by its name, and which names resemble one that does not exist. Nothing waits.
-- Names compare exactly, then without regard to case (case_fold.lua).

local case_fold <const> = require "calira.values.case_fold"
local texts <const> = require "calira.values.text"

local M = {}

local SEPARATOR <const> = " / "
local LONGEST_GUESS <const> = 100      -- bytes of a name beyond which no similar one is looked for

local function as_it_is(text) return text end

--- The name of a node; where it has none, `account 12`.
function M.of(node)
  return type(node.name) == "string" and node.name or ("account %s"):format(node.id or "without id")
end

--- The same, fit for a message.
function M.shown(node) return texts.mask(M.of(node)) end

--- The names from the top down to a node: `University / Physics / Optics`; or only its end, not much longer than `most` bytes.
function M.path(node, most)
  local names, length = {}, 0
  while node and length <= (most or length) do
    local name = M.of(node)
    names[#names + 1] = name
    length = length + #SEPARATOR + #name
    node = node.parent
  end
  for i = 1, #names // 2 do names[i], names[#names - i + 1] = names[#names - i + 1], names[i] end
  return table.concat(names, SEPARATOR)
end

-- ── Matching ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- An index of nodes by name, once as it is and once without regard to case.
---@param walk function an iterator over nodes
function M.index(walk)
  local index = { nodes = {}, [as_it_is] = {}, [case_fold] = {} }
  for node in walk do
    index.nodes[#index.nodes + 1] = node
    for _, fold in ipairs { as_it_is, case_fold } do
      local name, by_name = fold(M.of(node)), index[fold]
      local namesakes = by_name[name]
      if namesakes then namesakes[#namesakes + 1] = node else by_name[name] = { node } end
    end
  end
  return index
end

--- Whether `text` spells the path of a node, read from its end so that the effort is bounded by the text, not by the tree.
local function spells_path(text, node, fold)
  local stop = #text
  while true do
    local name = fold(M.of(node))
    local start = stop - #name
    if start < 0 or text:sub(start + 1, stop) ~= name then return false end
    node = node.parent
    if not node then return start == 0 end
    stop = start - #SEPARATOR
    if stop < 0 or text:sub(stop + 1, start) ~= SEPARATOR then return false end
  end
end

local function matches(index, key, fold)
  local text, found, start, slash = fold(key), {}, 1, nil
  repeat                                                            -- a name may hold a separator: try the text after each of them
    for _, node in ipairs(index[fold][text:sub(start)] or {}) do
      if start == 1 or spells_path(text, node, fold) then found[#found + 1] = node end
    end
    slash = text:find(SEPARATOR, slash and slash + 1 or 1, true)
    start = slash and slash + #SEPARATOR
  until not start
  return found
end

--- The nodes whose name or whose path the text is, exactly, or if there is none, in any case.
---@return table[] nodes
function M.matches(index, text)
  local found = matches(index, text, as_it_is)
  if #found == 0 then return matches(index, text, case_fold) end
  local whole = {} -- a path in full goes before a part of another's
  for _, node in ipairs(#found > 1 and found or {}) do
    if M.path(node, #text) == text then whole[#whole + 1] = node end
  end
  return #whole == 1 and whole or found
end

-- ── Guessing ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Edit distance of two byte strings (insert, delete, replace), or nil where it is above `limit`. Of the table of distances, of which
-- one row is kept, only the band around the diagonal is computed: what lies `limit` or more beside it is above the limit.
local function distance(a, b, limit)
  if math.abs(#a - #b) > limit then return nil end
  local bytes, row = { b:byte(1, -1) }, {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local byte, first = a:byte(i), math.max(1, i - limit)
    local diagonal = row[first - 1]
    row[first - 1] = first == 1 and i or limit + 1
    local least = row[first - 1]
    for j = first, math.min(#b, i + limit) do
      local cost = byte == bytes[j] and diagonal or diagonal + 1
      diagonal = row[j]
      if diagonal + 1 < cost then cost = diagonal + 1 end
      if row[j - 1] + 1 < cost then cost = row[j - 1] + 1 end
      row[j] = cost
      if cost < least then least = cost end
    end
    if least > limit then return nil end
  end
  return row[#b] <= limit and row[#b] or nil
end

--- The runs of as many words as `wanted` has, in a name of more: a typo in "Univresity" is near "University of Cambridge".
local function runs_of_words(wanted, text)
  local words, starts, stops = select(2, wanted:gsub("%S+", "")), {}, {}
  for start, stop in text:gmatch "()%S+()" do starts[#starts + 1], stops[#stops + 1] = start, stop - 1 end
  local runs = {}
  if words == 0 or #starts <= words then return runs end
  for i = 1, #starts - words + 1 do runs[i] = text:sub(starts[i], stops[i + words - 1]) end
  return runs
end

--- How far `text` is from what the user wrote: 0 where it holds it whole, else the edit distance to it or to a run of its words; nil
-- where they do not resemble.
local function score(wanted, text, limit)
  if #wanted >= 3 and text:find(wanted, 1, true) then return 0 end
  local least = distance(wanted, text, limit)
  for _, run in ipairs(runs_of_words(wanted, text)) do
    local points = distance(wanted, run, limit)
    if points and (not least or points < least) then least = points end
  end
  return least
end

--- The nodes whose names (for a text with a separator, paths too) resemble a text, the nearest first; of namesakes the first.
---@return table[] nodes
function M.nearest(index, text)
  if #text > LONGEST_GUESS then return {} end
  local wanted, is_path = case_fold(text), text:find(SEPARATOR, 1, true)
  local limit, near, scores, seen = math.max(1, math.min(#wanted // 3, 4)), {}, {}, {}
  for _, node in ipairs(index.nodes) do
    local candidate = case_fold(is_path and M.path(node, 2 * LONGEST_GUESS) or M.of(node))
    if not seen[candidate] then
      seen[candidate] = true
      local points = score(wanted, candidate, limit) or is_path and score(wanted, case_fold(M.of(node)), limit)
      if points then
        near[#near + 1] = node
        scores[node] = { points, #near }
      end
    end
  end
  table.sort(near, function(x, y)
    local a, b = scores[x], scores[y]
    if a[1] ~= b[1] then return a[1] < b[1] end
    return a[2] < b[2]
  end)
  return near
end

return M
