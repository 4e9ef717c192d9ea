#!/usr/bin/env bash
# From nothing to a trained model and pictures of what it says, in output/demo/.
#
#   tools/demo.sh [--light] [CMake options]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

train=60000 # pictures to learn from
val=2000    # pictures of the test set, held out
sheet=48    # of them on the contact sheet
cfg=cfg/demo/fashion_mnist.yaml
data=data/fashion-mnist-demo
run=output/wfm_nano/demo
out=output/demo

"$root/tools/build.sh" "$@"
cd "$root"
mkdir -p "$out"

say "preparing photographs of shop articles: Fashion-MNIST, $train and $val held out (10 seconds)"
build/bin/wf_prepare --output "$data" --train $train --val $val
if [[ -e $run/metrics.jsonl ]]; then
  say "a run is there already: what is left of it is trained, nothing when it is finished; to start afresh: rm -r $run"
else
  say "training a small WeightFormer (about 3 minutes on two cores)"
fi
begin=$SECONDS
build/bin/wf_train --cfg "$cfg" --data-path "$data" --tag demo
say "that took $((SECONDS - begin)) s; evaluating the best checkpoint (seconds)"
build/bin/wf_train --cfg "$cfg" --data-path "$data" --tag demo-eval \
  --eval --resume "$run/max_acc.pth" | tee "$out/accuracy.json"

say "asking it about $sheet of the held-out pictures (seconds)"
# Every n-th of the sorted list, so that all classes are there.
mapfile -t pictures < <(find "$data/val" -name '*.png' | LC_ALL=C sort |
  awk -v every=$((val / sheet)) -v most=$sheet 'NR % every == 7 && ++n <= most')
build/bin/wf_infer --cfg "$cfg" --resume "$run/max_acc.pth" --json \
  --images "${pictures[@]}" >"$out/predictions.jsonl"
build/bin/wf_report --metrics "$run/metrics.jsonl" --predictions "$out/predictions.jsonl" --output "$out"

accuracy=$(sed -n 's/.*"val_acc1": *\([0-9.]*\).*/\1/p' "$out/accuracy.json")
say "accuracy: $accuracy % of the $val held-out pictures are named right ($out/accuracy.json)"
say "look at $out/learning_curve.png and $out/contact_sheet.png"
