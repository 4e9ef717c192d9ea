#!/usr/bin/env bash
# Everything that needs a GPU, in one command and a few minutes: compares every operator with the CPU,
# and times models and operators against eager and compiled PyTorch. The most valuable comes first,
# every command has a time limit, and the report is written again after each phase.
#
#   tools/gpu_check.sh [--quick] [--device cpu] [--seconds N] [--prebuilt DIRECTORY] [OUTPUT_DIRECTORY]
#
# Needs a GPU and a python3 that has torch; without --prebuilt also nvcc and CMake. Nothing is
# installed. --prebuilt takes what tools/gpu_pack.sh built elsewhere with the same torch. Leaves
# report.json, report.md, lines.jsonl, logs and traces in OUTPUT_DIRECTORY (output/gpu_check).
# --seconds limits the time of the script (540, without the build); --device cpu tests the script without a GPU.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

quick=no device=cuda out=output/gpu_check seconds=540 prebuilt= python=${PYTHON:-python3}
while [[ $# -gt 0 ]]; do
  case $1 in
    --quick) quick=yes ;;
    --device) device=${2:?--device: cuda or cpu} && shift ;;
    --seconds) seconds=${2:?--seconds: a number} && shift ;;
    --prebuilt) prebuilt=$(cd "${2:?--prebuilt: a directory}" && pwd) && shift ;;
    -*) die "tools/gpu_check.sh: unknown argument $1; known: --quick, --device, --seconds, --prebuilt" ;;
    *) out=$1 ;;
  esac
  shift
done
cd "$root"
mkdir -p "$out/logs"
out=$(cd "$out" && pwd)
lines=$out/lines.jsonl
: >"$lines"

torch=$("$python" -c 'import torch; print(torch.__path__[0])' 2>/dev/null) || die "$python has no torch; set PYTHON"
if [[ $device == cuda ]]; then
  "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' || die "torch sees no GPU here"
fi

# --- Programs: built here, or brought along ---------------------------------------------------
if [[ -n $prebuilt ]]; then
  library=$prebuilt/lib/libweightformer.so bench=$prebuilt/bin/wf_bench tests=$prebuilt/bin/wf_core_tests
  [[ -x $bench && -e $library ]] || die "$prebuilt has no bin/wf_bench and lib/libweightformer.so; tools/gpu_pack.sh makes them"
  built=$(cat "$prebuilt/torch.txt") here=$("$python" -c 'import torch; print(torch.__version__)')
  [[ $built == "$here" ]] || die "$prebuilt was built with torch $built, $python has $here"
  export LD_LIBRARY_PATH=$torch/lib:$prebuilt/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  # The tests look for their files where they were built.
  golden=$(cat "$prebuilt/golden.txt")
  [[ -e $golden ]] || { mkdir -p "$(dirname "$golden")" && ln -s "$prebuilt/tests/golden" "$golden"; } ||
    say "no $golden, so tests that read it fail"
else
  generator=()
  command -v ninja >/dev/null && generator=(-G Ninja)
  options=("${generator[@]}" -DWF_TRAINER=OFF -DWF_TESTS=OFF "-DCMAKE_PREFIX_PATH=$torch")
  if [[ $device == cuda ]]; then
    options+=(-DWF_CUDA=ON -DWF_CUDA_ARCHITECTURES=native)
  else
    options+=(-DWF_CUDA=OFF)
  fi
  # The C++ tests too, if their libraries are installed.
  build=$root/build-gpu-check tests= targets=(weightformer_core wf_bench)
  if [[ -e /usr/include/gtest/gtest.h && -e /usr/include/nlohmann/json.hpp ]]; then
    tests=$build/bin/wf_core_tests
    targets+=(wf_core_tests)
    options+=(-DWF_TESTS=ON)
  fi
  step gpu-configure.log "configuring (seconds)" cmake -S . -B "$build" "${options[@]}"
  step gpu-build.log "building (minutes)" cmake --build "$build" -j "$(nproc)" --target "${targets[@]}"
  library=$(find "$build" -name libweightformer.so | head -n 1)
  bench=$build/bin/wf_bench
