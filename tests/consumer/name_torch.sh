#!/usr/bin/env bash
# Every usual way to name a LibTorch is taken, even with a .venv beside the sources; a version that is too old is
# refused, and the C++ standard is the one that the headers ask for.
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

# make_torch MINOR STANDARD: the files that a LibTorch is recognized by.
make_torch() {
  local headers=$work/made/include
  rm -rf "$work/made" "$work/build"
  mkdir -p "$headers/ATen/core" "$headers/torch/headeronly" "$work/made/lib"
  touch "$headers/ATen/core/Tensor.h" "$work/made/lib/libtorch_cpu.so" "$work/made/lib/libc10.so"
  echo "#error C++$2 or later compatible compiler is required" >"$headers/ATen/ATen.h"
  printf '#define TORCH_VERSION_%s %s\n' MAJOR 2 MINOR "$1" PATCH 0 >"$headers/torch/headeronly/version.h"
}
configure_made() { "${configure[@]}" "-DCMAKE_PREFIX_PATH=$work/made" >"$work/log" 2>&1; }
# CMake breaks long messages into lines.
expect_message() {
  tr -s ' \n' '  ' <"$work/log" | grep -qF "$1" || { cat "$work/log"; echo "expected: $1" >&2; exit 1; }
}

make_torch 10 17
if configure_made; then
  echo "LibTorch 2.10.0 was accepted" >&2
  exit 1
fi
expect_message "LibTorch in $work/made is 2.10.0: expected 2.11 or later"
rm "$work/made/include/torch/headeronly/version.h"
if configure_made; then
  echo "a LibTorch without a version was accepted" >&2
  exit 1
fi
expect_message "LibTorch in $work/made is unknown: expected 2.11 or later"
make_torch 99 20
configure_made || { cat "$work/log"; exit 1; }
expect_message "LibTorch in $work/made is 2.99.0: up to"
grep -q -- '-std=[a-z+]*20' "$work/build/build.ninja" || { echo "C++20 is not asked for" >&2; exit 1; }
make_torch 11 17
configure_made || { cat "$work/log"; exit 1; }
if grep -q "was tried" "$work/log" || grep -qE -- '-std=[a-z+]*(2[0-9])' "$work/build/build.ninja"; then
  echo "C++17 suffices for LibTorch 2.11, which is known" >&2
  exit 1
fi
echo "versions and standards of LibTorch are obeyed"
