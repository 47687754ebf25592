#!/usr/bin/env bash
# Sets up everything, then runs the main job on the project's own sample parts: STEP files to
# labelled pictures, and, with two "shoots" of renders that stand in for photos, to a training set.
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

shoot() { # shoot NAME VIEWS BACKGROUND ELEVATIONS FILL: labelled pictures of another place
    rm -rf "build/shoots/$1-yolo"
    vqc render --step cad_models --name "$1" --views "$2" --size 640x480 --background "$3" \
        --elevation "$4" --fill "$5" --out build/shoots --quiet
    vqc export "build/shoots/$1" --format yolo --out "build/shoots/$1-yolo"
    vqc intake "build/shoots/$1-yolo" --name "$1" --simulated --quiet
}
shoot monday 12 tan 15:60:15 0.6
shoot tuesday 8 slategrey 20:70:10 0.35
vqc mix --cad 100 --real 5 --test tuesday --val-fraction 0.25 --name demo-mix --fresh \
    --from renders/demo --from datasets/monday --from datasets/tuesday
vqc inspect datasets/demo-mix

cat <<EOF

The demo took $SECONDS s. Look at
  renders/demo-sheet.png         a box on every part
  datasets/demo-mix-sheet.png    renders mixed with stand-ins for photos, and
  datasets/demo-mix-charts.png   whether the two are alike in size and place

Next, your own part and photos:
  source .venv/bin/activate
  vqc render --step YOUR_PART.step --step-deg 15
  vqc intake YOUR_PHOTOS --name shoot
  vqc mix --cad 500 --real 10
EOF