fi

# --- Phases -----------------------------------------------------------------------------------
begin=$SECONDS failed=()

# try NAME LIMIT COMMAND…: runs COMMAND for at most LIMIT seconds and as long as the script may take;
# collects its JSON lines as they come, and notes a failure.
try() {
  local name=$1 limit=$2 left=$((begin + seconds - SECONDS)) log=$out/logs/$1.log code=0
  shift 2
  ((left > 5)) || { failed+=("$name: no time was left") && return; }
  ((limit < left)) || limit=$left
  timeout -k 5 "$limit" "$@" </dev/null 2>&1 | tee "$log" | { grep --line-buffered '^{' >>"$lines" || true; } || code=$?
  [[ $code -eq 0 ]] && say "$((SECONDS - begin)) s: $name done" && return
  failed+=("$name: exit code $code, $log")
  say "$((SECONDS - begin)) s: $name failed with code $code: $(tail -n 1 "$log")"
}
report() {
  "$python" tests/bench/gpu_report.py "$lines" "$out" "$device" >/dev/null || say "no report yet"
}

models=(wfm_s dit_s_2 wfm_t) batch=256 steps=20 dtype=bfloat16
[[ $quick == no ]] || { models=(wfm_nano dit_nano) batch=4 steps=2 dtype=float32; }
names=$(IFS=, && echo "${models[*]}")
what=(--batch $batch --dtype $dtype --device "$device" --steps $steps)
eager=("$python" tests/bench/bench_torch.py --model "$names" --mode train,infer "${what[@]}")
ours() { # ROUND
  for model in "${models[@]}"; do
    try "ours-$model-train-$1" 60 "$bench" --model "$model" --mode train "${what[@]}" \
      --phases --floor --trace "$out/$model-train.json"
    try "ours-$model-infer-$1" 60 "$bench" --model "$model" --mode infer "${what[@]}" --floor
  done
}

# Compiling takes minutes of a CPU, hidden behind what a GPU does first.
export TORCHINDUCTOR_CACHE_DIR=$out/inductor
warm=
if [[ $quick == no ]]; then
  nice timeout 400 "${eager[@]}" --compile --steps 1 --warmup 1 </dev/null >"$out/logs/warm.log" 2>&1 &
  warm=$!
fi
trap '[[ -z $warm ]] || kill "$warm" 2>/dev/null || true' EXIT
[[ $device == cpu ]] || nvidia-smi >"$out/logs/nvidia-smi.log" 2>&1 || true

try parity 120 "$python" tests/ops/device_parity.py "$library" "$device"
[[ -z $tests || ! -x $tests ]] || try tests 150 env WF_DEVICE="$device" "$tests" \
  '--gtest_filter=*OpCases*:LayerNorm*:DynamicLinear*:ColumnGain*:DynamicDwconv*'
report
ours 1
report
try eager 120 "${eager[@]}"
report
try ops-"$dtype" 60 "$bench" --ops --model "${models[0]}" --dtype $dtype --batch $batch --device "$device"
report
if [[ -n $warm ]]; then
  wait "$warm" || say "warming up torch.compile failed: $(tail -n 1 "$out/logs/warm.log")"
  warm=
  try compiled 200 "${eager[@]}" --compile
  report
fi
ours 2
[[ $dtype == float32 ]] ||
  try ops-float32 60 "$bench" --ops --model "${models[0]}" --dtype float32 --batch $batch --device "$device"
if [[ $device == cuda ]] && command -v compute-sanitizer >/dev/null; then
  try memcheck 120 env PYTORCH_NO_CUDA_MEMORY_CACHING=1 compute-sanitizer --report-api-errors no \
    --error-exitcode 1 "$python" tests/ops/device_parity.py "$library" "$device"
fi
report
say "$((SECONDS - begin)) s: read $out/report.md, and copy it into docs/performance.md"
[[ ${#failed[@]} -eq 0 ]] || die "these failed: $(printf '%s; ' "${failed[@]}")"
