#!/usr/bin/env bash
# Renders of a good magnet train; the same views with a component left out are told from good ones.
# Usage: bash benchmarks/left_out.sh WEIGHTS [FOLDER]
#   WEIGHTS  a detector whose backbone the detector of anomalies looks through
#   FOLDER   where everything is written [default: build/left-out]
# Stopped at any moment, the same command goes on. SEEDS (of the trainings) and DEVICE may be set.
# Views of one sweep look alike, so every mix leaks and every score is marked: the question here is
# whether a missing component is seen, not how a line does on another day.
set -euo pipefail
weights=$(realpath "$1") folder=${2:-build/left-out}
step=$(realpath "$(dirname "$0")/../cad_models/quadrupole_qd.step")
mkdir -p "$folder"
cd "$folder"

draw() { # draw CONDITION OPTIONS...: 80 views, the same ones each time
    vqc render --step "$step" --name "$1" --condition "$@" --size 448x336 \
        --azimuth 20:50:1 --elevation 15:35:1 --views 80 --quiet
}
take() { # take CONDITION SPLIT REMAINDERS: views whose number modulo 8 is among them, into photos
    local picture number
    mkdir -p "photos/$part/$2/$1"
    for picture in "renders/$1"/images/*/*/*.jpg; do
        number=${picture##*_} number=$((10#${number%.jpg} % 8))
        case $3 in *$number*) ln -f "$picture" "photos/$part/$2/$1/" ;; esac
    done
}
draw good
for part in manifold_supply lifting_eye; do
    draw "no-$part" --drop-part "$part"
    take good train 13567
    take good val 2
    take good test 04
    take "no-$part" test 04
    [ -f "datasets/$part-views/manifest.jsonl" ] ||
        vqc intake "photos/$part" --name "$part-views" --simulated --session each --quiet
    vqc mix --from "datasets/$part-views" --real all --background all --per-class-val all \
        --per-class-test all --allow-leaks --name "$part" --quiet
done

row() { # row NAME COMPONENT SETTINGS...: one row of the table, once for each seed
    local name=$1 part=$2 seed
    shift 2
    for seed in ${SEEDS:-0 1 2}; do
        vqc train "datasets/$part" --task anomaly --name "$name-$seed" --weights "$weights" \
            --seed "$seed" ${DEVICE:+--device "$DEVICE"} "$@"
        vqc eval "runs/anomaly/$name-$seed" --anyway ${DEVICE:+--device "$DEVICE"}
    done
}
row manifold-supply manifold_supply
row lifting-eye lifting_eye
row lifting-eye-absolute lifting_eye --relative false
row lifting-eye-large lifting_eye --imgsz 896

python - <<'END'
import glob, json, statistics as s
METRICS = ("AUROC", "recall", "best F1")
print("row", *METRICS, "AUROC of each seed", sep="\t")
for row in ("manifold-supply", "lifting-eye", "lifting-eye-absolute", "lifting-eye-large"):
    files = sorted(glob.glob(f"runs/anomaly/{row}-[0-9]*/eval/*-test/evaluation.json"))
    found = [json.load(open(file))["metrics"] for file in files]
    if found:
        means = (f"{s.mean(m[name] for m in found):.3f}" for name in METRICS)
        print(row, *means, " ".join(f"{m['AUROC']:.3f}" for m in found), sep="\t")
END
