#!/bin/sh
# Installs calira into a fresh Debian, uses it and removes it, as a package, a rock and by CMake: `sh spec/check.sh deb`, which
# calls this inside `unshare -m`, so that no mount outlives it, and inside the sandbox, whose loopback port the tree shares.
#
#   fresh.sh TREE CODENAME MIRROR SOURCE DEB…     TREE: an empty folder; SOURCE: a copy of the checkout
set -eu
tree=$1 codename=$2 mirror=$3 source=$4
shift 4

log=$tree.log
quiet() { "$@" >"$log" 2>&1 </dev/null || { cat "$log" >&2; exit 1; }; }
inside() {
  chroot "$tree" env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
    CALIRA_BASE_URL="$CALIRA_BASE_URL" CALIRA_TOKEN="$CALIRA_TOKEN" "$@"
}
install() { quiet inside apt-get -q -y --no-install-recommends install "$@"; }

debs() { (cd "$tree" && for name; do ls "root/${name}_"*.deb; done) | sed 's|^|/|'; }

# What somebody does first. Words: how it was installed.
use() {
  script='local calira = require "calira" for b in calira.bookings{ provider = 102, limit = 2 } do print(b.id, b.status) end'
  lines=$(inside lua5.4 -W -e "$script" | wc -l)
  [ "$lines" = 2 ] || { echo "$1: $lines bookings of 2" >&2; exit 1; }
  inside calira --help >"$log"
  if grep -q doctor "$log"; then
    inside calira doctor
    inside calira bookings --lab 102 --month 2024-01
  fi
  echo "$1: used"
}

# Nothing of it may be left but what is kept for the next way.
gone() {
  left=$(cd "$tree" && find . -xdev \( -path ./root -o -path ./var/cache -o -path ./var/log -o -path ./proc \) -prune \
    -o -name '*calira*' -print)
  [ -z "$left" ] || { echo "$1 left:" $left >&2; exit 1; }
  echo "$1: removed"
}

quiet debootstrap --variant=minbase "$codename" "$tree" "$mirror"
mountpoint -q "$tree/proc" || mount -t proc proc "$tree/proc"
cp /etc/resolv.conf "$tree/etc"
cp "$@" "$tree/root"
cp -R "$source" "$tree/root/source"

install $(debs calira lua-calira)
use package
install gcc libc6-dev pkg-config $(debs lua-calira-dev)
quiet inside sh -c 'cc -rdynamic -o /root/host /root/source/spec/package/host.c $(pkg-config --cflags --libs calira)'
# It wants no file of the library's on disk: it is told not to look.
inside env LUA_PATH='/none/?.lua' /root/host
quiet inside apt-get -q -y purge calira lua-calira lua-calira-dev
gone package

install $(sed -n "s/^build='\(.*\)'$/\1/p" "$source/spec/setup.sh") libcurl4-openssl-dev luarocks lua-argparse
quiet inside sh -c 'cd /root/source && luarocks --lua-version=5.4 make --deps-mode=none'
use rock
quiet inside luarocks --lua-version=5.4 remove calira
gone rock

quiet inside sh -c 'cd /root/source && cmake --preset release && cmake --build --preset release && cmake --install build/release'
use CMake
quiet inside cmake --build /root/source/build/release --target uninstall
gone CMake
