#!/usr/bin/env bash
# Sets up everything, then runs the one check: format, lint, types, tests (the documentation's too).
# Arguments go to pytest: bash scripts/test.sh -k rle
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh

check() {
    printf '\n== %s\n' "$*"
    ".venv/bin/$1" "${@:2}"
}

check ruff format --check .
check ruff check .
check mypy
check pytest -q -n 2 "$@"
