#!/usr/bin/env bash
# Installs the models, moves them and uses them by find_package(weightformer).
#
#   installed.sh SOURCE_ROOT BUILD_ROOT TORCH_ROOT
set -euo pipefail
source_root=$1 build_root=$2 torch_root=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

quietly() { "$@" >"$work/log" 2>&1 || { cat "$work/log"; return 1; }; }
fail() {
  echo "$1" >&2
  exit 1
}

quietly cmake --install "$build_root" --prefix "$work/installed"
mv "$work/installed" "$work/prefix"
if grep -rlF "$work/installed" "$work/prefix" || grep -rlF "$build_root" "$work/prefix/lib/cmake"; then
  fail "these files name the directory that they were installed to, or that of the build"
fi
# Header-only libraries inside are not exported: a program may have another version of them.
nm -D --defined-only "$work/prefix/lib"*/libweightformer.so >"$work/log"
grep -q "N2wf" "$work/log" || fail "nothing is exported"
if grep "nlohmann" "$work/log"; then
  fail "a library inside is exported"
fi

configure=(cmake -S "$source_root/tests/consumer" -B "$work/build" -G Ninja
  -DCMAKE_BUILD_TYPE=Release "-DWEIGHTFORMER_DIR=$source_root")

# LibTorch need not be named: it is the one that the library was built with. No CUDA toolkit is needed.
env -u CUDACXX PATH="$(printf '%s' "$PATH" | tr : '\n' | grep -v cuda | paste -sd:)" bash -c '"$@"' configure \
  "${configure[@]}" -DCONSUMER_FINDS=core "-DCMAKE_PREFIX_PATH=$work/prefix" >"$work/log" 2>&1 ||
  { cat "$work/log"; exit 1; }
grep -qF "weightformer: LibTorch in $torch_root" "$work/log"
cmake --build "$work/build"
"$source_root/tests/consumer/run_programs.sh" "$work/build"

# A component that is not there is named.
mkdir "$work/models"
quietly cmake --install "$build_root" --prefix "$work/models" --component core
[[ ! -e $work/models/bin ]] || fail "--component core installs programs"
rm -rf "$work/build"
quietly "${configure[@]}" -DCONSUMER_FINDS=core "-DCMAKE_PREFIX_PATH=$work/models"
rm -rf "$work/build"
if "${configure[@]}" -DCONSUMER_FINDS="core;programs" "-DCMAKE_PREFIX_PATH=$work/models" >"$work/log" 2>&1; then
  fail "a component that is not installed was found"
fi
tr -s ' \n' '  ' <"$work/log" | grep -qF "the component programs is not installed" || { cat "$work/log"; exit 1; }

# Another version of LibTorch has another ABI.
mkdir -p "$work/old/include/ATen/core" "$work/old/include/torch/headeronly" "$work/old/lib"
touch "$work/old/include/ATen/core/Tensor.h" "$work/old/lib/libtorch_cpu.so" "$work/old/lib/libc10.so"
printf '#define TORCH_VERSION_%s %s\n' MAJOR 2 MINOR 11 PATCH 99 \
  >"$work/old/include/torch/headeronly/version.h"
rm -rf "$work/build"
if "${configure[@]}" -DCONSUMER_FINDS=core "-DCMAKE_PREFIX_PATH=$work/prefix;$work/old" >"$work/log" 2>&1; then
  fail "LibTorch 2.11.99 was accepted"
fi
grep -q "built with LibTorch" "$work/log"

if [[ -e $work/prefix/bin/wf_train ]]; then
  rm -rf "$work/build"
  quietly "${configure[@]}" -DCONSUMER_FINDS="core;trainer;programs" "-DCMAKE_PREFIX_PATH=$work/prefix"
  cmake --build "$work/build" --target train
  output=$("$work/build/train")
  printf '%s\n' "$output"
  [[ $output == "trained, loss "* ]] || fail "the trainer's library does not train"
  for program in "$work/prefix/bin/"*; do "$program" --version >/dev/null; done
  "$work/prefix/bin/wf_train" --list-models
fi
