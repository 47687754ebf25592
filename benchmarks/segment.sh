#!/usr/bin/env bash
# Defects on hot-rolled steel (NEU_Seg) and cracks in pavement (CrackForest): ours and the originals.
# Usage: bash benchmarks/segment.sh DATA WEIGHTS [FOLDER]
#   DATA     holds neu_seg/{train,test}/{images,masks} and crackforest/{images,masks}
#   WEIGHTS  a detector that the default's encoder starts from
#   FOLDER   where everything is written [default: build/segment]
# Stopped at any moment, the same command goes on. EPOCHS, PICTURES (seen in an epoch of steel; none: all),
# STEEL_IMGSZ (of ours), CRACK_EPOCHS, SEEDS, AMP (bf16 where the processor has it, else off), DEVICE and
# ROWS (of steel-ours, steel-original, cracks-ours, cracks-original) may be set. Ours and the original see
# equally many pictures.
set -euo pipefail
data=$(realpath "$1") weights=$(realpath "$2") folder=${3:-build/segment}
epochs=${EPOCHS:-30} crack_epochs=${CRACK_EPOCHS:-60} seeds=${SEEDS:-0 1 2} amp=${AMP:-off}
mkdir -p "$folder"
cd "$folder"

# Two pictures of NEU_Seg are the same byte for byte: one is left out, and the command says so by its exit.
# Two of its training pictures are test pictures saved again: they get no session, so they stay out as well.
[ -f datasets/steel/manifest.jsonl ] ||
    vqc intake "$data/neu_seg" --name steel --skip-bad --quiet \
        --session 'regex:^(test|train(?!/images/(?:001174|003863)))' ||
    [ -f datasets/steel/manifest.jsonl ]
[ -f datasets/cracks/manifest.jsonl ] ||
    vqc intake "$data/crackforest" --name cracks --session each --quiet

all=(--real all --background all --per-class-val all --per-class-test all --quiet)
row() { # row KIND WHAT SETTINGS...: one row of the table, once for each seed
    local kind=$1 what=$2 name=$1-$2 seed
    shift 2
    case " ${ROWS:-$name} " in *" $name "*) ;; *) return 0 ;; esac
    for seed in $seeds; do
        vqc train "datasets/$kind-$seed" --task segment --name "$name-$seed" --seed "$seed" \
            --set "amp=$amp" ${DEVICE:+--device "$DEVICE"} "$@"
        vqc eval "runs/segment/$name-$seed" ${DEVICE:+--device "$DEVICE"}
    done
}
for seed in $seeds; do
    # The official test split; a tenth of the training pictures chooses the epoch and the thresholds.
    vqc mix "${all[@]}" --from datasets/steel --test test --val-fraction 0.1 --seed "$seed" \
        --name "steel-$seed"
    vqc mix "${all[@]}" --from datasets/cracks --test-fraction 0.3 --val-sessions 0.15 --seed "$seed" \
        --name "cracks-$seed"
done
steel=(--epochs "$epochs" ${PICTURES:+--set "epoch_images=$PICTURES"})
cracks=(--epochs "$crack_epochs")
row steel ours --weights "$weights" --imgsz "${STEEL_IMGSZ:-320}" "${steel[@]}" # they have 200 px; val chose 320
row steel original --set model=unet-steel "${steel[@]}"
row cracks ours --weights "$weights" --batch 4 "${cracks[@]}"
row cracks original --set model=unet-crack "${cracks[@]}"
finished=(runs/segment/*/run.json)
vqc report "${finished[@]%/run.json}" --out report.html

python - <<'END'
import glob, json, statistics as s
METRICS = ("Dice", "Dice-present", "IoU", "F1", "F1-tolerant")
print("row", *METRICS, "runs", sep="\t")
for row in ("steel-ours", "steel-original", "cracks-ours", "cracks-original"):
    files = glob.glob(f"runs/segment/{row}-*/eval/*-test/evaluation.json")
    found = [json.load(open(file))["metrics"] for file in sorted(files)]
    if found:
        means = (f"{s.mean(m[name] for m in found):.3f}" for name in METRICS)
        print(row, *means, len(found), sep="\t")
END
