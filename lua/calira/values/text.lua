--- Texts from elsewhere, made fit for terminals and for CSV: what a service sends is data, and must not move a cursor, make a second row
-- or be run by a spreadsheet. Nothing here waits.

local M = {}

-- ── Masking ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local NAMED <const> = { [9] = "\\t", [10] = "\\n", [13] = "\\r" }

--- Whether a character is no ink but a command to the terminal: controls, marks that turn the direction of writing, line separators.
local function commands(code)
  return code < 0x20 or code >= 0x7F and code < 0xA0 or code == 0x61C or code == 0x200E or code == 0x200F
    or code >= 0x2028 and code <= 0x202E or code >= 0x2066 and code <= 0x2069 or code == 0xFEFF
    or code >= 0xFFF9 and code <= 0xFFFB or code >= 0xE0000 and code <= 0xE007F
end

local function shown(code)
  return NAMED[code] or (code < 0x100 and "\\x%02X" or code < 0x10000 and "\\u%04X" or "\\u{%X}"):format(code)
end

--- The text with control characters, escape sequences, C1, line breaks and what turns the direction of writing shown instead of sent;
-- bytes that are no UTF-8 as well. What is left is one line of ink.
---@param text any taken as `tostring` gives it
---@param keep string? characters (ASCII) that stay, as "\t\n"
---@return string
function M.mask(text, keep)
  text = tostring(text)
  if not text:find "[%c\x7f-\xff]" then return text end
  local parts, place = {}, 1
  while place <= #text do
    local character = text:match("^" .. utf8.charpattern, place) or ""
    local code = character ~= "" and utf8.len(character) == 1 and utf8.codepoint(character)
    if not code then
      parts[#parts + 1] = ("\\x%02X"):format(text:byte(place))
      place = place + 1
    else
      local stays = not commands(code) or keep and code < 0x80 and keep:find(character, 1, true)
      parts[#parts + 1] = stays and character or shown(code)
      place = place + #character
    end
  end
  return table.concat(parts)
end

-- ── Width ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

-- First and last code points by turns, sorted. No cell: marks that combine with the character before (the blocks that are common), joiners,
-- variation selectors. Two cells: East Asian wide and emoji (Unicode 15, EastAsianWidth.txt, W and F).
local NONE <const> = {
  0x300, 0x36F, 0x483, 0x489, 0x591, 0x5BD, 0x5BF, 0x5BF, 0x5C1, 0x5C2, 0x5C4, 0x5C5, 0x610, 0x61A, 0x64B, 0x65F, 0x670, 0x670,
  0x6D6, 0x6DC, 0x6DF, 0x6E4, 0x6E7, 0x6E8, 0x6EA, 0x6ED, 0x93A, 0x93A, 0x93C, 0x93C, 0x941, 0x948, 0x94D, 0x94D, 0xE31, 0xE31,
  0xE34, 0xE3A, 0xE47, 0xE4E, 0x1AB0, 0x1ACE, 0x1DC0, 0x1DFF, 0x200B, 0x200D, 0x2060, 0x2064, 0x20D0, 0x20F0, 0x302A, 0x302D,
  0x3099, 0x309A, 0xFE00, 0xFE0F, 0xFE20, 0xFE2F, 0x1F3FB, 0x1F3FF, 0xE0100, 0xE01EF,
}
local TWO <const> = {
  0x1100, 0x115F, 0x231A, 0x231B, 0x2329, 0x232A, 0x23E9, 0x23EC, 0x23F0, 0x23F0, 0x23F3, 0x23F3, 0x25FD, 0x25FE, 0x2614, 0x2615,
  0x2648, 0x2653, 0x267F, 0x267F, 0x2693, 0x2693, 0x26A1, 0x26A1, 0x26AA, 0x26AB, 0x26BD, 0x26BE, 0x26C4, 0x26C5, 0x26CE, 0x26CE,
  0x26D4, 0x26D4, 0x26EA, 0x26EA, 0x26F2, 0x26F3, 0x26F5, 0x26F5, 0x26FA, 0x26FA, 0x26FD, 0x26FD, 0x2705, 0x2705, 0x270A, 0x270B,
  0x2728, 0x2728, 0x274C, 0x274C, 0x274E, 0x274E, 0x2753, 0x2755, 0x2757, 0x2757, 0x2795, 0x2797, 0x27B0, 0x27B0, 0x27BF, 0x27BF,
  0x2B1B, 0x2B1C, 0x2B50, 0x2B50, 0x2B55, 0x2B55, 0x2E80, 0x3029, 0x302E, 0x303E, 0x3041, 0x3098, 0x309B, 0x3247, 0x3250, 0x4DBF, 0x4E00, 0xA4CF,
  0xA960, 0xA97C, 0xAC00, 0xD7A3, 0xF900, 0xFAFF, 0xFE10, 0xFE19, 0xFE30, 0xFE6B, 0xFF01, 0xFF60, 0xFFE0, 0xFFE6, 0x16FE0, 0x18CFF,
  0x1AFF0, 0x1B2FF, 0x1F004, 0x1F004, 0x1F0CF, 0x1F0CF, 0x1F18E, 0x1F18E, 0x1F191, 0x1F19A, 0x1F200, 0x1F320, 0x1F32D, 0x1F335,
  0x1F337, 0x1F37C, 0x1F37E, 0x1F393, 0x1F3A0, 0x1F3CA, 0x1F3CF, 0x1F3D3, 0x1F3E0, 0x1F3F0, 0x1F3F4, 0x1F3F4, 0x1F3F8, 0x1F3FA,
  0x1F400, 0x1F43E, 0x1F440, 0x1F440, 0x1F442, 0x1F4FC, 0x1F4FF, 0x1F53D, 0x1F54B, 0x1F54E, 0x1F550, 0x1F567, 0x1F57A, 0x1F57A,
  0x1F595, 0x1F596, 0x1F5A4, 0x1F5A4, 0x1F5FB, 0x1F64F, 0x1F680, 0x1F6C5, 0x1F6CC, 0x1F6CC, 0x1F6D0, 0x1F6D2, 0x1F6D5, 0x1F6D7,
  0x1F6DC, 0x1F6DF, 0x1F6EB, 0x1F6EC, 0x1F6F4, 0x1F6FC, 0x1F7E0, 0x1F7EB, 0x1F7F0, 0x1F7F0, 0x1F90C, 0x1F93A, 0x1F93C, 0x1F945,
  0x1F947, 0x1F9FF, 0x1FA70, 0x1FAFF, 0x20000, 0x3FFFD,
}

local function within(ranges, code)
  local low, high = 1, #ranges // 2
  while low <= high do
    local middle = (low + high) // 2
    if code < ranges[2 * middle - 1] then
      high = middle - 1
    elseif code > ranges[2 * middle] then
      low = middle + 1
    else
      return true
    end
  end
  return false
end

local function cells(code)
  if code < 0x300 then return 1 end
  return within(NONE, code) and 0 or within(TWO, code) and 2 or 1
end

--- How many cells of a terminal a masked text takes.
---@param text string UTF-8 without control characters, as `mask` gives it
---@return integer
function M.width(text)
  if not text:find "[\x80-\xff]" then return #text end
  local width = 0
  for _, code in utf8.codes(text) do width = width + cells(code) end
  return width
end

--- The text in exactly so many cells: filled with blanks, or cut, with `…` at the end.
---@param text string as for `width`
---@param width integer 1 or more
---@param right boolean? the text stands at the right
---@return string
function M.fit(text, width, right)
  local own = M.width(text)
  if own > width then
    local used, last = 0, 0
    for place, code in utf8.codes(text) do
      used = used + cells(code)
      if used > width - 1 then break end
      last = place + #utf8.char(code) - 1
    end
    text = text:sub(1, last) .. "…"
    own = M.width(text)
  end
  local blanks = (" "):rep(width - own)
  return right and blanks .. text or text .. blanks
end

-- ── CSV ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- One cell of a CSV file (RFC 4180). What a spreadsheet would run as a formula gets a `'` before it, which it takes for text; a number
-- stays one; control characters but TAB and line breaks are shown.
---@param value any nil: an empty cell
---@param raw boolean? neither of the two: the cell holds what the service sent
---@return string
function M.csv(value, raw)
  if value == nil then return "" end
  local cell = tostring(value)
  if not raw then
    cell = M.mask(cell, "\t\r\n")
    local number = type(value) == "number" or cell:find "^%-%d+%.?%d*$" -- money comes as text
    if cell:find "^[=+%-@\t\r]" and not number then cell = "'" .. cell end
  end
  if cell:find '[",\r\n]' then cell = '"' .. cell:gsub('"', '""') .. '"' end
  return cell
end

return M
