#!/usr/bin/env bash
# Every usual way to name a LibTorch is taken, even with a .venv beside the sources.
#
#   name_torch.sh SOURCE_ROOT TORCH_ROOT
set -euo pipefail
source_root=$1 torch_root=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Another LibTorch than the one that is found unnamed.
named=$work/elsewhere/libtorch
mkdir -p "$named"
for part in include lib share; do ln -s "$torch_root/$part" "$named/$part"; done

count=0
expect() {
  local what=$1
  shift
  count=$((count + 1))
  "$@" >"$work/log" 2>&1 || { cat "$work/log"; echo "$what: cannot be configured" >&2; exit 1; }
  if ! grep -qF "weightformer: LibTorch in $named" "$work/log"; then
    cat "$work/log"
    echo "$what: another LibTorch was taken" >&2
    exit 1
  fi
  rm -rf "$work/build"
}
configure=(cmake -S "$source_root/tests/consumer" -B "$work/build" -G Ninja
  -DWF_CUDA=OFF "-DWEIGHTFORMER_DIR=$source_root")

expect "the root of a zip" "${configure[@]}" "-DCMAKE_PREFIX_PATH=$named"
expect "the directory of a zip" "${configure[@]}" "-DCMAKE_PREFIX_PATH=$work/elsewhere"
expect "torch.utils.cmake_prefix_path" "${configure[@]}" "-DCMAKE_PREFIX_PATH=$named/share/cmake"
expect "a later entry" "${configure[@]}" "-DCMAKE_PREFIX_PATH=$work;$named"
expect "Torch_DIR" "${configure[@]}" "-DTorch_DIR=$named/share/cmake/Torch"
expect "the environment" env "CMAKE_PREFIX_PATH=$work:$named" "${configure[@]}"
expect "the parent's target torch" "${configure[@]}" "-DCONSUMER_TORCH=$named"
if command -v nvcc >/dev/null; then
  for name in "-DTorch_DIR=$named/share/cmake/Torch" "-DCMAKE_PREFIX_PATH=$named"; do
    expect "the parent's find_package(Torch)" "${configure[@]}" -DCONSUMER_FINDS_TORCH=ON "$name"
  done
else
  echo "not tried without a CUDA toolkit: the parent's find_package(Torch)"
fi

if "${configure[@]}" "-DTorch_DIR=$work" >"$work/log" 2>&1; then
  echo "a wrong Torch_DIR was ignored" >&2
  exit 1
fi
grep -q "Torch_DIR is $work: expected LIBTORCH/share/cmake/Torch" "$work/log"
echo "$count ways to name LibTorch, each taken"
