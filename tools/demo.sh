#!/usr/bin/env bash
# From nothing to a trained model and pictures of its predictions, in output/demo/.
#
#   tools/demo.sh [--dit] [--quick] [--light] [CMake options]
#
# --dit: then trains a small image generator on the same data, draws samples, and classifies them.
# --quick: little data and short runs, to test the script.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

train=60000 # training images
val=2000    # held-out images of the test set
sheet=48    # of them on the sheet of predictions
judged=50   # samples of each class that are classified
dit=false short=() short_dit=()
while [[ ${1:-} == --dit || ${1:-} == --quick ]]; do
  if [[ $1 == --dit ]]; then dit=true; else
    train=1000 val=200 sheet=20 judged=2
    short=(--opts TRAIN.EPOCHS 2)
    short_dit=(--opts TRAIN.STEPS 20 TRAIN.WARMUP_STEPS 5 SAMPLE.STEPS 4)
  fi
  shift
done

cfg=cfg/demo/fashion_mnist.yaml
data=data/fashion-mnist-demo
run=output/wfm_nano/demo
out=output/demo

programs=(--target wf_prepare --target wf_train --target wf_infer --target wf_report)
if $dit; then programs+=(--target wf_sample --target wf_fid); fi
"$root/tools/build.sh" "${programs[@]}" "$@"
cd "$root"
mkdir -p "$out"

say "preparing Fashion-MNIST: $train training images, $val held out (10 seconds)"
build/bin/wf_prepare --output "$data" --train $train --val $val
if [[ -e $run/metrics.jsonl ]]; then
  say "a run exists already and is resumed, or skipped if it is finished; to start from scratch: rm -r $run"
else
  say "training a small WeightFormer (one to two minutes on two cores)"
fi
begin=$SECONDS
build/bin/wf_train --cfg "$cfg" --data-path "$data" --tag demo "${short[@]}"
say "that took $((SECONDS - begin)) s; evaluating the best checkpoint (seconds)"
build/bin/wf_train --cfg "$cfg" --data-path "$data" --tag demo-eval \
  --eval --resume "$run/max_acc.pth" | tee "$out/accuracy.json"

say "classifying $sheet of the held-out images (seconds)"
# Every n-th of the sorted list, so that all classes occur.
mapfile -t images < <(find "$data/val" -name '*.png' | LC_ALL=C sort |
  awk -v every=$((val / sheet)) -v most=$sheet 'NR % every == 7 && ++n <= most')
build/bin/wf_infer --cfg "$cfg" --resume "$run/max_acc.pth" --json \
  --images "${images[@]}" >"$out/predictions.jsonl"
build/bin/wf_report --metrics "$run/metrics.jsonl" --predictions "$out/predictions.jsonl" --output "$out"

accuracy=$(sed -n 's/.*"val_acc1": *\([0-9.]*\).*/\1/p' "$out/accuracy.json")
say "accuracy: $accuracy % of the $val held-out images ($out/accuracy.json)"
say "look at $out/learning_curve.svg and $out/contact_sheet.png"
$dit || exit 0

cfg=cfg/demo/fashion_mnist_dit.yaml
generator=output/dit_s_2/demo
out=output/demo/dit
say "training a small WeightFormer-DiT (7 to 12 minutes on two cores)"
begin=$SECONDS
build/bin/wf_train --cfg "$cfg" --data-path "$data" --tag demo "${short_dit[@]}"
say "that took $((SECONDS - begin)) s; drawing ten samples of each class, then $judged (a minute)"
build/bin/wf_sample --resume "$generator/max_acc.pth" --output "$out" --per-class 10
build/bin/wf_sample --resume "$generator/max_acc.pth" --output "$out/judged" --per-class "$judged" --png --seed 1
say "classifying the samples (seconds)"
ln -sfn images "$out/judged/val"
build/bin/wf_train --cfg cfg/demo/fashion_mnist.yaml --data-path "$out/judged" --tag demo-judge \
  --eval --resume "$run/max_acc.pth" | tee "$out/recognized.json"
recognized=$(sed -n 's/.*"val_acc1": *\([0-9.]*\).*/\1/p' "$out/recognized.json")
say "$recognized % of $((10 * judged)) samples are recognized as the class that they were drawn for"
say "Fréchet distance of the samples to the held-out images, in the features of the classifier (seconds)"
build/bin/wf_fid "$out/judged/images" "$data/val" --features "$run/max_acc.pth" --figures fid --output "$out/fd.json"
say "look at $out/grid.png: one row for each class"
