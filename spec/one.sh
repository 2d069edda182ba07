#!/bin/sh
# Runs one spec against a stand-in of the service that is started for it alone and stopped afterwards.
#
#   sh spec/one.sh spec/paging/list_spec.lua --filter=details     busted's options may follow
#   sh spec/one.sh -t asan spec/paging/list_spec.lua              the module of another build tree
#   sh spec/one.sh -w 'valgrind -q' spec/paging/list_spec.lua     something around Lua
#   sh spec/one.sh build/test/spec/http_retry_test                 a C program, or a Lua script that is no spec
#
# The tree has to be built: cmake --preset test && cmake --build --preset test. Where CALIRA_SANDBOX is set already
# (sh spec/sandbox/sandbox.sh -- sh), that sandbox is used.
set -eu
cd "$(dirname "$0")/.."

tree=test
wrapper=
while getopts t:w: option; do
  case $option in
    t) tree=$OPTARG ;;
    w) wrapper=$OPTARG ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0" >&2; exit 2; }
case $tree in
  /*) ;;
  *) tree=$PWD/build/$tree ;;
esac
if [ ! -e "$tree/calira/core.so" ]; then
  echo "$0: there is no $tree/calira/core.so: build that tree first" >&2
  exit 2
fi

# Nothing of the person who runs this decides how a test goes, nor is touched by one: grant, proxies, search paths.
unset LUA_INIT LUA_INIT_5_4 LUA_PATH_5_4 LUA_CPATH_5_4 CALIRA_TRACE
unset http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY
export XDG_CONFIG_HOME=/nonexistent
if [ -z "${CALIRA_SANDBOX-}" ]; then
  unset CALIRA_TOKEN CALIRA_GRANT_FILE CALIRA_REFRESH_TOKEN CALIRA_CLIENT_ID CALIRA_CLIENT_SECRET CALIRA_BASE_URL
fi

file=$1
shift
case $file in
  *_spec.lua) set -- lua5.4 spec/support/busted.lua "$file" "$@" ;;
  *.lua) set -- lua5.4 "$file" "$@" ;;
  *) set -- "$file" "$@" ;;
esac
# Given to what is tested, not exported: the sandbox has an nginx and a Lua of its own. A sanitizer's tree says what else
# it needs, and has its own lua5.4.
set -- $wrapper "$@"
IFS='
'
set -- env $(cat "$tree/spec/environment" 2>/dev/null || true) "PATH=$tree/bin:$PATH" "CALIRA_TREE=$tree" \
  "LUA_PATH=$PWD/lua/?.lua;$PWD/lua/?/init.lua;$PWD/?.lua;;" "LUA_CPATH=$tree/?.so;;" "$@"

[ -z "${CALIRA_SANDBOX-}" ] || exec "$@"
exec sh spec/sandbox/sandbox.sh -- "$@"
