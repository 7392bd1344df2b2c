#!/bin/sh
# Writes requirements/*.txt anew from pyproject.toml: exact versions with the hashes of every file of each
# release, for Python 3.11 and newer on every platform, and no address of any package index.
# Needs the network and pip; nothing else does. Usage: lock.sh [--upgrade]
set -eu

cd "$(dirname "$0")/.."
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"$(sh scripts/find-python.sh)" -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet --disable-pip-version-check uv

resolve() { # FILE ARGUMENT...: one requirements file, the build backend always in it
    file=$1
    shift
    {
        echo "# Written by: make lock. Exact versions and hashes of all their files; no index address, by intent"
        echo "# (docs/decisions/0003-hashed-requirements-without-addresses.md)."
    } >"$place/head"
    echo 'setuptools>=77' | "$place/venv/bin/uv" pip compile pyproject.toml - --quiet --no-config --universal \
        --python-version 3.11 --generate-hashes --no-header --no-annotate --output-file "$place/$file" "$@"
    cat "$place/head" "$place/$file" >"requirements/$file"
}

[ "${1:-}" = --upgrade ] || cp requirements/test.txt requirements/bench.txt "$place/" 2>/dev/null || true
resolve test.txt --extra test
resolve run.txt --constraint "$place/test.txt"
resolve bench.txt --extra bench --constraint "$place/test.txt"
if grep -nE 'https?://|index-url|find-links' requirements/*.txt; then
    echo "A requirements file holds an address: not usable." >&2
    exit 1
fi
