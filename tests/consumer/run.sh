#!/usr/bin/env bash
# Builds and runs the consumer where there is neither OpenCV nor yaml-cpp nor spdlog nor nvcc.
#
#   run.sh SOURCE_ROOT TORCH_ROOT
set -euo pipefail
source_root=$1 torch_root=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

hidden=(-DWF_CUDA=OFF -DCMAKE_CUDA_COMPILER=)
for package in OpenCV yaml-cpp spdlog JPEG ZLIB CUDAToolkit GTest; do
  hidden+=("-DCMAKE_DISABLE_FIND_PACKAGE_$package=ON")
done
launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
# Without the precompiled header ccache serves the second run; compiled separately, every source
# of the models is checked to include what it uses.
env -u CUDACXX PATH="$(printf '%s' "$PATH" | tr : '\n' | grep -v cuda | paste -sd:)" \
  cmake -S "$source_root/tests/consumer" -B "$work/build" -G Ninja -DWF_PCH=OFF -DWF_UNITY=OFF \
  -DCMAKE_BUILD_TYPE=Release -DWEIGHTFORMER_DIR="$source_root" -DCMAKE_PREFIX_PATH="$torch_root" \
  "${hidden[@]}" "${launcher[@]}"
cmake --build "$work/build"
"$source_root/tests/consumer/run_programs.sh" "$work/build"
# Nothing but LibTorch and the system may be needed to run it.
if ldd "$work/build/consumer" | grep -Ei 'opencv|yaml|spdlog|libjpeg'; then
  echo "the embedded models pull in a library of the trainer" >&2
  exit 1
fi
