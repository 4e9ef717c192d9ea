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
cd "$root"
say "running the tests (about 10 minutes on two cores with -LE slow, 35 with all)"
begin=$SECONDS code=0
ctest --test-dir build -j2 --output-on-failure "$@" </dev/null || code=$?
if [[ $code -eq 0 ]]; then
  say "the tests passed, in $((SECONDS - begin)) s"
else
  say "tests failed (ctest ended with $code); run one again with: tools/test.sh -R NAME"
fi
exit "$code"
