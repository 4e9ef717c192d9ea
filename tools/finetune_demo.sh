#!/usr/bin/env bash
# Fine-tuning: a model that was pretrained on seven classes of Fashion-MNIST learns the three others,
# shoes, from 100 images of each, at a larger size; for comparison, the same from random weights.
# Writes output/finetune/accuracy.tsv. Needs a built tree (tools/build.sh).
#
#   tools/finetune_demo.sh [--quick]    # --quick: a short run, to test the script
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$root"

train=60000 pretraining=5 finetuning=30
[[ ${1:-} == --quick ]] && train=2000 pretraining=2 finetuning=2
shoes=(sandal sneaker ankle_boot)
images=100 # for training, of each kind of shoe
all=data/fashion-mnist-finetune
out=output/finetune
rm -rf "$out" "$all"
mkdir -p "$out"

source=/usr/share/datasets/fashion-mnist
[[ -d $source ]] || { say "skipped: no images in $source (Debian's dataset-fashion-mnist)"; exit 77; }

say "preparing the images (10 seconds)"
build/bin/wf_prepare --output "$all/all" --train "$train" --val 2000 >/dev/null
for set in train val; do
  for class in "$all/all/$set"/*; do
    name=$(basename "$class")
    group=others
    [[ " ${shoes[*]} " == *" $name "* ]] && group=shoes
    mkdir -p "$all/$group/$set/$name"
    mapfile -t files < <(find "$class" -name '*.png' | LC_ALL=C sort)
    [[ $group/$set != shoes/train ]] || files=("${files[@]:0:images}")
    printf '%s\0' "${files[@]}" | xargs -0 cp -t "$all/$group/$set/$name"
  done
done

train() { # TAG DIRECTORY CLASSES EPOCHS [more flags]
  local tag=$1 directory=$2 classes=$3 epochs=$4
  shift 4
  build/bin/wf_train --cfg cfg/demo/fashion_mnist.yaml --data-path "$all/$directory" --output "$out/runs" \
    --tag "$tag" --opts MODEL.NUM_CLASSES "$classes" TRAIN.EPOCHS "$epochs" PRINT_FREQ 500 "$@"
}
best() { # TAG
  sed -n 's/.*"val_acc1": *\([0-9.]*\).*/\1/p' "$out/runs/wfm_nano/$1/metrics.jsonl" | sort -g | tail -1
}

say "training on the seven other classes"
train others others 7 "$pretraining"
weights=$out/runs/wfm_nano/others/max_acc.pth
small=(DATA.IMG_SIZE 42 DATA.BATCH_SIZE 20 TRAIN.BASE_LR 1.28e-2) # 5e-4 at a batch of 20
say "learning shoes from $((3 * images)) images: from random weights"
train fresh shoes 3 "$finetuning" "${small[@]}"
say "from the pretrained weights, each layer at 0.75 times the rate of the layer above"
train layer_decay shoes 3 "$finetuning" "${small[@]}" TRAIN.LAYER_DECAY 0.75 MODEL.PRETRAINED "$weights"
say "from the pretrained weights, training only the head"
train head shoes 3 "$finetuning" "${small[@]}" TRAIN.FREEZE patch_embed,blocks MODEL.PRETRAINED "$weights"

{
  printf 'start\ttop-1 of 600 held-out shoes, percent\n'
  for tag in fresh layer_decay head; do printf '%s\t%.1f\n' "$tag" "$(best "$tag")"; done
} | tee "$out/accuracy.tsv"
