#!/usr/bin/env bash
# The original study's rows on photos of four circuit boards: December trains, January tests.
# Usage: bash benchmarks/boards.sh DATA WEIGHTS [FOLDER]
#   DATA     holds boards/cad, boards/photos/{december,january} and backgrounds
#   WEIGHTS  a file that training starts from
#   FOLDER   where everything is written [default: build/boards]
# Stopped at any moment, the same command goes on. LOOK (plain, or a look's name or file), VIEWS (frames
# rendered), CAD (frames of the row without photos), FREEZE, IMGSZ, EPOCHS, PICTURES (seen an epoch), AMP
# (bf16), SEEDS and ROWS may be set; the defaults suit a CPU. A GPU wants IMGSZ=640 EPOCHS=100 PICTURES=600.
set -euo pipefail
data=$(realpath "$1") weights=$(realpath "$2") folder=${3:-build/boards}
imgsz=${IMGSZ:-320} epochs=${EPOCHS:-8} pictures=${PICTURES:-250} look=${LOOK:-plain}
case $look in *.yaml) look=$(realpath "$look") ;; esac
mkdir -p "$folder"
cd "$folder"

if [ "$look" = plain ]; then
    drawn=(--views $((${VIEWS:-800} / 5)))
else
    drawn=(--look "$look" --count "${VIEWS:-800}" --backgrounds "$data/backgrounds")
fi
[ -f renders/boards-cad/manifest.jsonl ] ||
    vqc render --step "$data/boards/cad" --name boards-cad --size 640x480 "${drawn[@]}" \
        --class raspberry_pi_3b_plus=Raspberry_Pi_3 --class arduino_nano=Arduino_Nano \
        --class heltec_lora32=Heltec_ESP32_Lora \
        --class nodemcu_v3=ESP8266 --class nodemcu_v2_amica=ESP8266
[ -f datasets/boards/manifest.jsonl ] ||
    vqc intake "$data/boards/photos" --name boards --session folder
[ -f datasets/empty/manifest.jsonl ] ||
    vqc intake "$data/backgrounds" --name empty --background

row() { # row NAME MIX-OPTIONS...: one row of the table, three times
    local name=$1 seed
    shift
    case " ${ROWS:-$name} " in *" $name "*) ;; *) return ;; esac
    for seed in ${SEEDS:-0 1 2}; do
        vqc mix "$@" --test january --min-visibility 0.2 --seed "$seed" --name "$name-$seed" --quiet
        vqc train "datasets/$name-$seed" --weights "$weights" --imgsz "$imgsz" --epochs "$epochs" \
            --batch 8 --freeze "${FREEZE:-10}" --seed "$seed" --set nbs=8 --set "epoch_images=$pictures" \
            --set warmup_epochs=1 --set close_mosaic=3 ${AMP:+--set amp=$AMP}
        [ -n "${NO_EVAL:-}" ] || vqc eval "runs/detect/$name-$seed"
    done
}
chosen=(--val-fraction 0.2) # a fifth of December chooses the epoch, but where no photo trains
row cad-only --cad "${CAD:-500}" --real 0
row photos5 --real 5 "${chosen[@]}"
row cad150-photos5 --cad 150 --real 5 "${chosen[@]}"
row cad500-photos10 --cad 500 --real 10 "${chosen[@]}"
row all-photos --real 40 --allow-short "${chosen[@]}"
row photos10 --real 10 "${chosen[@]}"
row diverse5 --real 5 --select diverse "${chosen[@]}"
row diverse10 --real 10 --select diverse "${chosen[@]}"
[ -n "${NO_EVAL:-}" ] || vqc report runs/detect/* --out report.html
