#!/usr/bin/env bash
# Installs what is missing, configures and builds; the programs are in build/bin/.
#
#   tools/build.sh [--light] [--target NAME]… [CMake options, such as -DWF_CUDA=OFF]
#
# --target: builds only this program; CUDA kernels then only where a GPU is, unless -DWF_CUDA=… is given.
# To use your own LibTorch: CMAKE_PREFIX_PATH=/where/it/is tools/build.sh, or -DCMAKE_PREFIX_PATH=….
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

cd "$root"
light=() options=() targets=() cuda=
while [[ $# -gt 0 ]]; do
  case $1 in
    --light) light=(--light) ;;
    --target)
      [[ $# -gt 1 ]] || die "tools/build.sh: --target needs the name of a program"
      targets+=("$2")
      shift
      ;;
    -DCMAKE_PREFIX_PATH=*) export CMAKE_PREFIX_PATH=${1#*=} ;;
    -DWF_CUDA=*) cuda=${1#*=} ;;
    -D*) options+=("$1") ;;
    *) die "tools/build.sh: unknown argument $1; known: --light, --target NAME, -DOPTION=VALUE" ;;
  esac
  shift
done

# Exists when an earlier build left the CUDA kernels out because there was no GPU.
no_gpu=$logs/without_cuda_kernels.txt
if [[ -n $cuda ]]; then
  rm -f "$no_gpu"
elif [[ ${#targets[@]} -gt 0 && ! -e build/build.ninja ]] && ! compgen -G '/dev/nvidia[0-9]*' >/dev/null; then
  cuda=OFF
  : >"$no_gpu"
elif [[ ${#targets[@]} -eq 0 && -e $no_gpu ]]; then
  cuda=AUTO
  rm -f "$no_gpu"
fi
[[ -z $cuda ]] || options+=("-DWF_CUDA=$cuda")

"$root/tools/bootstrap.sh" "${light[@]}"
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
time="15 minutes"
[[ ${#targets[@]} -eq 0 ]] || time="5 minutes"
step build.log "building (about $time on two cores the first time, seconds when little changed)" \
  cmake --build build ${targets[@]:+--target "${targets[@]}"}
