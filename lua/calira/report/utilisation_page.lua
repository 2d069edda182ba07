--- The page of the report on utilisation: what share of the bookable hours was booked, when, and which instruments. Nothing here waits.

local html <const> = require "calira.report.html"

local M = {}

local DAYS <const> = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" }
local BARS <const> = 25                 -- instruments in the chart at most; the table has all
local NICE <const> = { 0.05, 0.1, 0.2, 0.25, 0.4, 0.5, 0.75, 1 } -- ends of scales
local STEPS <const> = 5                 -- of the heat map's scale, besides nothing

local STYLE <const> = [[
.heat { table-layout: fixed; border-collapse: separate; border-spacing: 2px; max-width: 36rem; }
.heat th { font-weight: 400; padding: .1rem 0; } .heat th:first-child { width: 3.1rem; text-align: right; padding-right: .35rem; }
.heat td { text-align: center; padding: .16rem 0; border-radius: 3px; } .heat .none { background: none; }
.legend { display: flex; flex-wrap: wrap; gap: .25rem; list-style: none; margin: .5rem 0; padding: 0; font-size: .875rem; }
.legend li { padding: .1rem .5rem; border-radius: 3px; }
.fold, .fold + label { display: none; }
@media screen and (max-width: 47.99rem) {
  .fold, .fold + label { display: inline; } .fold { margin: 0 .4rem 0 0; } .fold + label { font-size: .875rem; }
  .fold:not(:checked) ~ table tr.night { display: none; }
}
.bars { list-style: none; margin: .5rem 0; padding: 0; } .bars li { margin: 0 0 .55rem; font-size: .875rem; }
.bars .head { display: flex; justify-content: space-between; gap: 1rem; } .bars .head span:last-child { white-space: nowrap; }
.bars small { font-size: inherit; }
.track { position: relative; height: .8rem; background: var(--s0); }
.track i { position: absolute; left: 0; top: 0; height: .5rem; background: var(--bar); }
.track i.before { top: auto; bottom: 0; height: .2rem; background: var(--before); }
.axis { display: flex; justify-content: space-between; color: var(--soft); font-size: .875rem; }
.key { display: inline-block; width: 1.2rem; height: .6rem; background: var(--bar); margin-right: .35rem; }
.key.before { height: .2rem; vertical-align: middle; background: var(--before); margin-left: 1rem; }
@media print { main { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0 2rem; } .heat td, .heat th { padding: 0; font-size: 8pt; } }
]]

local function percent(share) return ("%.1f %%"):format(100 * share) end

local function hours(seconds) return ("%.1f"):format(seconds / 3600) end

--- The end of a scale that holds a share.
local function scale_of(most)
  for _, top in ipairs(NICE) do
    if most <= top then return top end
  end
  return 1
end

--- A share as a whole per cent; one that is not 0 never reads as 0.
local function short(share)
  if share > 0 and share < 0.005 then return "<1" end
  return ("%.0f"):format(100 * share)
end

-- ── The heat map ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- The step of a share: 0 for nothing.
local function step_of(share, top)
  if share <= 0 then return 0 end
  return math.max(1, math.min(STEPS, math.ceil(share / top * STEPS - 1e-9)))
end

