--- `calira metrics`: the text format of Prometheus, by a strict reader of our own (promtool agreed when this was written), and the sums.

local calira = require "calira"
local command = require "spec.support.command"
local exports = require "spec.support.exports"
local helper = require "spec.support.helper"

--- Reads the text format strictly: samples by name, each `labels` and `value`.
local function parse(text)
  local metrics, current = {}, nil
  assert(text:sub(-1) == "\n", "the last line has no end")
  for line in text:gmatch "([^\n]*)\n" do
    local help, kind = line:match "^# HELP ([%a_:][%w_:]*) %S", line:match "^# TYPE ([%a_:][%w_:]*) gauge$"
    if help then
      assert(not metrics[help], help .. " twice")
      metrics[help], current = { samples = {} }, help
    elseif kind then
      assert(kind == current and not metrics[kind].typed, line)
      metrics[kind].typed = true
    else
      local name, labels, value = line:match "^([%a_:][%w_:]*)({.*}) (%S+)$"
      if not name then name, value = line:match "^([%a_:][%w_:]*) (%S+)$" end
      assert(name and name == current and metrics[name].typed and tonumber(value), "no sample: " .. line)
      local sample, rest = { labels = {}, value = tonumber(value) }, labels and labels:sub(2, -2) or ""
      while rest ~= "" do
        local key, start = rest:match '^([%a_][%w_]*)="()'
        assert(key and not sample.labels[key], line)
        local stop = start
        while rest:sub(stop, stop) ~= '"' do
          assert(stop <= #rest, line)
          stop = stop + (rest:sub(stop, stop) == "\\" and (assert(rest:find('^["\\n]', stop + 1), line) and 2) or 1)
        end
        sample.labels[key], rest = rest:sub(start, stop - 1), rest:sub(stop + 1)
        assert(rest == "" or rest:sub(1, 1) == ",", line)
        rest = rest:sub(2)
      end
      table.insert(metrics[name].samples, sample)
    end
  end
  return metrics
end

describe("calira metrics", function()
  it("counts bookings and time by lab and status", function()
    local metrics = parse((command.out "metrics --under 202"))
    local client <close> = helper.client()
    local bookings, seconds = {}, {}
    for b, lab in client:bookings { under = 202 } do
      local key = lab.id .. " " .. b.status:lower()
      bookings[key] = (bookings[key] or 0) + 1
      seconds[key] = (seconds[key] or 0) + calira.seconds(b)
    end
    for name, expected in pairs { calira_bookings = bookings, calira_booked_seconds = seconds } do
      local found = {}
      for _, sample in ipairs(metrics[name].samples) do found[sample.labels.lab_id .. " " .. sample.labels.status] = sample.value end
      assert.same(expected, found)
    end
    assert.near(os.time(), metrics.calira_data_timestamp_seconds.samples[1].value, 60)
    assert.is_true(metrics.calira_api_calls.samples[1].value >= 5)
    assert.equal(4, metrics.calira_labs.samples[1].value)
  end)

  it("keeps names as they are", function()
    local text = command.out "metrics --lab 'Café Photonique'"
    assert.equal("Café Photonique", parse(text).calira_bookings.samples[1].labels.lab)
  end)

  it("replaces its file as a whole, and not where something may be missing", function()
    local folder, remove = exports.folder()
    finally(remove)
    local path = folder .. "/calira.prom"
    assert.equal("", (command.out("metrics --lab 102 --output " .. path)))
    local text = exports.read(path)
    parse(text)
    local _, err, status = command.run("metrics --lab 102 --output " .. path, { scenario = "invisible=3" })
    assert.equal(3, status)
    assert.matches("stays as it was", err, 1, true)
    _, _, status = command.run("metrics --lab 102 --output " .. path, { scenario = "failpath=403:bookings" })
    assert.equal(4, status)
    assert.equal(text, exports.read(path))
    assert.is_nil(exports.read(path .. ".new"))
  end)
end)
