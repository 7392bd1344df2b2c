#!/bin/sh
# Puts lanline on PATH for this user, in an environment of its own. Touches nothing outside of two places:
#   ${XDG_DATA_HOME:-~/.local/share}/lanline/venv   the environment, made anew each time
#   ~/.local/bin/lanline                            a link into it
# Usage: install.sh [PYTHON]
set -eu

cd "$(dirname "$0")/.."
python=$(sh scripts/find-python.sh "${1:-}")
environment=${XDG_DATA_HOME:-$HOME/.local/share}/lanline/venv
link=$HOME/.local/bin/lanline

if [ -e "$link" ] && [ ! -L "$link" ]; then
    echo "$link is a file of yours, not a link made by this script: nothing was changed." >&2
    echo "Try: move it away, then make install again." >&2
    exit 1
fi

# The build writes beside the sources. In a copy, nothing of it stays in the checkout, whoever owns that.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -R pyproject.toml README.md LICENSE src "$copy/"

echo "Installing lanline into $environment"
mkdir -p "$(dirname "$environment")" "$(dirname "$link")"
"$python" -m venv --clear "$environment"
"$environment/bin/python" -m pip install --quiet --disable-pip-version-check \
    --only-binary :all: --require-hashes -r requirements/run.txt
"$environment/bin/python" -m pip install --quiet --disable-pip-version-check \
    --no-index --no-deps --no-build-isolation "$copy"
ln -sfn "$environment/bin/lanline" "$link"
version=$("$environment/bin/lanline" --version)
echo "Installed $version as $link"

case ":$PATH:" in
*":$HOME/.local/bin:"*) ;;
*)
    echo "$HOME/.local/bin is not on your PATH yet. Try:"
    echo "  export PATH=\"\$HOME/.local/bin:\$PATH\"     (and the same line in your shell's profile)"
    ;;
esac
