#!/bin/sh
# Builds the wheel with the given interpreter, installs it with only what it declares into a new environment outside
# the checkout, and runs the demo there: check-wheel.sh PYTHON
set -eu
python=$1
here=$(cd "$(dirname "$0")/.." && pwd)
away=$(mktemp -d)
trap 'rm -rf "$away"' EXIT
trap 'exit 130' INT TERM

"$python" -m hatchling build --target wheel --directory "$away"

# pip takes no hashes for some packages and none for others, and the wheel just built has none.
sed -e '/^ *--hash/d' -e 's/ *\\$//' "$here/deployments/constraints.txt" >"$away/constraints.txt"

echo "Installing it with what it declares. This takes a minute or two."
"$("$python" -c 'import os, sys; print(os.path.realpath(sys.executable))')" -m venv "$away/venv"
"$away/venv/bin/python" -m pip install -qq --disable-pip-version-check --constraint "$away/constraints.txt" "$away"/*.whl

cd "$away"
venv/bin/spsetl --version
venv/bin/spsetl demo --sessions 500
