#!/usr/bin/env bash
# Makes a directory to be taken to a machine with a GPU, where tools/gpu_check.sh --prebuilt runs it:
# the programs for sm_80, sm_90 and sm_100, the scripts and the files of the tests. Needs nvcc and no GPU.
#
#   tools/gpu_pack.sh [--build DIRECTORY] [OUTPUT_DIRECTORY]
#
# There, with a python3 that has the torch that this was built with:
#   cd OUTPUT_DIRECTORY && tools/gpu_check.sh --prebuilt .
# --build takes the programs of that build directory instead of making one without the trainer, whose
# OpenCV the other machine would need. The default output is output/gpu_pack, with a .tar.gz beside it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

build='' out=output/gpu_pack python=$root/.venv/bin/python
[[ -x $python ]] || python=${PYTHON:-python3}
while [[ $# -gt 0 ]]; do
  case $1 in
    --build) build=$(cd "${2:?--build: a directory}" && pwd) && shift ;;
    -*) die "tools/gpu_pack.sh: unknown argument $1; known: --build" ;;
    *) out=$1 ;;
  esac
  shift
done
cd "$root"
torch=$("$python" -c 'import torch; print(torch.__path__[0])' 2>/dev/null) || die "$python has no torch; set PYTHON"
if [[ -z $build ]]; then
  build=$root/build-gpu-pack
  step pack-configure.log "configuring (seconds)" cmake -S . -B "$build" -DWF_TRAINER=OFF -DWF_TESTS=ON \
    -DWF_CUDA=ON "-DWF_CUDA_ARCHITECTURES=80-real;90-real;100-real" "-DCMAKE_PREFIX_PATH=$torch"
  step pack-build.log "building (minutes)" cmake --build "$build" -j "$(nproc)" \
    --target weightformer_core wf_bench wf_core_tests
fi

rm -rf "$out"
mkdir -p "$out"/{bin,lib,tools,tests}
for program in wf_bench wf_core_tests; do
  [[ -x $build/bin/$program ]] || die "$build has no bin/$program"
  strip -o "$out/bin/$program" "$build/bin/$program"
done
for library in "$build"/lib/libweightformer.so*; do
  cp -P "$library" "$out/lib/"
done
cp tools/gpu_check.sh tools/common.sh "$out/tools/"
cp -r tests/ops tests/bench tests/golden "$out/tests/"
find "$out/tests" -name __pycache__ -prune -exec rm -r {} +
"$python" -c 'import torch; print(torch.__version__)' >"$out/torch.txt"
echo "$root/tests/golden" >"$out/golden.txt"
git describe --always --dirty >"$out/commit.txt" 2>/dev/null || echo unknown >"$out/commit.txt"
tar -C "$out" -czf "$out.tar.gz" .
say "$out.tar.gz: $(du -h "$out.tar.gz" | cut -f 1)"
