#!/usr/bin/env bash
# Sets up everything, then goes all the way on the project's own sample parts: STEP files to labelled
# pictures, two "shoots" of spoilt renders that stand in for photos, a mix, a detector from scratch,
# a small grid and the report. Every score of it is of simulated photos, and marked so.
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

shoot() { # shoot NAME VIEWS BACKGROUND ELEVATIONS FILL BRIGHTNESS BLUR_PX: pictures of another place
    rm -rf "build/shoots/$1-yolo"
    vqc render --step cad_models --name "$1" --views "$2" --size 640x480 --background "$3" \
        --elevation "$4" --fill "$5" --out build/shoots --quiet
    vqc export "build/shoots/$1" --format yolo --out "build/shoots/$1-yolo"
    .venv/bin/python scripts/photograph.py "build/shoots/$1-yolo" "$6" "$7"
    vqc intake "build/shoots/$1-yolo" --name "$1" --simulated --quiet
}
shoot monday 15 tan 15:60:15 0.6 1.1 1.0
shoot tuesday 10 tan 20:70:10 0.5 0.8 1.4
from=(--from renders/demo --from datasets/monday --from datasets/tuesday)
split=(--test tuesday --val-fraction 0.3)
vqc mix --cad 100 --real 5 "${from[@]}" "${split[@]}" --name demo-mix --fresh
vqc inspect datasets/demo-mix

# From scratch and small, so that a laptop does it in minutes; real work starts from yolov8n.pt.
small=(--weights yolov8n.yaml --imgsz 128 --batch 8 --epochs 8
    --set nbs=8 --set optimizer=AdamW --set lr0=0.002 --set warmup_epochs=1 --set mosaic=0)
vqc train datasets/demo-mix "${small[@]}" --set epoch_images=400 ||
    vqc train datasets/demo-mix "${small[@]}" --set epoch_images=400 --fresh
vqc eval runs/detect/demo-mix --anyway
vqc grid --cad 0,100 --real 5 --repeats 1 "${from[@]}" "${split[@]}" "${small[@]}" --name demo --yes
vqc report runs/grids/demo runs/detect/demo-mix --out runs/demo.html

cat <<EOF

The demo took $SECONDS s. The score above is of simulated photos of the test shoot, and no honest one: an
mAP50 of 0.9 and more is expected. It says nothing about real photos. Look at
  renders/demo-sheet.png             a box on every part
  datasets/demo-mix-sheet.png        renders mixed with stand-ins for photos, and
  datasets/demo-mix-charts.png       whether the two are alike in size and place
  runs/demo.html                     what the detector learnt, and whether renders helped

Next, your own part and photos:
  source .venv/bin/activate
  vqc render --step YOUR_PART.step --step-deg 15
  vqc intake YOUR_PHOTOS --name shoot
  vqc mix --cad 500 --real 10
  vqc train datasets/cad500-real10
EOF
