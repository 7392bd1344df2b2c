#!/bin/sh
# Prints the Python that lanline shall use: the first that is 3.11 or newer, starts, and can make environments.
# Usage: find-python.sh [CANDIDATE]: with one, only that is looked at.
# Exit 1 with a sentence on stderr, saying what to install, when there is none.
set -u

if [ -n "${1:-}" ]; then
    candidates=$1
else
    candidates="python3.11 python3.12 python3.13 python3"
fi

incomplete=""
for candidate in $candidates; do
    # Starting it is the only test: a name on PATH can be a shim that leads nowhere.
    "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
        "$candidate" -c 'import sys; print(sys.executable)'
        exit 0
    fi
    incomplete=${incomplete:-$candidate}
done

if [ -n "$incomplete" ]; then
    version=$("$incomplete" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "$incomplete is there, but without the modules venv and ensurepip." >&2
    echo "Try: apt install python$version-venv (Debian, Ubuntu), or the full Python package of your system." >&2
else
    echo "No Python 3.11 or newer found (looked for: $candidates)." >&2
    echo "Try: apt install python3 python3-venv, or dnf install python3.12; or name one: make test PYTHON=/path/to/python3" >&2
fi
exit 1
