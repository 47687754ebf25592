#!/usr/bin/env bash
# Cracks in commutators (KolektorSDD): the default anomaly detector and the original's autoencoder.
# Usage: bash benchmarks/anomaly.sh DATA WEIGHTS [FOLDER]
#   DATA     holds kolektor with its index.csv
#   WEIGHTS  a detector whose backbone the default looks through
#   FOLDER   where everything is written [default: build/anomaly]
# Stopped at any moment, the same command goes on. SEEDS (of splits and trainings), EPOCHS (of the
# autoencoder), DEVICE and ROWS (of patchcore, autoencoder) may be set.
set -euo pipefail
data=$(realpath "$1") weights=$(realpath "$2") folder=${3:-build/anomaly}
mkdir -p "$folder"
cd "$folder"
# Exact copies are left out, and the command says so by its exit. Items 38 and 39 are one, photographed twice.
[ -f datasets/kolektor/manifest.jsonl ] ||
    vqc intake "$data/kolektor" --name kolektor --skip-bad --quiet \
        --session 'column:source:^(kos3(?=[89])|kos\d+)' ||
    [ -f datasets/kolektor/manifest.jsonl ]

row() { # row NAME SETTINGS...: one row of the table, once for each seed
    local name=$1 seed
    shift
    case " ${ROWS:-$name} " in *" $name "*) ;; *) return 0 ;; esac
    for seed in ${SEEDS:-0 1 2}; do
        vqc mix --from datasets/kolektor --real all --background all --test-fraction 0.3 \
            --val-sessions 0.2 --per-class-val all --per-class-test all --seed "$seed" \
            --name "kolektor-$seed" --quiet
        vqc train "datasets/kolektor-$seed" --task anomaly --name "$name-$seed" --seed "$seed" \
            ${DEVICE:+--device "$DEVICE"} "$@"
        vqc eval "runs/anomaly/$name-$seed" ${DEVICE:+--device "$DEVICE"}
    done
}
row patchcore --weights "$weights"
row autoencoder --model conv-ae --epochs "${EPOCHS:-30}"
finished=(runs/anomaly/*/run.json)
vqc report "${finished[@]%/run.json}" --out report.html

python - <<'END'
import glob, json, statistics as s
METRICS = ("AUROC", "average precision", "F1", "best F1", "pixel AUROC", "PRO")
print("row", *METRICS, "seconds", "runs", sep="\t")
for row in ("patchcore", "autoencoder"):
    runs = sorted(glob.glob(f"runs/anomaly/{row}-*"))
    files = [glob.glob(f"{run}/eval/*-test/evaluation.json") for run in runs]
    found = [json.load(open(file[0]))["metrics"] for file in files if file]
    if found:
        means = (f"{s.mean(m[name] for m in found):.3f}" for name in METRICS)
        seconds = s.mean(json.load(open(f"{run}/run.json"))["seconds"] for run in runs)
        print(row, *means, f"{seconds:.0f}", len(found), sep="\t")
END
