#!/bin/sh
# The checks that are no specs, one a name: sh spec/check.sh format. ctest runs each ("check.format"); those that look at
# build/release need it built.
set -eu
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -rf --one-file-system "$scratch"' EXIT
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

# Copies what a release holds.
copy_source() {
  mkdir "$1"
  for file in CMakeLists.txt CMakePresets.json cmake csrc lua bin share debian docs examples spec README.md CHANGELOG.md LICENSE *.rockspec; do
    [ ! -e "$file" ] || cp -R "$file" "$1"
  done
}

# Sets codename and mirror: what this machine is, and where its packages come from.
find_mirror() {
  codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
  mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' | sed -n "s/^$codename //p" | head -n 1)
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

  layers) # no file includes or requires one of a higher layer; CONTRIBUTING.md has the tables
    sed -n 's/^| \([0-9]\) | `\(csrc\|lua\)\(\/[^`]*\)` |.*/\1 \2\3/p' CONTRIBUTING.md >"$scratch/layers"
    [ "$(wc -l <"$scratch/layers")" -ge 15 ] || fail "CONTRIBUTING.md has lost its tables of layers"
    {
      grep -rn '#include "' csrc | sed -n 's|^\([^:]*\):\([0-9]*\):.*#include "\([^"]*\)".*|\1 \2 csrc/\3|p'
      grep -rnE '(require|lazy|later)[ (]*"calira[."]' lua/calira | grep -vE ':[0-9]+: *--' |
        sed -n 's|^\([^:]*\):\([0-9]*\):.*"\(calira[a-z_.]*\)".*|\1 \2 \3|p' | grep -v ' calira.core$' |
        while read -r file line module; do
          path=lua/$(echo "$module" | tr . /)
          [ -e "$path.lua" ] && path=$path.lua || path=$path/init.lua
          echo "$file $line $path"
        done
    } | awk -v table="$scratch/layers" '
      BEGIN { while ((getline row < table) > 0) { split(row, field, " "); layer[field[2]] = field[1] } }
      function of(path) { sub(/[^\/]*$/, "", path); while (!(path in layer) && path != "") sub(/[^\/]*\/$/, "", path); return path }
      { from = of($1); to = of($3); if (from == "" || to == "" || layer[to] > layer[from]) { print $1 ":" $2 ": " $3 " is of a higher layer"; bad = 1 } }
      END { exit bad }' || fail "a file reaches upward"
    ;;

  size) # a file that grows beyond this holds two ideas
    long=$(find csrc lua -name '*.[ch]' -o -name '*.lua' ! -name types.lua | xargs wc -l | awk '$2 != "total" && $1 > 520 { print $2 ": " $1 " lines, about 500 are allowed" }')
    [ -z "$long" ] || fail "$long"
    ;;

  cplusplus) # calira.h is for C++ hosts, too; Lua compiled as C, and as C++, where its errors are exceptions
    warnings='-Wall -Wextra -Wpedantic -Werror'
    for lua in lua5.4 lua5.4-c++; do
      g++ $warnings -rdynamic -o "$scratch/host" -Icsrc $(pkg-config --cflags $lua) spec/package/host.cpp \
        build/release/libcalira.a $(pkg-config --libs $lua libcurl) -lpthread -lm
      [ "$lua" = lua5.4 ] && set -- jumps || set --
      "$scratch/host" "$@"
    done
    ;;

  tidy) # tidy TREE: clang-tidy has nothing to say; the tree knows how each file is compiled
    find csrc examples -name '*.c' | sort |
      xargs -P "$(nproc)" -n 1 clang-tidy -p "$2" --quiet --warnings-as-errors='*' >"$scratch/out" 2>&1 || {
      cat "$scratch/out"
      exit 1
    }
    ;;

  exports) # the module and the libraries show what calira.h declares, nothing more
    sed -n 's/^CALIRA_API .*[ *]\(calira_[a-z]*\|luaopen_[a-z_]*\)(.*/\1/p' csrc/calira.h | sort >"$scratch/declared"
    for file in calira/core.so libcalira.so libcalira.a; do
      case $file in
        *.a) symbols='nm --extern-only' ;;
        *) symbols='nm -D' ;;
      esac
      $symbols --defined-only "build/release/$file" | awk 'NF == 3 { print $3 }' | sort >"$scratch/exported"
      diff "$scratch/declared" "$scratch/exported" || fail "$file shows other names (>) than calira.h declares (<)"
    done
    ;;

  checkout) # build/release works as the README says
    LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='build/release/?.so;;' lua5.4 -W -e 'print(require("calira")._VERSION)'
    ;;

  install) # what cmake installs runs, and the target uninstall takes all of it away
    tree="$scratch/a tree"
    cmake --preset release -B "$scratch/build" -DCMAKE_INSTALL_PREFIX="$scratch/usr" >"$scratch/out"
    cmake --build "$scratch/build" >>"$scratch/out" 2>&1 || { cat "$scratch/out"; exit 1; }
    DESTDIR="$tree" cmake --install "$scratch/build" >/dev/null
    installed_runs "$tree$scratch/usr"
    (cd / && LUA_PATH="$tree$scratch/usr/share/lua/5.4/?.lua;$tree$scratch/usr/share/lua/5.4/?/init.lua;;" \
      LUA_CPATH="$tree$scratch/usr/lib/lua/5.4/?.so;;" "$tree$scratch/usr/bin/calira" --help >/dev/null)
    mkdir -p "$tree$scratch/usr/share/lua/5.4/other"
    DESTDIR="$tree" cmake --build "$scratch/build" --target uninstall >/dev/null
    left=$(find "$tree" ! -type d -o -name calira)
    [ -z "$left" ] || fail "uninstall left $left"
    [ -d "$tree$scratch/usr/share/lua/5.4/other" ] || fail "uninstall took a folder away that is not ours"
    ;;

  package) # a C host in another folder finds the library by CMake, by pkg-config, and as a part of its project
    tree="$scratch/a tree"
    mkdir "$scratch/a host"
    cp spec/package/CMakeLists.txt spec/package/host.c "$scratch/a host"
    cmake --install build/release --prefix "$tree" >/dev/null
    host() { # host KIND [ARGUMENT…]: configures, builds and runs it
      kind=$1
      shift
      (
        cd "$scratch/a host"
        { cmake -B "build $kind" "$@" && cmake --build "build $kind"; } >"$scratch/out" 2>&1 || { cat "$scratch/out"; exit 1; }
      )
      runs "$scratch/a host/build $kind/host" "by CMake, $kind"
    }
    runs() { # runs PROGRAM WORDS
      out=$(cd / && LUA_PATH='/none/?.lua' "$1") && [ "$out" = "calira 0.1.0	network" ] || fail "$2: $out"
      echo "$2: $out"
    }
    for kind in static shared default; do
      host $kind -DCMAKE_PREFIX_PATH="$tree" -DKIND=$kind
      readelf -d "$scratch/a host/build $kind/host" | grep -q libcalira.so && linked=shared || linked=static
      [ "$linked" = "$kind" ] || { [ $kind = default ] && [ $linked = shared ]; } || fail "$kind is $linked"
    done
    host 'as a subdirectory' -DCALIRA_SOURCE="$PWD"
    host 'as a shared subdirectory' -DCALIRA_SOURCE="$PWD" -DBUILD_SHARED_LIBS=ON

    export PKG_CONFIG_PATH="$tree/lib/pkgconfig"
    [ "$(pkg-config --modversion calira)" = 0.1.0 ] || fail "calira.pc says another version"
    eval "${CC:-cc} -rdynamic -o \"$scratch/host\" spec/package/host.c $(pkg-config --cflags --libs calira)"
    LD_LIBRARY_PATH="$tree/lib" runs "$scratch/host" 'by pkg-config, shared'
    sed -n '/^```c$/,/^```$/{/^```/!p}' README.md >"$scratch/readme.c" # the README's host, against the sandbox
    eval "${CC:-cc} -Wall -Wextra -Werror -rdynamic -o \"$scratch/readme\" \"$scratch/readme.c\" $(pkg-config --cflags --libs calira)"
    out=$(LD_LIBRARY_PATH="$tree/lib" LUA_PATH='/none/?.lua' sh spec/sandbox/sandbox.sh -- "$scratch/readme")
    [ "$(printf '%s\n' "$out" | wc -l)" = 3 ] || fail "the README's host printed: $out"
    rm "$tree"/lib/libcalira.so*
    eval "${CC:-cc} -rdynamic -o \"$scratch/host\" spec/package/host.c $(pkg-config --cflags --libs calira) \
      $(pkg-config --libs libcurl) -lpthread -lm"
    runs "$scratch/host" 'by pkg-config, static'
    ;;

  rock) # luarocks lints, builds, packs, installs into a path with a space, and removes it
    for rockspec in *.rockspec; do luarocks lint "$rockspec"; done
    copy_source "$scratch/source" # where luarocks builds
    mkdir "$scratch/.luarocks"
    tree="$scratch/a tree"
    rocks() {
      (cd "$scratch/source" && HOME=$scratch luarocks --lua-version=5.4 "$@") >"$scratch/out" 2>&1 || { cat "$scratch/out"; exit 1; }
    }
    rocks config rocks_provided.lua-cjson 2.1.0-1 # Debian's, as the README says
    rocks config rocks_provided.argparse 0.7.1-1
    for version in 0.1.0-1 dev-1; do
      rocks make --tree="$scratch/made" "calira-$version.rockspec"
      rocks pack --tree="$scratch/made" calira "$version"
      rocks install --tree="$tree" "$(cd "$scratch/source" && echo "calira-$version."*.rock)"
      installed_runs "$tree"
      "$tree/bin/calira" --help >/dev/null
      rocks remove --tree="$tree" calira "$version"
      left=$(find "$tree" -path '*calira*')
      [ -z "$left" ] || fail "luarocks remove left $left"
    done
    (cd "$scratch/source" && lua5.4 -e '
      local env = {}
      assert(loadfile("calira-dev-1.rockspec", "t", env))()
      assert(env.test.type == "command" and io.open(env.test.command:match "^sh (%S+)$"))')
    ;;

  deb) # by hand, as root: builds the Debian packages, then installs, uses and removes them in a fresh Debian, a rock and CMake's, too
    if [ -z "${CALIRA_SANDBOX-}" ]; then
      sh spec/sandbox/sandbox.sh -- sh spec/check.sh deb
      exit
    fi
    copy_source "$scratch/calira"
    (cd "$scratch/calira" && dpkg-buildpackage -us -uc -b) >"$scratch/out" 2>&1 || { cat "$scratch/out"; exit 1; }
    lintian --allow-root --fail-on error,warning "$scratch"/*.changes
    rm -r "$scratch/calira"
    copy_source "$scratch/calira"
    find_mirror
    unshare -m sh spec/package/fresh.sh "$scratch/tree" "$codename" "$mirror" "$scratch/calira" \
      $(ls "$scratch"/*.deb | grep -v dbgsym)
    ;;

  flavour) # flavour gnutls|newest: by hand, as root: every spec and C program in a fresh Debian with another libcurl (newest: backports')
    [ "${2-}" = gnutls ] || [ "${2-}" = newest ] || fail "usage: sh spec/check.sh flavour gnutls|newest"
    find_mirror
    mkdir "$scratch/calira"
    tar -c --exclude=./build --exclude=./.git . | tar -x -C "$scratch/calira"
    unshare --mount --pid --fork --kill-child sh spec/package/flavour.sh "$2" "$scratch/tree" "$codename" "$mirror" "$scratch/calira"
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

  *) fail "usage: sh spec/check.sh format|luacheck|layers|size|cplusplus|tidy TREE|exports|checkout|install|package|rock|deb|flavour NAME|demo|fuzz NAME" ;;
esac
