#!/usr/bin/env bash
# Builds the Python package `weightformer` as a wheel for torch 2.11 and later.
#
#   tools/wheel.sh [--cuda | --arch PROCESSOR] [DIRECTORY]
#       writes DIRECTORY/weightformer-VERSION-py3-none-PLATFORM.whl (default: build/wheel)
#
# The library inside is on torch's stable ABI and has no Python API, so one wheel serves every torch from 2.11 on and
# every Python. Needs a C++ compiler and the headers of torch 2.11 (CMAKE_PREFIX_PATH, .venv/ or the torch of python3).
# --cuda adds a second library with the kernels for GPUs, which a torch with CUDA loads: nvcc 12.8 or later compiles it
# for A100, H100 and B200 (CUDA_ARCHITECTURES="80 90 100"), in minutes.
# --arch aarch64 compiles for another processor than this one: by CXX (default: aarch64-linux-gnu-g++), with
# CMAKE_PREFIX_PATH the torch of that processor. On that processor itself it is not needed.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

cuda=
arch=$(uname -m)
compiler=${CXX:-c++}
if [[ ${1:-} == --cuda ]]; then
  cuda=yes
  shift
  command -v nvcc >/dev/null || die "tools/wheel.sh --cuda: nvcc is not on PATH"
elif [[ ${1:-} == --arch ]]; then
  [[ ${2:-} =~ ^(aarch64|x86_64)$ ]] || die "tools/wheel.sh --arch: expected aarch64 or x86_64, got '${2:-}'"
  [[ $2 == "$arch" ]] || compiler=${CXX:-$2-linux-gnu-g++}
  arch=$2
  shift 2
  command -v "$compiler" >/dev/null || die "tools/wheel.sh --arch $arch: there is no $compiler; set CXX"
fi
case ${1:-} in -*) die "tools/wheel.sh: unknown argument $1; expected --cuda, --arch, a directory or nothing" ;; esac
out=$(mkdir -p "${1:-$root/build/wheel}" && cd "${1:-$root/build/wheel}" && pwd)
python=python3
[[ ! -x $root/.venv/bin/python3 ]] || python=$root/.venv/bin/python3
torch=
for place in ${CMAKE_PREFIX_PATH:-} "$root"/.venv/lib/python3*/site-packages/torch \
  "$(python3 -c 'import importlib.util as u; print(u.find_spec("torch").submodule_search_locations[0])' 2>/dev/null || true)"; do
  [[ -z $torch && -e $place/include/torch/csrc/stable/library.h ]] && torch=$place
done
[[ -n $torch ]] || die "no torch with include/torch/csrc/stable/ was found: run tools/bootstrap.sh or set CMAKE_PREFIX_PATH"

cd "$root" # relative paths, so that none of this machine ends up in the library
objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT
paths=(-std=c++17 -O3 -DNDEBUG -DTORCH_TARGET_VERSION=0x020b000000000000 -isystem "$torch/include" -I. -Isrc -Iinclude)
flags=(-fPIC -fvisibility=hidden "-ffile-prefix-map=$torch=torch")
compile() { # OBJECT SOURCE FLAGS…
  "$compiler" "${paths[@]}" "${flags[@]}" -ffp-contract=fast -fno-math-errno -Wno-psabi "${@:3}" -c "$2" \
    -o "$objects/$1.o"
}
loops() { # CAPABILITY BYTES FLAGS…
  compile "$1" kernels/stable/loops.cpp -DCPU_CAPABILITY="$1" -DWF_VECTOR_BYTES="$2" "${@:3}"
}
compile registration kernels/stable/registration.cpp
loops DEFAULT 16
if [[ $arch == x86_64 ]]; then
  loops AVX2 32 -mavx2 -mfma -mf16c
  loops AVX512 64 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mf16c
fi
# The objects for any processor come first: of an inline function that several have, the first copy is kept.
parts=("$objects"/registration.o "$objects"/DEFAULT.o)
for capability in AVX2 AVX512; do
  [[ ! -e $objects/$capability.o ]] || parts+=("$objects/$capability.o")
done
"$compiler" -shared -s -o "$objects/libweightformer_ops.so" "${parts[@]}" -L"$torch/lib" -ltorch_cpu -lc10
libraries=("$objects/libweightformer_ops.so")

if [[ -n $cuda ]]; then
  code=()
  for architecture in ${CUDA_ARCHITECTURES:-80 90 100}; do
    code+=(-gencode "arch=compute_$architecture,code=sm_$architecture")
  done
  # The PTX of the last serves what comes after.
  code+=(-gencode "arch=compute_$architecture,code=compute_$architecture")
  # CUDA's runtime is linked in: that of torch may be of another version.
  nvcc "${paths[@]}" -DUSE_CUDA "${code[@]}" --threads 2 "${flags[@]/#/-Xcompiler=}" \
    -c kernels/stable/cuda_kernels.cu -o "$objects/cuda.o"
  runtime=$(dirname "$(command -v nvcc)")/../lib64
  "$compiler" -shared -s -o "$objects/libweightformer_ops_cuda.so" "$objects/cuda.o" -L"$torch/lib" -ltorch_cuda \
    -ltorch_cpu -lc10 -L"$runtime" -lcudart_static -ldl -lrt -lpthread -Wl,--exclude-libs,ALL
  libraries+=("$objects/libweightformer_ops_cuda.so")
fi
"$python" tools/python/make_wheel.py "$out" "${libraries[@]}"
