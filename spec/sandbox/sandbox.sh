#!/bin/sh
# Starts the stand-in for the Calira service on free loopback ports. README.md says what it serves.
#
#   sh spec/sandbox/sandbox.sh                     prints what to export, runs until Ctrl-C
#   sh spec/sandbox/sandbox.sh -- busted spec      runs a command against it, ends with the command's status
#   --with-parent                                  also ends when the process that started it is gone
set -u

usage() {
    sed -n 's/^# \{0,1\}//p' "$0" | sed -n '2,6p' >&2
    exit 2
}

fail() {
    echo "sandbox: $1" >&2
    [ -n "$dir" ] && [ -s "$dir/error.log" ] && tail -n 5 "$dir/error.log" >&2
    clean_up
    exit 1
}

# Debian keeps nginx in /usr/sbin, which is not in everybody's PATH.
find_nginx() {
    nginx=$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v nginx) ||
        fail "no nginx: apt-get install nginx-light libnginx-mod-http-lua"
    command -v openssl >/dev/null || fail "no openssl: apt-get install openssl"
}

# make_certificate NAME SUBJECT [openssl options…]: an elliptic key, since an RSA one takes a second to find.
make_certificate() {
    name=$1 subject=$2
    shift 2
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "$subject" \
        -keyout "$dir/$name.key" -out "$dir/$name.pem" "$@" >"$dir/openssl.log" 2>&1 ||
        fail "openssl: $(tail -n 1 "$dir/openssl.log")"
}

make_certificates() {
    make_certificate ca "/CN=Calira sandbox CA" -addext keyUsage=critical,keyCertSign
    make_certificate server "/CN=localhost" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" \
        -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=IP:127.0.0.1,DNS:localhost
    make_certificate wrong "/CN=wrong.example.org" -addext subjectAltName=DNS:wrong.example.org
}

# Whether nobody has the port. nginx itself waits 2.5 s before it gives up on a taken one, so ask the kernel first;
# where it does not tell, nginx finds out.
port_is_free() {
    [ -r /proc/net/tcp ] || return 0
    ! grep -q "^ *[0-9]*: [0-9A-F]*:$(printf %04X "$1") " /proc/net/tcp
}

# Sets port, port_tls and port_bad: three in a row, below the range that the kernel gives to clients.
pick_ports() {
    while :; do
        number=$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')
        port=$((10000 + number % 22000)) port_tls=$((port + 1)) port_bad=$((port + 2))
        port_is_free $port && port_is_free $port_tls && port_is_free $port_bad && return
    done
}

