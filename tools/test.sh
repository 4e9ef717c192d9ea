#!/usr/bin/env bash
# Sets up, builds and runs all tests.
#
#   tools/test.sh [--light] [ctest options, such as -R Loader]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

light=()
if [[ ${1:-} == --light ]]; then
  light=(--light)
  shift
fi
"$root/tools/build.sh" "${light[@]}"
cd "$root/build"
printf '== running the tests (about 5 minutes on two cores)\n'
exec ctest --output-on-failure "$@"
