--- Pages of reports: one file each, with their style and without scripts, for screens from a phone's up, light and dark, and for paper.
-- What comes from the service is masked and escaped. Nothing here waits.

local text <const> = require "calira.values.text"

local M = {}

--- A value as text of a page, also inside a quoted attribute.
function M.escape(value)
  return (text.mask(value):gsub('[&<>"]', { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }))
end

-- ── Colours ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- Background and text of each step of a scale, from nothing to most; `ink` are the texts and lines of a page. Every text has a contrast of
--- at least 4.5:1 with what is behind it (WCAG 2.1, 1.4.3); a spec holds them to it.
M.LIGHT = {
  page = "#ffffff", text = "#1c2733", soft = "#55616d", line = "#d5dce3", bar = "#2f6fa8", before = "#8b99a7", warn = "#8a3b00",
  { "#f1f4f7", "#55616d" }, { "#d6e6f5", "#1c2733" }, { "#a9cbea", "#1c2733" }, { "#6fa8d8", "#10202e" }, { "#2f6fa8", "#ffffff" },
  { "#123f6b", "#ffffff" },
}
M.DARK = {
  page = "#12181e", text = "#e6ebf0", soft = "#a3b0bd", line = "#34404b", bar = "#63a9e0", before = "#7b8a98", warn = "#ffb37a",
  { "#1c242c", "#a3b0bd" }, { "#1d3a55", "#e6ebf0" }, { "#235680", "#ffffff" }, { "#2d6ea3", "#ffffff" }, { "#63a9e0", "#0b141c" },
  { "#b5dbfb", "#0b141c" },
}

local INKS <const> = { "page", "text", "soft", "line", "bar", "before", "warn" }

--- The colours as properties: `--text`, …, and `--s0`, `--t0`, … of the steps.
local function properties(colours)
  local parts = {}
  for _, name in ipairs(INKS) do parts[#parts + 1] = ("--%s: %s;"):format(name, colours[name]) end
  for i, step in ipairs(colours) do parts[#parts + 1] = ("--s%d: %s; --t%d: %s;"):format(i - 1, step[1], i - 1, step[2]) end
  return table.concat(parts, " ")
end

--- The classes s0, s1, … of the steps.
local function classes()
  local parts = {}
  for i = 0, #M.LIGHT - 1 do parts[#parts + 1] = (".s%d { background: var(--s%d); color: var(--t%d); }"):format(i, i, i) end
  return table.concat(parts, "\n")
end

local STYLE <const> = ([[
:root { color-scheme: light dark; %s }
@media screen and (prefers-color-scheme: dark) { :root { %s } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.25rem 1rem 2rem; max-width: 68rem; background: var(--page); color: var(--text);
  font: 1rem/1.45 system-ui, "DejaVu Sans", sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.5rem; line-height: 1.2; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 1.75rem 0 .25rem; }
p { margin: .25rem 0; } .soft, small, footer { color: var(--soft); } .warn { color: var(--warn); }
.figures { display: flex; flex-wrap: wrap; gap: .75rem 2.5rem; margin: 1rem 0 0; padding: 0; list-style: none; }
.figures b { display: block; font-size: 2rem; line-height: 1.1; } .figures span { display: block; }
.figures small { display: block; font-size: .875rem; }
main { display: grid; gap: 0 3rem; grid-template-columns: minmax(0, 1fr); }
@media (min-width: 48rem) { main { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%%; font-size: .875rem; }
.rows th, .rows td { padding: .35rem .75rem .35rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
.rows .number { text-align: right; white-space: nowrap; } .rows small { display: block; }
.rows tr > :last-child { padding-right: 0; }
footer { margin-top: 2rem; padding-top: .5rem; border-top: 1px solid var(--line); font-size: .875rem; }
%s
@media print {
  @page { margin: 14mm; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { max-width: none; padding: 0; font-size: 10pt; } h1, h2 { break-after: avoid; } tr, li { break-inside: avoid; }
  .figures { gap: .5rem 1.5rem; } .figures b { font-size: 16pt; } .wide { overflow: visible; } thead { display: table-header-group; }
}
]]):format(properties(M.LIGHT), properties(M.DARK), classes())

-- ── Parts ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- A table of rows.
---@param columns table[] `title`, `field` or `value(row)` → text, `small(row)` → a second line or nil, `kind`: "number" stands at the right
---@param rows table[]
---@return string
function M.table(columns, rows)
  local parts = { '<div class="wide"><table class="rows"><thead><tr>' }
  local function put(...) parts[#parts + 1] = table.concat { ... } end
  local function class(column) return column.kind == "number" and ' class="number"' or "" end
  for _, column in ipairs(columns) do put("<th scope=\"col\"", class(column), ">", M.escape(column.title), "</th>") end
  put "</tr></thead><tbody>"
  for _, row in ipairs(rows) do
    put "<tr>"
    for _, column in ipairs(columns) do
      local value
      if column.value then value = column.value(row) else value = row[column.field] end
      local small = column.small and column.small(row)
      put("<td", class(column), ">", value == nil and "–" or M.escape(value), small and "<small>" .. M.escape(small) .. "</small>" or "", "</td>")
    end
    put "</tr>\n"
  end
  put "</tbody></table></div>"
  return table.concat(parts)
end

--- The figures that lead a page.
---@param figures table[] `value`, `text`, `small` (nil: none)
function M.figures(figures)
  local parts = { '<ul class="figures">' }
  for _, figure in ipairs(figures) do
    parts[#parts + 1] = ("<li><b>%s</b><span>%s</span>%s</li>"):format(M.escape(figure.value), M.escape(figure.text),
      figure.small and "<small>" .. M.escape(figure.small) .. "</small>" or "")
  end
  return table.concat(parts) .. "</ul>"
end

--- A page.
---@param page table `title`; `subtitle`; `body`: markup; `style`: more of it; `made`: lines of what it was made from; `warnings`: lines
---@return string
function M.page(page)
  local parts = {}
  local function put(format, ...) parts[#parts + 1] = select("#", ...) > 0 and format:format(...) or format end
  put('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>%s</title>', M.escape(page.title))
  put '<meta name="viewport" content="width=device-width, initial-scale=1">'
  put [[<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">]]
  put("<style>\n%s%s</style></head><body>", STYLE, page.style or "")
  put("<header><h1>%s</h1><p class=\"soft\">%s</p></header>", M.escape(page.title), M.escape(page.subtitle or ""))
  for _, line in ipairs(page.warnings or {}) do put("<p class=\"warn\">%s</p>", M.escape(line)) end
  put("%s", page.body)
  put "<footer>"
  for _, line in ipairs(page.made) do put("<p>%s</p>", M.escape(line)) end
  put "</footer></body></html>\n"
  return table.concat(parts, "\n")
end

return M