write_config() {
    user_line=
    # Workers of a root master would run as nobody, who may neither read the directory nor signal the master.
    [ "$(id -u)" = 0 ] && user_line="user root;"
    cat >"$dir/nginx.conf" <<END
daemon off;
$user_line
worker_processes 1;     # one worker: what the Lua code counts is in plain tables
worker_rlimit_nofile 8192;
pid "$dir/nginx.pid";
include /etc/nginx/modules-enabled/*.conf;
events { worker_connections 4096; }
http {
    access_log off;
    default_type application/json;
    server_tokens off;
    tcp_nodelay on;
    merge_slashes off;
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
    large_client_header_buffers 8 64k;
    http2_max_concurrent_streams 256;
    client_body_temp_path "$dir/body";
    proxy_temp_path "$dir/proxy";
    fastcgi_temp_path "$dir/fastcgi";
    uwsgi_temp_path "$dir/uwsgi";
    scgi_temp_path "$dir/scgi";
    gzip on;
    gzip_comp_level 1;
    gzip_types application/json;

    lua_package_path "$here/?.lua;;";
    lua_code_cache on;
    lua_check_client_abort on;
    init_by_lua_block { require("server").init{
        dir = [==[$dir]==], data = [==[$here/../data]==], pid = $$, parent = $parent } }
    init_worker_by_lua_block { require("server").start() }

    server {
        listen 127.0.0.1:$port;
        listen 127.0.0.1:$port_tls ssl http2;
        ssl_certificate "$dir/server.pem";
        ssl_certificate_key "$dir/server.key";
        location / {
            content_by_lua_block { require("server").handle() }
            log_by_lua_block { require("server").log() }
        }
    }
    server {    # whoever calls this one has not checked the certificate
        listen 127.0.0.1:$port_bad ssl http2;
        ssl_certificate "$dir/wrong.pem";
        ssl_certificate_key "$dir/wrong.key";
        location / {
            content_by_lua_block { require("server").handle() }
            log_by_lua_block { require("server").log() }
        }
    }
}
END
}

# Whether nginx came up: its worker writes the file "ready" when the world is loaded.
start_nginx() {
    "$nginx" -c "$dir/nginx.conf" -e "$dir/error.log" </dev/null >"$dir/nginx.log" 2>&1 3<&- &
    server=$!
    while kill -0 "$server" 2>/dev/null; do
        [ -e "$dir/ready" ] && return 0
        sleep 0.02
    done
    wait "$server"
    server=
    return 1
}

start() {
    tries=0
    until pick_ports && write_config && start_nginx; do
        tries=$((tries + 1))
        if [ $tries -eq 5 ] || ! grep -q 'bind() .* failed' "$dir/error.log"; then
            fail "nginx does not start; it needs libnginx-mod-http-lua"
        fi
        : >"$dir/error.log"
    done
}

clean_up() {
    [ -n "$server" ] && kill -TERM "$server" 2>/dev/null && wait "$server" 2>/dev/null
    server=
    [ -n "$dir" ] && rm -rf "$dir"
    dir=
}

# stop STATUS: the end by a signal; the command goes first, so that it still finds its server.
stop() {
    trap '' INT TERM HUP
    [ -n "$command" ] && kill -TERM "$command" 2>/dev/null && wait "$command" 2>/dev/null
    clean_up
    exit "$1"
}

set_environment() {
    export CALIRA_SANDBOX="http://127.0.0.1:$port"
    export CALIRA_SANDBOX_TLS="https://127.0.0.1:$port_tls"
    export CALIRA_SANDBOX_BADTLS="https://127.0.0.1:$port_bad"
    export CALIRA_SANDBOX_CA="$dir/ca.pem"
    export CALIRA_BASE_URL="$CALIRA_SANDBOX/v1"
    export CALIRA_TOKEN=sandbox-token
}

print_environment() {
    for name in SANDBOX SANDBOX_TLS SANDBOX_BADTLS SANDBOX_CA BASE_URL TOKEN; do
        eval "echo \"export CALIRA_$name='\$CALIRA_$name'\""
    done
    echo "# The sandbox is up. Ctrl-C or 'kill $$' stops it."
}

# The command runs in the background, since sh handles no signal while it waits for one in the foreground. That would
# close its stdin and make it deaf to Ctrl-C: descriptor 3 and env put both right.
run_command() {
    if env --default-signal=INT true 2>/dev/null; then
        env --default-signal=INT,QUIT "$@" <&3 3<&- &
    else
        "$@" <&3 3<&- &
    fi
    command=$!
    wait "$command"
    status=$?
    command=
    clean_up
    exit "$status"
}

server='' command='' dir='' parent=0
while [ $# -gt 0 ]; do
    case $1 in
    --with-parent) parent=$PPID ;;
    --) shift; break ;;
    -*) usage ;;
    *) break ;;
    esac
    shift
done
if (exec 3<&0) 2>/dev/null; then exec 3<&0; else exec 3</dev/null; fi
here=$(cd "$(dirname "$0")" && pwd) || exit 1
trap 'stop 130' INT
trap 'stop 143' TERM
trap 'stop 129' HUP
find_nginx
dir=$(mktemp -d "${TMPDIR:-/tmp}/calira-sandbox.XXXXXX") || exit 1
make_certificates
start
set_environment
if [ $# -gt 0 ]; then
    run_command "$@"
fi
print_environment
wait "$server"
server=
fail "nginx ended by itself"
