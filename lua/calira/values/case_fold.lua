--- Case folding of names: `ZÜRICH`, `Zürich` and `zürich` are one, in whatever locale the host runs. Nothing here waits.
-- Unicode's full case folding for Latin, Greek and Cyrillic as they are written today; not for polytonic Greek, phonetic letters and
-- other scripts, whose texts compare as they are. An accent that is a character of its own is not joined with its letter.

local utf8 <const> = utf8

--- Runs of capitals: the first, the last, the step from one to the next, and how far away the small letter is.
local RUNS <const> = {
  { 0xC0, 0xD6, 1, 32 }, { 0xD8, 0xDE, 1, 32 }, { 0x100, 0x12E, 2, 1 }, { 0x132, 0x136, 2, 1 }, { 0x139, 0x147, 2, 1 },
  { 0x14A, 0x176, 2, 1 }, { 0x179, 0x17D, 2, 1 }, { 0x182, 0x184, 2, 1 }, { 0x1A0, 0x1A4, 2, 1 }, { 0x1B3, 0x1B5, 2, 1 },
  { 0x1CD, 0x1DB, 2, 1 }, { 0x1DE, 0x1EE, 2, 1 }, { 0x1F8, 0x21E, 2, 1 }, { 0x222, 0x232, 2, 1 }, { 0x246, 0x24E, 2, 1 },
  { 0x388, 0x38A, 1, 37 }, { 0x38E, 0x38F, 1, 63 }, { 0x391, 0x3A1, 1, 32 }, { 0x3A3, 0x3AB, 1, 32 }, { 0x3D8, 0x3EE, 2, 1 },
  { 0x400, 0x40F, 1, 80 }, { 0x410, 0x42F, 1, 32 }, { 0x460, 0x480, 2, 1 }, { 0x48A, 0x4BE, 2, 1 }, { 0x4C1, 0x4CD, 2, 1 },
  { 0x4D0, 0x52E, 2, 1 }, { 0x1E00, 0x1E94, 2, 1 }, { 0x1EA0, 0x1EFE, 2, 1 }, { 0x2160, 0x216F, 1, 16 },
}

--- Those that stand alone: variants of a letter, and what folds to several.
local ALONE <const> = {
  ["µ"] = "μ", ["ß"] = "ss", ["ẞ"] = "ss", ["İ"] = "i̇", ["ŉ"] = "ʼn", ["Ÿ"] = "ÿ", ["ſ"] = "s", ["Ɓ"] = "ɓ", ["Ɔ"] = "ɔ", ["Ƈ"] = "ƈ",
  ["Ɖ"] = "ɖ", ["Ɗ"] = "ɗ", ["Ƌ"] = "ƌ", ["Ǝ"] = "ǝ", ["Ə"] = "ə", ["Ɛ"] = "ɛ", ["Ƒ"] = "ƒ", ["Ɠ"] = "ɠ", ["Ɣ"] = "ɣ", ["Ɩ"] = "ɩ",
  ["Ɨ"] = "ɨ", ["Ƙ"] = "ƙ", ["Ɯ"] = "ɯ", ["Ɲ"] = "ɲ", ["Ɵ"] = "ɵ", ["Ʀ"] = "ʀ", ["Ƨ"] = "ƨ", ["Ʃ"] = "ʃ", ["Ƭ"] = "ƭ", ["Ʈ"] = "ʈ",
  ["Ư"] = "ư", ["Ʊ"] = "ʊ", ["Ʋ"] = "ʋ", ["Ʒ"] = "ʒ", ["Ƹ"] = "ƹ", ["Ƽ"] = "ƽ", ["Ǆ"] = "ǆ", ["ǅ"] = "ǆ", ["Ǉ"] = "ǉ", ["ǈ"] = "ǉ",
  ["Ǌ"] = "ǌ", ["ǋ"] = "ǌ", ["Ǳ"] = "ǳ", ["ǲ"] = "ǳ", ["Ǵ"] = "ǵ", ["Ƕ"] = "ƕ", ["Ƿ"] = "ƿ", ["Ƞ"] = "ƞ", ["Ⱥ"] = "ⱥ",
  ["Ȼ"] = "ȼ", ["Ƚ"] = "ƚ", ["Ⱦ"] = "ⱦ", ["Ɂ"] = "ɂ", ["Ƀ"] = "ƀ", ["Ʉ"] = "ʉ", ["Ʌ"] = "ʌ", ["Ͱ"] = "ͱ", ["Ͳ"] = "ͳ", ["Ͷ"] = "ͷ",
  ["Ϳ"] = "ϳ", ["Ά"] = "ά", ["Ό"] = "ό", ["ς"] = "σ", ["Ϗ"] = "ϗ", ["ϐ"] = "β", ["ϑ"] = "θ", ["ϕ"] = "φ",
  ["ϖ"] = "π", ["ϰ"] = "κ", ["ϱ"] = "ρ", ["ϴ"] = "θ", ["ϵ"] = "ε", ["Ϸ"] = "ϸ", ["Ϲ"] = "ϲ", ["Ϻ"] = "ϻ", ["Ͻ"] = "ͻ", ["Ͼ"] = "ͼ",
  ["Ͽ"] = "ͽ", ["Ӏ"] = "ӏ", ["ẛ"] = "ṡ", ["\u{2126}"] = "ω", ["\u{212A}"] = "k", ["\u{212B}"] = "å",
}

--- Character → folded; made on first use: most names are ASCII.
local folded

local function make()
  local map = {}
  for from, to in pairs(ALONE) do map[from] = to end
  for _, run in ipairs(RUNS) do
    for code = run[1], run[2], run[3] do map[utf8.char(code)] = utf8.char(code + run[4]) end
  end
  return map
end

local small <const> = {}
for byte = 65, 90 do small[string.char(byte)] = string.char(byte + 32) end

--- A text by which texts compare without regard to case; what is no UTF-8 stays as it is.
---@param text string
---@return string
return function(text)
  text = text:gsub("[A-Z]", small)
  if not text:find "[\x80-\xff]" then return text end
  folded = folded or make()
  return (text:gsub(utf8.charpattern, folded))
end
