#!/bin/sh
# Installs what is missing, builds, and runs every test: sh spec/run.sh, from anywhere.
set -eu
cd "$(dirname "$0")/.."
sh spec/setup.sh tests
exec cmake --workflow --preset test
