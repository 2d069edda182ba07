#!/bin/sh
# Runs the specs and the C programs in a fresh Debian with another libcurl: `sh spec/check.sh flavour`, which calls this inside
# `unshare --mount --pid`, so that no mount and no process outlives it.
#
#   flavour.sh FLAVOUR TREE CODENAME MIRROR SOURCE     TREE: an empty folder; SOURCE: a copy of the checkout
set -eu
flavour=$1 tree=$2 codename=$3 mirror=$4 source=$5

log=$tree.log
quiet() { "$@" >"$log" 2>&1 </dev/null || { cat "$log" >&2; exit 1; }; }

quiet debootstrap --variant=minbase "$codename" "$tree" "$mirror"
cp /etc/resolv.conf "$tree/etc"
cp -R "$source" "$tree/root/source"
case $flavour in
  gnutls) dev=libcurl4-gnutls-dev ;;
  newest)
    dev="-t $codename-backports libcurl4-openssl-dev curl" # the command goes with its library
    echo "deb $mirror $codename-backports main" >"$tree/etc/apt/sources.list.d/backports.list"
    ;;
esac

# The tree becomes the root, since a chroot may make no user namespace, as a spec does.
mount --bind "$tree" "$tree"
cd "$tree"
mkdir -p dev/shm
umount proc 2>/dev/null || true # debootstrap's
mount -t proc proc proc
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
mount -t tmpfs tmpfs dev/shm
pivot_root . mnt
umount -l /mnt
exec env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive sh -euc '
  log=/root/log
  quiet() { "$@" >$log 2>&1 </dev/null || { cat $log >&2; exit 1; }; }
  quiet apt-get -q update
  quiet apt-get -q -y --no-install-recommends install pkg-config $1
  cd /root/source
  sh spec/setup.sh tests
  quiet cmake --preset test
  quiet cmake --build --preset test
  LUA_CPATH="build/test/?.so;;" lua5.4 -e "
    local versions = require(\"calira.core\").versions()
    print(\"libcurl \" .. versions.libcurl, versions.tls)"
  ctest --preset test -L "^(spec|c|thread)\$"
' sh "$dev"
