#!/usr/bin/env bash
# What `make bench` runs: bench/run.sh [command] [options]; see bench/README.md. Any Python 3.11 or newer, nothing installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec "${PYTHON:-python3}" -m bench "$@"
