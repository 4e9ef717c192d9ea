#!/usr/bin/env bash
# Formats the C++ and CUDA sources; with --check only says which are not formatted.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
how=(-i)
[[ ${1:-} == --check ]] && how=(--dry-run -Werror)
git ls-files -z '*.h' '*.cpp' '*.cu' '*.cuh' | xargs -0 clang-format "${how[@]}"
