#!/usr/bin/env bash
# Builds the models with the newest torch and compares them with the golden files.
#
#   core.sh SOURCE_ROOT VENV BUILD_DIRECTORY
#
# VENV is what install.py makes; without it the exit code is 77, which CTest counts as skipped.
set -euo pipefail
source_root=$1 venv=$2 build=$3

torch=$(compgen -G "$venv/lib/python3*/site-packages/torch" || true)
if [[ ! -e $torch/lib/libtorch_cpu.so ]]; then
  echo "skipped: there is no newest torch in $venv"
  exit 77
fi
version=$(sed -n 's/^__version__ = .\([0-9.]*\).*/\1/p' "$torch/version.py")
begin=$SECONDS
# -DCMAKE_PREFIX_PATH names the one that is taken, even with a .venv beside the sources.
cmake -S "$source_root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release "-DCMAKE_PREFIX_PATH=$torch" \
  -DWF_CUDA=OFF -DWF_TRAINER=OFF -DWF_BENCH=OFF -DWF_INSTALL=OFF >"$build.log" 2>&1 || { cat "$build.log"; exit 1; }
grep -F "weightformer: LibTorch in" "$build.log"
grep -qF "weightformer: LibTorch in $(realpath "$torch")" "$build.log"
cmake --build "$build" --target wf_core_tests >"$build.log" 2>&1 || { tail -n 60 "$build.log"; exit 1; }
echo "built with torch $version in $((SECONDS - begin)) s"
"$build/bin/wf_core_tests"
