#!/bin/sh
# Builds what the benchmark measures with and against: build/bench/measure and build/bench/floor.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p build/bench
for name in measure floor; do
  ${CC:-cc} -std=c11 -O2 -Wall -Wextra -o build/bench/$name spec/bench/$name.c $(pkg-config --cflags --libs libcurl lua5.4)
done
