#!/bin/sh
# Builds calira, starts a stand-in of the Calira service on this machine, and prints a lab's bookings from it.
set -eu
cd "$(dirname "$0")/.."
sh spec/setup.sh demo

mkdir -p build
cmake --workflow --preset release >build/demo.log 2>&1 || {
  cat build/demo.log >&2
  exit 1
}

# These would go before the two that count here.
unset LUA_INIT LUA_INIT_5_4 LUA_PATH_5_4 LUA_CPATH_5_4
exec sh spec/sandbox/sandbox.sh -- \
  env LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='build/release/?.so;;' \
  lua5.4 examples/bookings.lua --provider 102 "$@"
