#!/usr/bin/env bash
# Installs the models and uses them by find_package(weightformer).
#
#   installed.sh SOURCE_ROOT BUILD_ROOT TORCH_ROOT
set -euo pipefail
source_root=$1 build_root=$2 torch_root=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build_root" --prefix "$work/prefix" >"$work/log" || { cat "$work/log"; exit 1; }
configure=(cmake -S "$source_root/tests/consumer" -B "$work/build" -G Ninja -DCONSUMER_FINDS=ON
  -DCMAKE_BUILD_TYPE=Release "-DWEIGHTFORMER_DIR=$source_root")

# LibTorch need not be named: it is the one that the library was built with.
"${configure[@]}" "-DCMAKE_PREFIX_PATH=$work/prefix" >"$work/log" || { cat "$work/log"; exit 1; }
grep -qF "weightformer: LibTorch in $torch_root" "$work/log"
cmake --build "$work/build"
output=$("$work/build/consumer")
printf '%s\n' "$output"
[[ $output == "logits [1, 1000], class "* ]]

# Another version of LibTorch has another ABI.
mkdir -p "$work/old/include/ATen/core" "$work/old/include/torch/headeronly" "$work/old/lib"
touch "$work/old/include/ATen/core/Tensor.h" "$work/old/lib/libtorch_cpu.so" "$work/old/lib/libc10.so"
printf '#define TORCH_VERSION_MAJOR 1\n#define TORCH_VERSION_MINOR 2\n#define TORCH_VERSION_PATCH 3\n' \
  >"$work/old/include/torch/headeronly/version.h"
rm -rf "$work/build"
if "${configure[@]}" "-DCMAKE_PREFIX_PATH=$work/prefix;$work/old" >"$work/log" 2>&1; then
  echo "LibTorch 1.2.3 was accepted" >&2
  exit 1
fi
grep -q "built with LibTorch" "$work/log"

for program in "$work/prefix/bin/"*; do "$program" --version >/dev/null; done
"$work/prefix/bin/wf_train" --list-models
