#!/bin/sh
# The checks that are no specs, one a name: sh spec/check.sh format. ctest runs each ("check.format"); those that look at
# build/release need it built.
set -eu
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' HUP INT TERM
unset LUA_INIT LUA_INIT_5_4 LUA_PATH_5_4 LUA_CPATH_5_4

fail() {
  echo "$*" >&2
  exit 1
}

# Every C file of ours; $@ goes to find.
c_files() {
  find csrc spec examples -name 'corpus' -prune -o -name "$1" -print | sort
}

# Prints calira's version with what is under $1/share and $1/lib, and fails where it is not calira 0.1.0 or later.
installed_runs() {
  (
    cd / # so that nothing of the checkout is found
    LUA_PATH="$1/share/lua/5.4/?.lua;$1/share/lua/5.4/?/init.lua;;" LUA_CPATH="$1/lib/lua/5.4/?.so;;" lua5.4 -W -e '
      local calira = require "calira"
      assert(calira._VERSION:find "^calira %d", calira._VERSION)
      local client = calira.new{ token = "t", base_url = "http://127.0.0.1:1/", retries = 0 }
      local ok, err = pcall(client.get, client, "/accounts")
      assert(not ok and err.kind == "network", tostring(err))
      print(calira._VERSION, package.searchpath("calira", package.path))'
  )
}

case "${1-}" in
  format) # clang-format would change nothing
    clang-format --dry-run -Werror $(c_files '*.c') $(c_files '*.h')
    ;;

  luacheck)
    status=0
    luacheck --no-color --codes --formatter plain . >"$scratch/out" || status=$?
    [ "$status" -le 1 ] || { cat "$scratch/out"; exit 1; }
    # It does not know that a variable is used by being closed.
    while IFS=: read -r file line column text; do
      case $text in
        *'(W211)'*) ! sed -n "${line}p" "$file" | grep -q '<close>' || continue ;;
      esac
      echo "$file:$line:$column:$text"
    done <"$scratch/out" >"$scratch/left"
    [ ! -s "$scratch/left" ] || { cat "$scratch/left"; exit 1; }
    ;;

  size) # a file that grows beyond this holds two ideas
    long=$(find csrc lua -name '*.[ch]' -o -name '*.lua' ! -name types.lua | xargs wc -l | awk '$2 != "total" && $1 > 520 { print $2 ": " $1 " lines, about 500 are allowed" }')
    [ -z "$long" ] || fail "$long"
    ;;

  cplusplus) # calira.h is for C++ hosts, too
    echo '#include "calira.h"' >"$scratch/host.cpp"
    g++ -Wall -Wextra -Wpedantic -Werror -fsyntax-only -Icsrc $(pkg-config --cflags lua5.4-c++ || pkg-config --cflags lua5.4) \
      "$scratch/host.cpp"
    ;;

  tidy) # tidy TREE: clang-tidy has nothing to say; the tree knows how each file is compiled
    find csrc examples -name '*.c' | sort |
      xargs -P "$(nproc)" -n 1 clang-tidy -p "$2" --quiet --warnings-as-errors='*' >"$scratch/out" 2>&1 || {
      cat "$scratch/out"
      exit 1
    }
    ;;

  exports) # the module shows what calira.h declares, nothing more
    nm -D --defined-only build/release/calira/core.so | awk '{ print $3 }' | sort >"$scratch/exported"
    sed -n 's/^CALIRA_API .*[ *]\(calira_[a-z]*\|luaopen_[a-z_]*\)(.*/\1/p' csrc/calira.h | sort >"$scratch/declared"
    diff "$scratch/declared" "$scratch/exported" || fail "core.so exports other names (>) than calira.h declares (<)"
    ;;

  checkout) # build/release works as the README says
    LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='build/release/?.so;;' lua5.4 -W -e 'print(require("calira")._VERSION)'
    ;;

  install) # what cmake installs runs, and is enough for a C host
    cmake --install build/release --prefix "$scratch/usr" >/dev/null
    installed_runs "$scratch/usr"
    ${CC:-cc} -o "$scratch/embed" -rdynamic -I"$scratch/usr/include" examples/embed/embed.c \
      "$(find "$scratch/usr" -name libcalira.a)" $(pkg-config --cflags --libs lua5.4 libcurl) -lpthread -lm
    echo 'print((require("calira")._VERSION))' >"$scratch/version.lua"
    (cd / && LUA_PATH=';;' "$scratch/embed" "$scratch/version.lua")
    ;;

  rock) # luarocks builds and installs it, from a copy: it builds in the source folder
    mkdir "$scratch/source"
    for file in CMakeLists.txt cmake csrc lua bin share examples spec README.md LICENSE *.rockspec; do
      [ ! -e "$file" ] || cp -R "$file" "$scratch/source"
    done
    (cd "$scratch/source" && HOME=$scratch luarocks --lua-version=5.4 make --deps-mode=none --tree="$scratch/tree") \
      >"$scratch/out" 2>&1 || { cat "$scratch/out"; exit 1; }
    installed_runs "$scratch/tree"
    ;;

  demo) # a newcomer's command prints the table
    sh examples/demo.sh >"$scratch/out" || { cat "$scratch/out"; exit 1; }
    cat "$scratch/out"
    [ "$(wc -l <"$scratch/out")" -ge 5 ] || fail "that is no table of bookings"
    ;;

  fuzz) # fuzz NAME: a while of new inputs, from what is in the corpus
    seeds=spec/fuzz/corpus/$2
    [ -d "$seeds" ] || seeds=
    mkdir "$scratch/found"
    build/fuzz/spec/fuzz_"$2" -max_total_time="${CALIRA_FUZZ_SECONDS:-30}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
      -artifact_prefix="$PWD/build/fuzz/$2-" "$scratch/found" $seeds >"$scratch/out" 2>&1 || {
      tail -n 100 "$scratch/out"
      exit 1
    }
    grep -E "number_of_executed_units" "$scratch/out"
    ;;

  *) fail "usage: sh spec/check.sh format|luacheck|size|cplusplus|tidy TREE|exports|checkout|install|rock|demo|fuzz NAME" ;;
esac
