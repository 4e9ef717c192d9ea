#!/usr/bin/env bash
# Formats the C++ and CUDA sources; with --check only lists files that are not formatted.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
how=(-i)
case ${1:-} in
  --check) how=(--dry-run -Werror) ;;
  '') ;;
  *) printf 'error: tools/format.sh: unknown argument %s; known: --check\n' "$1" >&2 && exit 1 ;;
esac
find include src kernels tools tests -type f \
  \( -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' \) -print0 |
  xargs -0 clang-format "${how[@]}"
