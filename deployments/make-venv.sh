#!/bin/sh
# Makes a virtual environment of pinned packages: make-venv.sh PYTHON FOLDER REQUIREMENTS [CHECKOUT]
# REQUIREMENTS is complete: nothing is installed that it does not name. CHECKOUT is installed as it stands, so that what
# is edited there takes effect at once.
set -eu
python=$1 folder=$2 requirements=$3 checkout=${4-}

fill() {
    "$1" --no-deps --require-hashes -r "$requirements" &&
        { [ -z "$checkout" ] || "$1" --no-deps --no-build-isolation --editable "$checkout"; }
}

# uv compiles at the first import if not told otherwise: slow then, and a syntax warning would fail a test. Its hard links
# would let luqum, which writes into itself (see Makefile), write into uv's cache and so into other environments.
install_with_uv() {
    uv pip install --quiet --compile-bytecode --link-mode copy --python "$folder/bin/python" "$@"
}

# -qq: where there are several indexes, pip -q warns once a package that one of them lacks it. Errors are shown.
install_with_pip() {
    "$folder/bin/python" -m pip install -qq --disable-pip-version-check "$@"
}

fits='import sys; print(sys.executable); sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
if ! interpreter=$("$python" -c "$fits" 2>/dev/null); then
    found=$("$python" --version 2>/dev/null || echo "no such program")
    echo "spsetl needs Python 3.11, 3.12 or 3.13 (${python:-python3}: $found). Name one: make PYTHON=/path/to/python3.12 …" >&2
    exit 2
fi

echo "Making $folder from $requirements. This takes a minute or two, once."
if command -v uv >/dev/null; then
    uv venv --quiet --clear --python "$interpreter" "$folder" && fill install_with_uv && exit
    echo "uv could not make it; trying pip, which has settings of its own (for example of the index)." >&2
fi
"$interpreter" -m venv --clear "$folder" && fill install_with_pip
