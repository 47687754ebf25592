#!/usr/bin/env bash
# Sets up everything, then runs the one check: format, lint, types, tests (the documentation's too).
# Where it may (root, apt) it installs Slurm, too: some tests start one of a single node.
# Arguments go to pytest: bash scripts/test.sh -k rle
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh
bash scripts/slurm.sh install || echo "test: without Slurm, the tests that need one are skipped" >&2

check() {
    printf '\n== %s\n' "$*"
    ".venv/bin/$1" "${@:2}"
}

check ruff format --check .
check ruff check .
check mypy
check pytest -q -n 2 "$@"
