#!/usr/bin/env bash
# What each factor of a look is worth, on photos of four circuit boards: renders alone train, nothing
# chooses, all photos of December are the test.
# Usage: bash benchmarks/looks.sh DATA WEIGHTS [FOLDER]
#   DATA     holds boards/cad, boards/photos/december and backgrounds
#   WEIGHTS  a file that training starts from
#   FOLDER   where everything is written [default: build/looks]
# Stopped at any moment, the same command goes on. LOOK (a name or file), IMGSZ, EPOCHS, PICTURES (seen an
# epoch), VIEWS (frames rendered), CAD (frames that a training draws from), FREEZE, MIX (more options of
# vqc mix), AMP (bf16 takes half the time on a processor that can), SEEDS and STEPS may be set; TAG ends the
# names of runs that differ in one of these. So:
#   for n in 100 250 500 2000 4000; do VIEWS=5000 CAD=$n TAG=-$n STEPS=7-sensor bash benchmarks/looks.sh …; done
#   FREEZE=10 TAG=-frozen STEPS=7-sensor …    MIX=--grey TAG=-grey STEPS=7-sensor …
set -euo pipefail
here=$(dirname "$(realpath "$0")") data=$(realpath "$1") weights=$(realpath "$2")
folder=${3:-build/looks} look=${LOOK:-bench} cad=${CAD:-960} views=${VIEWS:-1200}
mkdir -p "$folder"
cd "$folder"
python "$here/look_steps.py" --look "$look" steps >/dev/null
classes=(--class raspberry_pi_3b_plus=Raspberry_Pi_3 --class arduino_nano=Arduino_Nano
    --class heltec_lora32=Heltec_ESP32_Lora
    --class nodemcu_v3=ESP8266 --class nodemcu_v2_amica=ESP8266)
[ -f datasets/december/manifest.jsonl ] ||
    vqc intake "$data/boards/photos/december" --name december --session december --quiet

frames() { # frames NAME OPTIONS...: a rendered set, larger than what is drawn from it
    local name=$1
    shift
    [ -f "renders/$name/manifest.jsonl" ] && [ "$(wc -l <"renders/$name/manifest.jsonl")" -gt "$views" ] ||
        vqc render --step "$data/boards/cad" --name "$name" --size 640x480 "${classes[@]}" --quiet "$@"
}
for seed in ${SEEDS:-0 1 2}; do
    for step in ${STEPS:-1-grey 2-colours 3-size-backgrounds 4-light-material 5-clutter 6-plane 7-sensor}; do
        case $step in
        1-grey) frames $step --views $((views / 5)) --color grey ;;
        2-colours) frames $step --views $((views / 5)) ;;
        *) frames $step --look "steps/$step.yaml" --count "$views" \
            --backgrounds "$data/backgrounds" ;;
        esac
        name=$step-$seed${TAG:-}
        [ -f "datasets/$name/manifest.jsonl" ] ||
            vqc mix --cad "$cad" --real 0 --from "renders/$step" --from datasets/december --test december \
                --min-visibility 0.2 --seed "$seed" --name "$name" --quiet ${MIX:-}
        vqc train "datasets/$name" --weights "$weights" --imgsz "${IMGSZ:-320}" \
            --epochs "${EPOCHS:-8}" --batch 8 --freeze "${FREEZE:-0}" --seed "$seed" --set nbs=8 \
            --set "epoch_images=${PICTURES:-500}" --set warmup_epochs=1 --set close_mosaic=3 --quiet \
            ${AMP:+--set amp=$AMP}
        vqc eval "runs/detect/$name"
    done
done
vqc report runs/detect/* --out report.html
