#!/usr/bin/env bash
# From nothing to a trained model and pictures of what it says, in output/demo/.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

"$root/tools/build.sh" "$@"
cd "$root"
cfg=cfg/demo/fashion_mnist.yaml
data=data/fashion-mnist-demo
run=output/wfm_nano/demo
out=output/demo
mkdir -p "$out"

say() { printf '== %s\n' "$*"; }

say "preparing photographs of shop articles: Fashion-MNIST, all 60,000 and 2,000 held out (10 seconds)"
build/bin/wf_prepare --output "$data" --train 60000 --val 2000
if [[ -e $run/ckpt_epoch_1.safetensors || -e $run/max_acc.safetensors ]]; then
  say "a run is there already and goes on where it was; to start afresh: rm -r $run"
fi
say "training a small WeightFormer (about 3 minutes on two cores)"
build/bin/wf_train --cfg "$cfg" --data-path "$data" --tag demo
say "evaluating the best checkpoint (seconds)"
build/bin/wf_train --cfg "$cfg" --data-path "$data" --tag demo-eval \
  --eval --resume "$run/max_acc.safetensors" | tee "$out/accuracy.json"
say "asking it about 48 of the held-out pictures (seconds)"
# Every so-manieth of each class, so that all classes are there.
mapfile -t pictures < <(find "$data/val" -name '*.png' | sort | awk 'NR % 41 == 7' | head -n 48)
build/bin/wf_infer --cfg "$cfg" --resume "$run/max_acc.safetensors" --json \
  --images "${pictures[@]}" >"$out/predictions.jsonl"
build/bin/wf_report --metrics "$run/metrics.jsonl" --predictions "$out/predictions.jsonl" --output "$out"
say "look at $out/learning_curve.png and $out/contact_sheet.png; accuracy in $out/accuracy.json"
