#!/bin/sh
# Speed, memory and manners of this library beside what people use otherwise, as one table:
#
#   sh spec/bench/run.sh                      every row, five rounds each
#   sh spec/bench/run.sh -n 9 list cpu        these rows, nine rounds
#
# Rows: list cpu details under first million http2 bucket workers room require (rows.lua says what each is). In a round
# every client of a row runs once, each in a process of its own; × is the median of the ratios within rounds, so that a
# busy machine spoils both sides of it. Peers that are not installed are left out; the head of the table names them.
set -eu
cd "$(dirname "$0")/../.."

rounds=5
while getopts n: option; do
  case $option in
    n) rounds=$OPTARG ;;
    *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0" >&2; exit 2 ;;
  esac
done
shift $((OPTIND - 1))

sh spec/setup.sh tests
cmake --workflow --preset release >/dev/null
sh spec/bench/build.sh

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' HUP INT TERM
sh spec/one.sh -t release spec/bench/bench.lua "$scratch" "$rounds" "$@"
