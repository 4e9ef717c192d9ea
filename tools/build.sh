#!/usr/bin/env bash
# Installs what is missing, configures and builds; the programs are in build/bin/.
#
#   tools/build.sh [--light] [CMake options, such as -DWF_CUDA=OFF]
#
# To use your own LibTorch: CMAKE_PREFIX_PATH=/where/it/is tools/build.sh, or -DCMAKE_PREFIX_PATH=….
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

light=() options=()
for argument in "$@"; do
  case $argument in
    --light) light=(--light) ;;
    -DCMAKE_PREFIX_PATH=*) export CMAKE_PREFIX_PATH=${argument#*=} ;;
    -D*) options+=("$argument") ;;
    *) die "tools/build.sh: unknown argument $argument; known: --light, -DOPTION=VALUE" ;;
  esac
done

"$root/tools/bootstrap.sh" "${light[@]}"
cd "$root"
if [[ ! -e build/build.ninja ]] || ! cmp -s "$chosen" "$logs/configured.txt"; then
  # The LibTorch differs from the one in the CMake cache.
  [[ $(<"$chosen") == ./.venv,* ]] || options+=("-DCMAKE_PREFIX_PATH=$(<"$chosen")")
  options=(-U 'WF_TORCH_*' -U 'WF_LIB_*' -U CMAKE_PREFIX_PATH "${options[@]}")
fi
if [[ ${#options[@]} -gt 0 ]]; then
  rm -f "$logs/configured.txt"
  step configure.log "configuring (ten seconds)" cmake --preset release "${options[@]}"
  cp "$chosen" "$logs/configured.txt"
fi
step build.log "building (about 25 minutes on two cores the first time, seconds when little changed)" \
  cmake --build build
