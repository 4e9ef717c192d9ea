#!/usr/bin/env bash
# Everything that needs a GPU, in one command: builds the models with their CUDA kernels, compares
# every operator with the CPU, and times models and operators against eager and compiled PyTorch.
#
#   tools/gpu_check.sh [--quick] [--device cpu] [OUTPUT_DIRECTORY]
#
# Needs a GPU, nvcc, CMake and a python3 that has torch; nothing is installed. Leaves report.json and
# report.md in OUTPUT_DIRECTORY (output/gpu_check). --device cpu tests the script without a GPU.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

quick=no device=cuda out=output/gpu_check python=${PYTHON:-python3}
while [[ $# -gt 0 ]]; do
  case $1 in
    --quick) quick=yes ;;
    --device) device=${2:?--device: cuda or cpu} && shift ;;
    -*) die "tools/gpu_check.sh: unknown argument $1; known: --quick, --device" ;;
    *) out=$1 ;;
  esac
  shift
done
cd "$root"
mkdir -p "$out"
lines=$out/lines.jsonl
: >"$lines"

torch=$("$python" -c 'import torch; print(torch.__path__[0])' 2>/dev/null) || die "$python has no torch; set PYTHON"
generator=()
command -v ninja >/dev/null && generator=(-G Ninja)
options=("${generator[@]}" -DWF_TRAINER=OFF -DWF_TESTS=OFF "-DCMAKE_PREFIX_PATH=$torch")
if [[ $device == cuda ]]; then
  "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' || die "torch sees no GPU here"
  options+=(-DWF_CUDA=ON -DWF_CUDA_ARCHITECTURES=native)
else
  options+=(-DWF_CUDA=OFF)
fi
# The C++ tests too, if their libraries are installed.
tests=no targets=(weightformer_core wf_bench)
if [[ -e /usr/include/gtest/gtest.h && -e /usr/include/nlohmann/json.hpp ]]; then
  tests=yes
  targets+=(wf_core_tests)
  options+=(-DWF_TESTS=ON)
fi
build=build-gpu-check
step gpu-configure.log "configuring (seconds)" cmake -S . -B $build "${options[@]}"
step gpu-build.log "building (minutes)" cmake --build $build -j "$(nproc)" --target "${targets[@]}"
library=$(find "$root/$build" -name libweightformer.so | head -n 1)
bench=$root/$build/bin/wf_bench

# check LOG "what" COMMAND…: a step whose failure is reported at the end, after the timings.
failed=()
check() {
  local log=$1 what=$2
  (step "$@") || failed+=("$what: $logs/$log")
}
check gpu-parity.log "comparing every operator with the CPU (a minute)" \
  "$python" tests/ops/device_parity.py "$library" "$device"
tail -n 1 "$logs/gpu-parity.log"
if [[ $device == cuda ]] && command -v compute-sanitizer >/dev/null; then
  check gpu-memcheck.log "the same under compute-sanitizer (minutes)" \
    compute-sanitizer --report-api-errors no --error-exitcode 1 "$python" tests/ops/device_parity.py "$library" "$device"
fi
[[ $tests == no ]] ||
  check gpu-tests.log "running the C++ tests of the operators on $device (minutes)" \
    env WF_DEVICE="$device" "$build/bin/wf_core_tests"

# run WHO COMMAND…: collects the JSON lines, and reports a failed run.
run() {
  local log
  log=$logs/gpu-bench-$1.log
  shift
  "$@" >"$log" 2>&1 || say "failed: $* ($(tail -n 1 "$log"))"
  grep '^{' "$log" >>"$lines" || true
}

models=(wfm_t wfm_s dit_s_2) batch=256 rounds=3 steps=10 dtypes=(bfloat16 float32)
[[ $quick == no ]] || { models=(wfm_nano dit_nano) batch=4 rounds=1 steps=2 dtypes=(float32); }
for model in "${models[@]}"; do
  for mode in infer train; do
    for dtype in "${dtypes[@]}"; do
      what=(--model "$model" --mode "$mode" --dtype "$dtype" --batch $batch --device "$device" --steps $steps)
      say "timing $model, $mode, $dtype, $rounds times in turn"
      for ((round = 0; round < rounds; ++round)); do
        run ours "$bench" "${what[@]}"
        run eager "$python" tests/bench/bench_torch.py "${what[@]}"
        [[ $quick == yes ]] || run compiled "$python" tests/bench/bench_torch.py "${what[@]}" --compile
      done
    done
  done
done
for dtype in "${dtypes[@]}"; do
  run ops "$bench" --ops --model "${models[-2]}" --dtype "$dtype" --batch $batch --device "$device"
done
"$python" tests/bench/gpu_report.py "$lines" "$out" "$device"
say "read $out/report.md, and copy it into docs/performance.md"
[[ ${#failed[@]} -eq 0 ]] || die "these failed: ${failed[*]}"
