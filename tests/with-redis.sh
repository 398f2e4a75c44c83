#!/bin/sh
# Runs a command with REDIS_URL set to that of a server:
#
#     tests/with-redis.sh COMMAND [ARGUMENT...]
#
# A server that REDIS_URL names already is used as it is. Otherwise a private one is started in a temporary directory, on a
# Unix domain socket and no port, and stopped when the command is done, has failed, or was interrupted. A server that is
# not installed is installed first. Without a command, that is all that happens.
set -eu

server() {
    command -v redis-server || command -v valkey-server
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        echo "with-redis: sudo $*" >&2
        sudo "$@"
    fi
}

install() {
    echo "with-redis: neither redis-server nor valkey-server is installed, installing one" >&2
    if command -v apt-get >/dev/null; then
        as_root apt-get update -q >&2
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends redis-server >&2
    elif command -v dnf >/dev/null; then
        as_root dnf install -y redis >&2 || as_root dnf install -y valkey >&2
    elif command -v apk >/dev/null; then
        as_root apk add redis >&2
    elif command -v pacman >/dev/null; then
        as_root pacman -Sy --noconfirm valkey >&2
    elif command -v brew >/dev/null; then
        brew install redis >&2
    fi
    if ! server >/dev/null; then
        echo "with-redis: please install redis-server (https://redis.io/docs/latest/operate/oss_and_stack/install/)," >&2
        echo "with-redis: or set REDIS_URL to a server that runs" >&2
        exit 1
    fi
}

start() {
    directory=$(mktemp -d)
    trap stop EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    "$(server)" --port 0 --unixsocket "$directory/redis.sock" --unixsocketperm 700 --dir "$directory" \
        --save "" --appendonly no --daemonize no >"$directory/log" 2>&1 &
    process=$!
    waited=0
    until grep -qi "ready to accept connections" "$directory/log" 2>/dev/null; do
        if ! kill -0 "$process" 2>/dev/null || [ "$waited" -ge 100 ]; then
            echo "with-redis: the server does not start:" >&2
            cat "$directory/log" >&2
            exit 1
        fi
        waited=$((waited + 1))
        sleep 0.1
    done
    REDIS_URL="unix://$directory/redis.sock"
    export REDIS_URL
}

stop() {
    if [ -n "${process:-}" ]; then
        kill "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    fi
    rm -rf "$directory"
}

if [ -z "${REDIS_URL:-}" ] || [ $# = 0 ]; then
    server >/dev/null || install
fi
if [ $# = 0 ]; then
    exit
fi
if [ -n "${REDIS_URL:-}" ]; then
    exec "$@"
fi
start
"$@"