local function legend(top)
  local parts = { '<ul class="legend"><li class="s0">0 %</li>' }
  for step = 1, STEPS do
    parts[#parts + 1] = ('<li class="s%d">%s%g %%</li>'):format(step, step == 1 and "up to " or "", 100 * top * step / STEPS)
  end
  return table.concat(parts) .. "</ul>"
end

local function heat_row(heat, hour, top, night)
  local cells = { ('<tr%s><th scope="row">%02d:00</th>'):format(night and ' class="night"' or "", hour) }
  for day, name in ipairs(DAYS) do
    local share = heat[day][hour]
    if share then
      cells[#cells + 1] = ('<td class="s%d" title="%s %02d:00: %s of the instruments">%s</td>'):format(
        step_of(share, top), name, hour, percent(share), short(share))
    else
      cells[#cells + 1] = '<td class="none">–</td>'
    end
  end
  return table.concat(cells) .. "</tr>"
end

local function heat_map(heat, day_hours)
  local most = 0
  for day = 1, 7 do
    for _, share in pairs(heat[day]) do most = math.max(most, share) end
  end
  local top <const> = scale_of(most)
  local first, last = day_hours[1], day_hours[2]
  local parts = {
    legend(top),
    ('<input type="checkbox" class="fold" id="night"><label for="night">Also the hours from %02d:00 to %02d:00</label>')
      :format(last % 24, first % 24),
    '<table class="heat"><thead><tr><th></th>',
  }
  for _, name in ipairs(DAYS) do parts[#parts + 1] = ('<th scope="col">%s</th>'):format(name) end
  parts[#parts + 1] = "</tr></thead><tbody>"
  for hour = 0, 23 do
    local within = first < last and hour >= first and hour < last or first >= last and (hour >= first or hour < last)
    parts[#parts + 1] = heat_row(heat, hour, top, not within)
  end
  return table.concat(parts, "\n") .. "</tbody></table>"
end

-- ── The bars ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local function bar(i, before, top)
  local own = ('<i style="width:%.2f%%"></i>'):format(100 * i.share / top)
  local other = before and before > 0 and ('<i class="before" style="width:%.2f%%"></i>'):format(100 * math.min(before / top, 1)) or ""
  return ('<li><div class="head"><span>%s<small>%s</small></span><span>%s, %s h</span></div><div class="track">%s%s</div></li>'):format(
    html.escape(i.name or "-"), i.lab and ", " .. html.escape(i.lab) or "", percent(i.share), hours(i.seconds), own, other)
end

local function bars(now, shares_before, name_before)
  local most, count = 0, 0
  for n = 1, math.min(BARS, #now.instruments) do
    local i = now.instruments[n]
    if i.seconds > 0 then
      count = n
      most = math.max(most, i.share, shares_before[tostring(i.id)] or 0)
    end
  end
  local top <const> = scale_of(most)
  local parts = {
    ('<p class="soft">Share of the bookable hours, of the %d with most booked hours of %d.</p>'):format(count, #now.instruments),
    ('<p class="soft"><span class="key"></span>%s<span class="key before"></span>%s</p><ol class="bars">')
      :format(html.escape(now.name), html.escape(name_before)),
  }
  for n = 1, count do parts[#parts + 1] = bar(now.instruments[n], shares_before[tostring(now.instruments[n].id)], top) end
  parts[#parts + 1] = ('</ol><div class="axis"><span>0 %%</span><span>%g %%</span></div>'):format(100 * top)
  return table.concat(parts, "\n")
end

-- ── The page ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local function points(now, before)
  local difference = 100 * (now - before)
  return ("%s%.1f points"):format(difference < 0 and "−" or "+", math.abs(difference))
end

local function lead(now, before)
  local count <const> = #now.instruments
  return html.figures {
    { value = percent(now.share), text = "of the bookable hours were booked",
      small = ("%s in %s (%s)"):format(percent(before.share), before.name, points(now.share, before.share)) },
    { value = ("%d of %d"):format(now.idle, count), text = "instruments idle",
      small = ("%d of %d in %s"):format(before.idle, #before.instruments, before.name) },
    { value = hours(now.seconds), text = ("hours booked, in %d bookings"):format(now.bookings),
      small = ("%s, in %d, in %s"):format(hours(before.seconds), before.bookings, before.name) },
  }
end

--- Makes the page.
---@param now table a result of report/utilisation.lua, with `name`, that of its span
---@param before table the same of the span before
---@param page table `title`, `subtitle`, `made`, `warnings`; see html.lua; `day`: the hours that are not folded on a phone, `{ 7, 20 }`
---@return string
function M.page(now, before, page)
  local shares_before = {}
  for _, i in ipairs(before.instruments) do shares_before[tostring(i.id)] = i.share end
  local columns <const> = {
    { title = "Instrument", value = function(i) return i.name or "-" end, small = function(i) return i.lab end },
    { title = now.name, kind = "number", value = function(i) return percent(i.share) end },
    { title = before.name, kind = "number", value = function(i) return percent(shares_before[tostring(i.id)] or 0) end },
    { title = "Hours", kind = "number", value = function(i) return hours(i.seconds) end },
    { title = "Bookings", kind = "number", field = "bookings" },
  }
  local body = table.concat({
    lead(now, before),
    "<main><section><h2>When</h2><p class=\"soft\">Share of the instruments in use, in per cent, on average of each weekday.</p>",
    heat_map(now.heat, page.day), "</section><section><h2>What</h2>", bars(now, shares_before, before.name), "</section></main>",
    "<h2>All instruments</h2>", html.table(columns, now.instruments),
  }, "\n")
  return html.page { title = page.title, subtitle = page.subtitle, body = body, style = STYLE, made = page.made, warnings = page.warnings }
end

return M
