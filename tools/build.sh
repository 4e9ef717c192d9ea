#!/usr/bin/env bash
# Sets the machine up where it must be, configures and builds; programs come to build/bin/.
#
#   tools/build.sh [--light] [CMake options, such as -DWF_CUDA=OFF]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

light=() options=()
for argument in "$@"; do
  case $argument in
    --light) light=(--light) ;;
    -D*) options+=("$argument") ;;
    *) die "tools/build.sh: unknown argument $argument; known: --light, -DOPTION=VALUE" ;;
  esac
done

"$root/tools/bootstrap.sh" "${light[@]}"
cd "$root"
# torch of an active Python environment, where bootstrap.sh chose it.
if [[ -n ${VIRTUAL_ENV:-} && $VIRTUAL_ENV != "$root/.venv" && ! -e .venv && -z ${CMAKE_PREFIX_PATH:-} ]]; then
  CMAKE_PREFIX_PATH=$("$VIRTUAL_ENV/bin/python" -c 'import importlib.util as u; print(u.find_spec("torch").submodule_search_locations[0])')
  export CMAKE_PREFIX_PATH
fi
if [[ ! -e build/build.ninja || ${#options[@]} -gt 0 ]]; then
  step configure.log "configuring (ten seconds)" cmake --preset release "${options[@]}"
fi
step build.log "building (about 6 minutes on two cores the first time, seconds when little changed)" \
  cmake --build build
