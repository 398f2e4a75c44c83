#!/bin/sh
# Builds the programs for a Cortex-M3 and runs them on QEMU, wired to a private redis-server. Fails where the log, the keys
# in the server, the sizes or the symbols are not what they should be. Installs what is missing, asks nothing, and leaves
# no process behind.
#
#     check.sh [update]      with `update` the size table in ../README.md is written anew
set -eu
cd "$(dirname "$0")"
root=$(cd ../../.. && pwd)
target=${CARGO_TARGET_DIR:-$root/target}/firmware

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        echo "firmware: sudo $*" >&2
        sudo "$@"
    fi
}

# Debian's compiler comes with the source of `core`, and with no linker for the target.
packages="qemu-system-arm"
if rustup target list --installed 2>/dev/null | grep -q thumbv7m-none-eabi; then
    toolchain=rustup
else
    toolchain=debian
    packages="$packages rustc-web rust-web-src cargo-web binutils-arm-none-eabi"
fi
missing=
for package in $packages; do
    dpkg -s "$package" 2>/dev/null | grep -q "^Status: .* installed" || missing="$missing $package"
done
if [ -n "$missing" ]; then
    if ! command -v apt-get >/dev/null; then
        echo "firmware: please install qemu-system-arm, and run rustup target add thumbv7m-none-eabi" >&2
        exit 1
    fi
    as_root apt-get update -q >&2
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing >&2
fi

# build TARGET [ARGUMENT...]
build() {
    for_target=$1
    shift
    if [ "$toolchain" = rustup ]; then
        if rustup target list --installed | grep -q "$for_target"; then
            cargo build --release --locked --target-dir "$target" --target "$for_target" "$@"
        else
            echo "firmware: no rustup target $for_target, not built" >&2
        fi
    else
        # A rustup toolchain may come first on the path. Cargo builds `core` only with features of the nightly compiler on.
        bin=$(dirname "$(dpkg -L rustc-web | grep -m 1 'bin/rustc$')")
        name=$(echo "$for_target" | tr a-z- A-Z_)
        env RUSTC="$bin/rustc" RUSTC_BOOTSTRAP=1 "CARGO_TARGET_${name}_LINKER=arm-none-eabi-ld" \
            "$bin/cargo" build --release --locked --target-dir "$target" --target "$for_target" -Zbuild-std=core "$@"
    fi
}

# sizes FOLDER [FEATURE]: builds the programs that are measured, and keeps them in the folder
sizes() {
    build thumbv7m-none-eabi --features "${2:-}"
    build thumbv7m-none-eabi --features "resp3 ${2:-}" --bin size_resp3
    build thumbv7m-none-eabi --features "resp3 subscriptions ${2:-}" --bin size_subscriptions
    build thumbv7m-none-eabi --features "resp3 subscriptions session ${2:-}" --bin size_transactions
    mkdir -p "$target/$1"
    for source in src/bin/size_*.rs; do
        cp "$target/thumbv7m-none-eabi/release/$(basename "$source" .rs)" "$target/$1/"
    done
}

build thumbv7m-none-eabi --features tour --bin tour
sizes stack stack
sizes plain
# A core without compare-and-swap.
build thumbv6m-none-eabi
build thumbv6m-none-eabi --features tour --bin tour

runner=$PWD/runner/Cargo.toml
# Not from here: what `.cargo` says is for the board.
cd "$root"
cargo build --quiet --locked --manifest-path "$runner" --target-dir "$target/runner"
unset REDIS_URL
exec "$root/tests/with-redis.sh" "$target/runner/debug/redwire-firmware-runner" "$target" "$toolchain" "$@"
