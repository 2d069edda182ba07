#!/bin/sh
# Installs the Debian packages that are missing: `sh spec/setup.sh demo` for examples/demo.sh, `sh spec/setup.sh tests`
# for spec/run.sh, `sh spec/setup.sh debian` for `sh spec/check.sh deb`. Needs root, or a sudo that asks no password;
# otherwise it says what to install and fails.
# Where nothing is missing it takes a moment and changes nothing.
set -eu

# With root's rights: setup.sh --install package...
if [ "${1-}" = --install ]; then
  shift
  export DEBIAN_FRONTEND=noninteractive
  log=$(mktemp)
  policy=/usr/sbin/policy-rc.d
  ours=
  trap 'rm -f "$log"; [ -z "$ours" ] || rm -f "$policy"' EXIT
  trap 'exit 130' HUP INT TERM
  # The tests run servers of their own; those of the packages need not serve this machine.
  if [ ! -e "$policy" ]; then
    ours=yes
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  new_services=
  for service in nginx prosody fcgiwrap; do
    command -v "$service" >/dev/null || new_services="$new_services $service"
  done

  install() {
    apt-get -q -y --no-install-recommends --no-remove -o DPkg::Lock::Timeout=300 install "$@" \
      </dev/null >>"$log" 2>&1
  }
  # A fresh system has no package lists, an old one has lists of versions that are gone.
  install "$@" || { apt-get -q update </dev/null >>"$log" 2>&1 && install "$@"; } || {
    cat "$log" >&2
    echo "calira: could not install $*" >&2
    exit 1
  }
  if [ -d /run/systemd/system ]; then
    for service in $new_services; do
      for unit in "$service.service" "$service.socket"; do
        systemctl -q disable "$unit" 2>/dev/null || true # nor after the next start
      done
    done
  fi
  exit 0
fi

build='gcc libc6-dev cmake make pkg-config lua5.4 liblua5.4-dev lua-cjson ca-certificates'
# Any libcurl will do that is new enough; Debian allows one flavour of the headers at a time.
pkg-config --exists 'libcurl >= 7.88' 2>/dev/null || build="$build libcurl4-openssl-dev"
sandbox='nginx libnginx-mod-http-lua openssl'
demo="$build $sandbox lua-argparse"
tests="$demo g++ clang libclang-rt-dev clang-format clang-tidy valgrind libc6-dbg curl luarocks lua-check"
tests="$tests lua-busted lua-cqueues lua-luv lua-sql-sqlite3 sqlite3 lua-sql-postgres postgresql python3 python3-icalendar man-db bsdutils locales"
tests="$tests lua-copas prosody fcgiwrap parallel" # programs that examples/hosts are tried under
tests="$tests systemd python3-yaml" # and what reads the recipes of examples/fleet
debian='nginx libnginx-mod-http-lua openssl debhelper dh-lua lintian debootstrap mount util-linux'

case "${1-}" in
  demo) wanted=$demo ;;
  tests) wanted=$tests ;;
  debian) wanted="$build $debian" ;;
  *) echo "usage: sh spec/setup.sh demo|tests|debian" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null; then
  echo "calira: this is no Debian: what is needed is called, there: $wanted" >&2
  exit 0 # perhaps it is here under other names; the build says what is not
fi

present=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' $wanted 2>/dev/null | sed -n 's/^installed //p' || true)
missing=
for package in $wanted; do
  printf '%s\n' "$present" | grep -qxF "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
  sudo=
elif sudo -n true 2>/dev/null; then
  sudo='sudo -n'
else
  echo "calira: some Debian packages are missing. Install them, then run this again:" >&2
  echo "  sudo apt-get install --no-install-recommends$missing" >&2
  exit 1
fi
echo "calira: installing$missing" >&2
$sudo sh "$0" --install $missing
