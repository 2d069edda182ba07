#!/bin/sh
# Speed and memory of a walk, against curl's own command: sh spec/bench/run.sh [pairs]
#
# Prints, for HTTP/1.1 and for HTTP/2 over TLS, the time of a walk over 20,000 bookings in 200 pages, 8 in flight, on a
# server with 20 ms latency, as a ratio to `curl -Z --parallel-max 8` for the same pages (medians of alternating pairs;
# both are whole processes), the calls made, and the peak memory of a walk over 1,000,000 bookings above one over 10,000.
set -eu
cd "$(dirname "$0")/../.."
sh spec/setup.sh tests
cmake --workflow --preset release >/dev/null
exec sh spec/one.sh -t release spec/bench/walks.lua "${1:-7}"
