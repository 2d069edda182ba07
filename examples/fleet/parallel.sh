#!/bin/sh
# An export by several machines over ssh, by GNU parallel: sh examples/fleet/parallel.sh DATABASE SSHLOGINS [WORKERS] [calira's options…]
#
#   sh examples/fleet/parallel.sh postgresql://db.example.org/calira 4/one.example.org,4/two.example.org 8 --under "Faculty of Physics"
#
# SSHLOGINS is what parallel takes; `:` is this machine. The workers share the labs by a queue in the database; one that fails or is killed
# is started again, up to five times, and goes on with what is left. The machines need calira, ~/.pgpass, and the grant in the database.
set -eu
database=$1 machines=$2 workers=${3:-4}
[ $# -lt 3 ] && shift 2 || shift 3
run=$(date -u +%Y%m%dT%H%M%SZ)-$$
calira=${CALIRA_COMMAND:-calira}
export CALIRA_GRANT_STORE="${CALIRA_GRANT_STORE-$database}" CALIRA_LIMITS="${CALIRA_LIMITS-$database}"
# Quoted twice: by parallel for each machine's shell, and here for parallel's own.
seq "$workers" | parallel --will-cite --sshlogin "$machines" --jobs 0 --retries 5 --line-buffer \
  --env CALIRA_GRANT_STORE,CALIRA_LIMITS,CALIRA_TOKEN,CALIRA_BASE_URL -N0 \
  "$calira" export "$(parallel --keep-order --shellquote ::: "$database")" --run "$run" $([ $# -eq 0 ] || parallel --keep-order --shellquote ::: "$@")
