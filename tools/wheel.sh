#!/usr/bin/env bash
# Builds the Python package `weightformer` as a wheel for torch 2.11 and later, on the CPU.
#
#   tools/wheel.sh [DIRECTORY]   writes DIRECTORY/weightformer-VERSION-py3-none-PLATFORM.whl (default: build/wheel)
#
# The library inside is on torch's stable ABI and has no Python API, so one wheel serves every torch from 2.11 on and
# every Python. Needs a C++ compiler and the headers of torch 2.11 (CMAKE_PREFIX_PATH, .venv/ or the torch of python3).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

case ${1:-} in -*) die "tools/wheel.sh: unknown argument $1; expected a directory or nothing" ;; esac
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
flags=(-std=c++17 -O3 -DNDEBUG -fPIC -fvisibility=hidden -ffp-contract=fast -fno-math-errno
  -DTORCH_TARGET_VERSION=0x020b000000000000 -isystem "$torch/include" "-ffile-prefix-map=$torch=torch" -I. -Isrc -Iinclude -Wno-psabi)
compile() { # OBJECT SOURCE FLAGS…
  "${CXX:-c++}" "${flags[@]}" "${@:3}" -c "$2" -o "$objects/$1.o"
}
loops() { # CAPABILITY BYTES FLAGS…
  compile "$1" kernels/stable/loops.cpp -DCPU_CAPABILITY="$1" -DWF_VECTOR_BYTES="$2" "${@:3}"
}
compile registration kernels/stable/registration.cpp
loops DEFAULT 16
if [[ $(uname -m) == x86_64 ]]; then
  loops AVX2 32 -mavx2 -mfma -mf16c
  loops AVX512 64 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mf16c
fi
# The objects for any processor come first: of an inline function that several have, the first copy is kept.
parts=("$objects"/registration.o "$objects"/DEFAULT.o)
for capability in AVX2 AVX512; do
  [[ ! -e $objects/$capability.o ]] || parts+=("$objects/$capability.o")
done
"${CXX:-c++}" -shared -s -o "$objects/libweightformer_ops.so" "${parts[@]}" -L"$torch/lib" -ltorch_cpu -lc10
"$python" tools/python/make_wheel.py "$objects/libweightformer_ops.so" "$out"
