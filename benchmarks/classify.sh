#!/usr/bin/env bash
# Four LEGO parts, rendered by others: the default classifier and the original's network.
# Usage: bash benchmarks/classify.sh DATA WEIGHTS [FOLDER]
#   DATA     holds lego4/{train,valid}/<part>
#   WEIGHTS  a detector that the default's backbone starts from
#   FOLDER   where everything is written [default: build/classify]
# Stopped at any moment, the same command goes on. SEEDS, DEVICE and ROWS (of lego-default, lego-original)
# may be set. As in the original study, `valid` chooses the epoch and is what is reported: it is no honest
# score, and every figure says so.
set -euo pipefail
data=$(realpath "$1") weights=$(realpath "$2") folder=${3:-build/classify}
mkdir -p "$folder"
cd "$folder"
[ -f datasets/lego/manifest.jsonl ] || vqc intake "$data/lego4" --name lego --quiet
vqc mix --from datasets/lego --real all --per-class-val all --name lego4 --quiet

row() { # row NAME SETTINGS...: one row of the table, once for each seed
    local name=$1 seed
    shift
    case " ${ROWS:-$name} " in *" $name "*) ;; *) return 0 ;; esac
    for seed in ${SEEDS:-0 1 2}; do
        vqc train datasets/lego4 --task classify --name "$name-$seed" --seed "$seed" \
            ${DEVICE:+--device "$DEVICE"} "$@"
        vqc eval "runs/classify/$name-$seed" --split val --anyway ${DEVICE:+--device "$DEVICE"}
    done
}
row lego-default --weights "$weights"
row lego-original --model lego-cnn
finished=(runs/classify/*/run.json)
vqc report "${finished[@]%/run.json}" --out report.html

python - <<'END'
import glob, json, statistics as s
print("row", "accuracy", "least class", "log loss", "seconds", "runs", sep="\t")
for row in ("lego-default", "lego-original"):
    runs = sorted(glob.glob(f"runs/classify/{row}-*/run.json"))
    scored = [json.load(open(f"{run[:-9]}/eval/lego4-val/evaluation.json")) for run in runs]
    if runs:
        means = (
            f"{s.mean(found):.3f}"
            for found in (
                [each["metrics"]["accuracy"] for each in scored],
                [min(of["accuracy"] for of in each["per_class"].values()) for each in scored],
                [each["metrics"]["log loss"] for each in scored],
            )
        )
        seconds = s.mean(json.load(open(run))["seconds"] for run in runs)
        print(row, *means, f"{seconds:.0f}", len(runs), sep="\t")
END
