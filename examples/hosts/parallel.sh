#!/bin/sh
# Reads labs in several processes at once, by GNU parallel: sh examples/hosts/parallel.sh [JOBS]
# Prints a lab's id and how many bookings it has, a line each. A lab that fails ends it all with an exit status.
# Each process counts its own calls: for an account with a limit of calls, give each client a `rate`.
set -eu
lua5.4 -e 'for _, lab in ipairs(require("calira").tree():labs()) do print(lab.id) end' |
  parallel --will-cite --jobs "${1:-4}" --halt now,fail=1 lua5.4 -e "'
    local count = 0
    for _ in require(\"calira\").bookings{ provider = {} } do count = count + 1 end
    print({}, count)'"
