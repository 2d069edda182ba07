-- Makes docs/reference.html, one page that needs nothing else, of lua/calira/types.lua.
-- Usage: lua5.4 docs/generate.lua [--check]
--
-- It fails, and writes nothing, where a public function has no description or a parameter that is not described. With --check it only says
-- whether the page is what the types make; status 1 where it is not. (cmake --build build/release --target docs)

local TYPES <const>, PAGE <const> = "lua/calira/types.lua", "docs/reference.html"

-- What a reader looks for first comes first.
local ORDER <const> = {
  "Clients", "The module", "Lists", "The hierarchy", "Requests, responses, tasks, errors", "Beside the module", "Records",
}

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

-- ── Reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

--- A type at the start of a text, and what follows it. A type ends at the first blank outside of brackets that no `,`, `:` or `|` precedes.
local function split_type(text)
  local depth, place = 0, 1
  while place <= #text do
    local c = text:sub(place, place)
    if c:find "[%(%[{<]" then depth = depth + 1 elseif c:find "[%)%]}>]" then depth = depth - 1 end
    if c == " " and depth == 0 and not text:sub(1, place - 1):find "[,:|]$" then break end
    place = place + 1
  end
  return text:sub(1, place - 1), text:sub(place + 1)
end

--- The sections of types.lua in their order: `title`, `prose`, `items`: classes, aliases and functions, each with its `prose`.
local function parse(source)
  local sections, section, classes, owners = {}, nil, {}, {}
  local item
  local function fresh() item = { prose = {}, fields = {}, params = {}, returns = {}, overloads = {} } end
  local function add(kind, name)
    item.kind, item.name = kind, name
    section.items[#section.items + 1] = item
    return item
  end
  fresh()
  local class
  for line in source:gmatch "([^\n]*)\n" do
    local title = line:match "^%-%- ── (.-) ─"
    local tag, rest = line:match "^%-%-%-@(%w+) ?(.*)$"
    local owner, separator, name, parameters = line:match "^function ([%w.]+)([.:])([%w_]+)%((.-)%)"
    if title then
      section = { title = title, prose = {}, items = {} }
      sections[#sections + 1] = section
      fresh()
    elseif tag == "class" then
      local exact = rest:find "^%(exact%)" ~= nil
      local own, parents = rest:gsub("^%(exact%) ", ""):match "^([%w._]+):?%s*(.*)$"
      class = add("class", own)
      class.exact, class.parents, classes[own] = exact, parents, class
      fresh()
    elseif tag == "alias" then
      local alias, text = rest:match "^(%S+) (.*)$"
      add("alias", alias).type = text
      fresh()
    elseif tag == "field" then
      local field, text = rest:match "^(%S+) (.*)$"
      local kind, words = split_type(text)
      class.fields[#class.fields + 1] = { name = field, type = kind, text = words }
    elseif tag == "param" then
      local parameter, text = rest:match "^(%S+) (.*)$"
      local kind, words = split_type(text)
      item.params[#item.params + 1] = { name = parameter, type = kind, text = words }
    elseif tag == "return" then
      local kind, words = split_type(rest)
      item.returns[#item.returns + 1] = { type = kind, text = words }
    elseif tag == "overload" then
      local of = #item.prose > 0 and item or class -- that of a class comes right after it: what a loop gets
      of.overloads[#of.overloads + 1] = rest
    elseif owner then
      local method = add("function", name)
      method.owner, method.separator, method.parameters = owners[owner] or owner, separator, parameters
      fresh()
    elseif line:find "^%-%-%- ?" and not tag then
      item.prose[#item.prose + 1] = line:sub(5)
    elseif line:find "^local %w+ = {}" or line:find "^calira%.oauth = {}" then
      owners[line:match "^local (%w+)" or "calira.oauth"] = class.name
    elseif section and line:find "^%-%- " then
      section.prose[#section.prose + 1] = line:sub(4)
    elseif line == "" then
      fresh()
    end
  end
  return sections, classes
end

--- What is missing, as lines.
local function undocumented(sections)
  local missing = {}
  for _, section in ipairs(sections) do
    for _, item in ipairs(section.items) do
      if item.kind == "function" then
        local full = item.owner .. item.separator .. item.name
        if #item.prose == 0 then missing[#missing + 1] = full .. " has no description" end
        local described = {}
        for _, param in ipairs(item.params) do described[param.name:gsub("%?$", "")] = true end
        for parameter in item.parameters:gmatch "[^, ]+" do
          if not described[parameter] then missing[#missing + 1] = ("%s: parameter %s is not described"):format(full, parameter) end
        end
      end
    end
  end
  return missing
end

-- ── Writing ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local function escape(text) return (text:gsub("[&<>\"]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" })) end

--- Comment text as HTML: `code` in backticks.
local function prose(text) return (escape(text):gsub("`([^`]+)`", "<code>%1</code>")) end

local known = {}                                            -- names with a place on the page

--- A type as code, with links. A field that may be absent says so by `?`.
local function type_of(text)
  local linked = escape(text):gsub("calira%.[%w_.]+", function(name)
    return known[name] and ('<a href="#%s">%s</a>'):format(name, (name:gsub("^calira%.", ""))) or name:gsub("^calira%.", "")
  end)
  return "<code>" .. linked:gsub("|", "|<wbr>") .. "</code>"
end

local function rows(list, header)
  if #list == 0 then return "" end
  local lines = { ('<table><thead><tr><th>%s</th><th>type</th><th></th></tr></thead><tbody>'):format(header) }
  for _, each in ipairs(list) do
    lines[#lines + 1] = ("<tr><td><code>%s</code></td><td>%s</td><td>%s</td></tr>")
      :format(escape(each.name or ""), type_of(each.type), prose(each.text))
  end
  lines[#lines + 1] = "</tbody></table>"
  return table.concat(lines, "\n")
end

--- What a class's methods are called on, in examples.
local SUBJECTS <const> = {
  ["calira.Client"] = "client", ["calira.List"] = "list", ["calira.Tree"] = "tree", ["calira.Request"] = "request",
  ["calira.Response"] = "response", ["calira.Task"] = "task", ["calira.Generator"] = "generator",
}

local function address_of(item) return item.owner .. "." .. item.name end

local function is_loop(returns)
  return #returns == 4 and returns[2].type == "nil" and returns[1].type == returns[4].type
end

local function function_html(item, twins)
  local subject = SUBJECTS[item.owner] or item.owner
  local name = ("%s%s%s"):format(subject, item.separator, item.name)
  local out = { ('<section class="function" id="%s"><h3><code>%s<span>(%s)</span></code></h3>')
    :format(address_of(item), escape(name), escape(item.parameters)) }
  local also = {}
  for _, overload in ipairs(item.overloads) do
    local arguments, result = overload:match "^fun%((.-)%): (.*)$"
    local names = {}
    for argument in arguments:gmatch "([%w_]+): " do if argument ~= "self" then names[#names + 1] = argument end end
    also[#also + 1] = ("<code>%s(%s)</code> returns %s"):format(escape(name), table.concat(names, ", "), type_of(result))
  end
  if twins[item.name] and item.owner == "calira.Client" then
    table.insert(also, 1, ("<code>calira.%s(%s)</code>"):format(item.name, escape(item.parameters)))
  end
  if #also > 0 then out[#out + 1] = '<p class="also">also ' .. table.concat(also, " · ") .. "</p>" end
  out[#out + 1] = "<p>" .. prose(table.concat(item.prose, " ")) .. "</p>"
  out[#out + 1] = rows(item.params, "parameter")
  if is_loop(item.returns) then
    local kind = item.returns[1].type
    local record = kind:match "^calira%.(%u%a+)List$"
    out[#out + 1] = ("<p>Returns %s and three more values for <code>for</code>, so that leaving the loop closes it.</p>")
      :format(record and ("a %s of %s"):format(type_of "calira.List", type_of("calira." .. record)) or type_of(kind))
  elseif #item.returns > 0 then
    local parts = {}
    for i, each in ipairs(item.returns) do
      parts[i] = type_of(each.type) .. (each.text ~= "" and " " .. prose(each.text) or "")
    end
    out[#out + 1] = "<p>Returns " .. table.concat(parts, ", ") .. ".</p>"
  end
  out[#out + 1] = "</section>"
  return table.concat(out, "\n")
end

local function class_html(item)
  local out = { ('<section class="class" id="%s"><h3>%s</h3>'):format(item.name, escape((item.name:gsub("^calira%.", "")))) }
  if #item.prose > 0 then out[#out + 1] = "<p>" .. prose(table.concat(item.prose, " ")) .. "</p>" end
  if item.parents ~= "" then
    out[#out + 1] = ("<p>%s %s%s</p>"):format("Everything of", type_of(item.parents), #item.fields > 0 and ", and:" or ".")
  end
  if item.overloads[1] then
    out[#out + 1] = "<p>In a loop it gives " .. type_of(item.overloads[1]:match "^fun%(%): (.*)$") .. ".</p>"
  end
  out[#out + 1] = rows(item.fields, item.exact and "option" or "field")
  out[#out + 1] = "</section>"
  return table.concat(out, "\n")
end

local function alias_html(item)
  return ('<section class="class" id="%s"><h3>%s</h3><p>%s</p><p>%s</p></section>')
    :format(item.name, escape((item.name:gsub("^calira%.", ""))), prose(table.concat(item.prose, " ")), type_of(item.type))
end

--- The items of a section: first what has functions, and these; then what they take and give.
local function sorted(items)
  local owners, first, rest = {}, {}, {}
  for _, item in ipairs(items) do if item.owner then owners[item.owner] = true end end
  for _, item in ipairs(items) do
    local list = (item.owner or owners[item.name]) and first or rest
    list[#list + 1] = item
  end
  return table.move(rest, 1, #rest, #first + 1, first)
end

--- Lists of a kind of record differ only in what they give, and are described once, as `List`.
local function is_kind_of_list(item) return item.kind == "class" and item.parents == "calira.List" end

local function page_of(sections)
  local twins, of_client = {}, {}
  for _, section in ipairs(sections) do
    for _, item in ipairs(section.items) do
      if item.kind ~= "function" then known[item.name] = not is_kind_of_list(item) or nil end
      if item.owner == "calira.Client" then of_client[item.name] = true end
      if item.owner == "calira" then twins[item.name] = true end
    end
  end
  local navigation, body, by_title = {}, {}, {}
  for _, section in ipairs(sections) do by_title[section.title] = section end
  for number, title in ipairs(ORDER) do
    local section = assert(by_title[title], title)
    local links = {}
    local function put(html, address, label)
      body[#body + 1] = html
      links[#links + 1] = ('<a href="#%s">%s</a>'):format(address, escape(label))
    end
    body[#body + 1] = ('<h2 id="section-%d">%s</h2>'):format(number, escape(title))
    if #section.prose > 0 then body[#body + 1] = "<p>" .. prose(table.concat(section.prose, " ")) .. "</p>" end
    for _, item in ipairs(sorted(section.items)) do
      local label = item.name:gsub("^calira%.", "")
      if item.kind == "function" then
        local twin = item.owner == "calira" and of_client[item.name]
        local subject = SUBJECTS[item.owner] or item.owner
        if not twin then put(function_html(item, twins), address_of(item), subject .. item.separator .. item.name) end
      elseif item.kind == "alias" then
        put(alias_html(item), item.name, label)
      elseif not is_kind_of_list(item) then
        put(class_html(item), item.name, label)
      end
    end
    navigation[#navigation + 1] = ('<details%s><summary><a href="#section-%d">%s</a></summary>\n%s\n</details>')
      :format(number == 1 and " open" or "", number, escape(title), table.concat(links, "\n"))
  end
  return read "docs/reference.template.html":gsub("%%(%u+)%%", {
    NAVIGATION = table.concat(navigation, "\n"), BODY = table.concat(body, "\n"),
  })
end

-- ── The program ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

local sections = parse(read(TYPES))
local missing = undocumented(sections)
if #missing > 0 then
  io.stderr:write(TYPES, ": ", table.concat(missing, "\n" .. TYPES .. ": "), "\n")
  os.exit(1)
end
local page = page_of(sections)
if arg[1] == "--check" then
  local file <close> = io.open(PAGE, "rb")
  if not file or file:read "a" ~= page then
    io.stderr:write(PAGE, " is not what ", TYPES, " makes: run lua5.4 docs/generate.lua\n")
    os.exit(1)
  end
else
  local file <close> = assert(io.open(PAGE, "wb"))
  assert(file:write(page))
end
