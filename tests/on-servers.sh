#!/bin/sh
# Runs all tests that talk to a real server on servers of many versions, one after the other:
#
#     tests/on-servers.sh [NAME...]      `installed` is the one of this machine, for others see servers.sh; default: all
#
# The last lines name the servers that passed, that failed, and that could not be had. Fails when a test has failed, and
# when too few could be had: of the servers that were asked for it needs a Redis from 8 on and a Valkey, as far as there
# are any among them. NEEDED=either is satisfied with one of the two, for machines that reach only some archives.
set -eu
cd "$(dirname "$0")/.."

if [ $# = 0 ]; then
    set -- installed redis-6.2 redis-8.0 redis-8.2 redis-8.6 valkey-8.1 valkey-9.1
fi

# A test that uses such servers names their module.
tests() {
    grep -l redwire_kit::real tests/kit/tests/*.rs transports/*/tests/*.rs transports/*/tests/*/main.rs |
        sed -E 's|/main.rs$||; s|.*/||; s|\.rs$||; s|^|--test |'
    echo "--test converse --package redwire"
    for folder in transports/*/; do
        echo "--package redwire-$(basename "$folder")"
    done
    echo "--package redwire-kit"
}

run() {
    # shellcheck disable=SC2046
    cargo test --quiet --no-fail-fast $(tests) "$@"
}

# The line of servers.sh
server() {
    if [ "$1" != installed ]; then
        tests/servers.sh "$1"
    elif path=$(command -v redis-server || command -v valkey-server); then
        echo "$1 $("$path" --version | sed -E 's/.* v=([^ ]+).*/\1/') $path"
    else
        echo "$1 -"
    fi
}

fetched=
for name; do
    [ "$name" = installed ] || fetched="$fetched $name"
done
# shellcheck disable=SC2086
[ -z "$fetched" ] || tests/servers.sh $fetched >/dev/null 2>&1
run --no-run
# Tests run these.
cargo build --quiet --package redwire-mio --examples

passed='' failed='' missing='' wanted='' had=''
for name; do
    line=$(server "$name")
    path=${line##* }
    kind=
    case $name in
        valkey-*) kind=valkey ;;
        redis-[1-7].*) ;;
        redis-*) kind=redis ;;
    esac
    wanted=$wanted$kind
    if [ "$path" = - ]; then
        missing="$missing $name"
        continue
    fi
    had=$had$kind
    version=${line#* }
    version=${version%% *}
    echo "on-servers: $name, version $version"
    if REDWIRE_SERVER=$path run; then
        passed="$passed $name ($version)"
    else
        failed="$failed $name ($version)"
    fi
done

# lacks KIND: whether one was asked for and none was had
lacks() {
    case $wanted in
        *"$1"*) case $had in *"$1"*) false ;; esac ;;
        *) false ;;
    esac
}

status=0
echo "on-servers: passed:${passed:- none}"
if [ -n "$failed" ]; then
    echo "on-servers: failed:$failed"
    status=1
fi
[ -z "$missing" ] || echo "on-servers: could not be had:$missing"
if [ "${NEEDED:-both}" = either ] && [ -n "$had" ]; then
    : # One of the two is there.
elif lacks redis || lacks valkey; then
    echo "on-servers: that is too few: a Redis from 8 on and a Valkey are needed"
    status=1
fi
exit "$status"
