#!/bin/sh
# The small form of the benchmark that the tests run: sh spec/bench/smoke.sh [TREE]. It is judged by calls that the sandbox
# counts and instructions that callgrind counts, never by time. TREE: of build/, or a path; test.
set -eu
cd "$(dirname "$0")/../.."
sh spec/bench/build.sh
exec sh spec/one.sh -t "${1:-test}" spec/bench/smoke.lua
