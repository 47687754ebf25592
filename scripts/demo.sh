#!/usr/bin/env bash
# Sets up everything, then runs the main job on the project's own sample parts:
# STEP files to meshes, to labelled pictures, to a contact sheet.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh

vqc() {
    printf '\n$ vqc %s\n' "$*"
    .venv/bin/vqc "$@"
}

SECONDS=0
vqc convert cad_models/*.step --out renders/meshes
# A set of other sample parts, from before an update, is refused: then make it anew.
vqc render --step cad_models --name demo --views 60 ||
    vqc render --step cad_models --name demo --views 60 --fresh
vqc verify renders/demo
vqc inspect renders/demo

cat <<EOF

The demo took $SECONDS s. The contact sheet, a box on every part, is
  renders/demo-sheet.png

Next, your own part:
  source .venv/bin/activate
  vqc render --step YOUR_PART.step --step-deg 15
  vqc inspect renders/YOUR_PART
EOF
