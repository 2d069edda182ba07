--- The recipes of examples/fleet: those that can, run; the others are read by what they are for.

local fleet = require "spec.support.fleet_export"
local helper = require "spec.support.helper"
local postgres = require "spec.support.postgres"

local function output(command, ...)
  local pipe <close> = assert(io.popen(command:format(...) .. " 2>&1; echo status $?"))
  return pipe:read "a"
end

describe("examples/fleet", function()
  it("parallel.sh exports with several workers at once, names quoted", function()
    local database <close> = postgres.start()
    local said = output("CALIRA_COMMAND='%s/bin/calira' CALIRA_BASE_URL='%s' CALIRA_TOKEN=%s "
      .. "sh examples/fleet/parallel.sh 'postgresql:///postgres?host=%s&user=tester' : 3 --under 'University of the Large Labs'",
      os.getenv "PWD", (helper.url "large=6:40;per=10;latency=10"), helper.token, database.folder)
    assert.matches("status 0\n$", said)
    assert.same({ rows = 240, ids = 240, labs = 6, costs = 0, gone = 0 }, fleet.held(database))
    assert.equal("1", database:sql "SELECT count(*) FROM calira_limits") -- one rate for all
    assert.equal("t", database:sql "SELECT count(DISTINCT worker) > 0 FROM calira_labs")
  end)

  it("the systemd units are such", function()
    local folder = os.tmpname()
    os.remove(folder)
    os.execute("mkdir " .. folder .. " && cp examples/fleet/calira-export.* " .. folder)
    local said = output("systemd-analyze verify --man=no %s/calira-export.service %s/calira-export.timer", folder, folder)
    os.execute("rm -rf " .. folder)
    assert.equal("status 0\n", said)
  end)

  it("the Slurm script takes its share", function()
    local database <close> = postgres.start()
    for task = 1, 2 do
      local said = output("env SLURM_ARRAY_TASK_ID=%d SLURM_ARRAY_TASK_COUNT=2 PATH=\"$PWD/bin:$PATH\" CALIRA_BASE_URL='%s' CALIRA_TOKEN=%s "
        .. "CALIRA_EXPORT='postgresql:///postgres?host=%s&user=tester' CALIRA_UNDER=202 CALIRA_LIMITS= sh examples/fleet/export.sbatch",
        task, (helper.url "bookings=20"), helper.token, database.folder)
      assert.matches("status 0\n$", said)
    end
    assert.equal("4", database:sql "SELECT count(*) FROM calira_labs WHERE state = 'done'")
  end)

  it("the Kubernetes manifest has the fields that the API wants", function()
    local path = os.tmpname()
    local file <close> = assert(io.open(path, "w"))
    file:write [[
import sys, yaml
secret, cron = yaml.safe_load_all(open("examples/fleet/export.yaml"))
assert (secret["apiVersion"], secret["kind"], secret["type"]) == ("v1", "Secret", "Opaque")
assert all(isinstance(v, str) for v in secret["stringData"].values())
assert (cron["apiVersion"], cron["kind"]) == ("batch/v1", "CronJob") and len(cron["spec"]["schedule"].split()) == 5
job = cron["spec"]["jobTemplate"]["spec"]
assert set(job) == {"completionMode", "completions", "parallelism", "backoffLimit", "template"} and job["completionMode"] == "Indexed"
pod = job["template"]["spec"]
assert pod["restartPolicy"] in ("OnFailure", "Never")
(container,) = pod["containers"]
env = {e["name"]: e["value"] for e in container["env"]}
assert env["JOB_COMPLETIONS"] == str(job["completions"])
assert container["envFrom"] == [{"secretRef": {"name": secret["metadata"]["name"]}}]
]]
    file:flush()
    local said = output("python3 %s", path)
    os.remove(path)
    assert.equal("status 0\n", said)
  end)
end)
