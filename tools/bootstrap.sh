#!/usr/bin/env bash
# Sets up a Debian or Ubuntu machine: packages by apt, LibTorch by pip into .venv/.
#
#   tools/bootstrap.sh           everything; Python's torch too (torchrun, tests that compare with it)
#   tools/bootstrap.sh --light   only what the C++ side links; tests that need Python's torch skip
#
# Takes only what is missing. A LibTorch that is already there is used as it is: CMAKE_PREFIX_PATH or
# Torch_DIR in the environment, or a Python environment that is active and has torch 2.11.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

torch_version=2.11.0
mode=full
for argument in "$@"; do
  case $argument in
    --light) mode=light ;;
    *) die "tools/bootstrap.sh: unknown argument $argument; known: --light" ;;
  esac
done

packages=(g++ cmake ninja-build ccache mold git ca-certificates binutils clang-format
  python3 python3-venv libopencv-dev libjpeg-dev libyaml-cpp-dev libspdlog-dev zlib1g-dev
  nlohmann-json3-dev libcli11-dev libgtest-dev)

install_packages() {
  local missing=() package
  command -v dpkg-query >/dev/null || die "this is not Debian or Ubuntu: install ${packages[*]} and LibTorch $torch_version by hand, then run tools/build.sh with CMAKE_PREFIX_PATH set"
  for package in "${packages[@]}" dataset-fashion-mnist; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  local as_root=()
  if [[ $EUID -ne 0 ]]; then
    command -v sudo >/dev/null || die "packages are missing (${missing[*]}): run as root, or install sudo"
    as_root=(sudo)
  fi
  step apt-update.log "asking for the list of Debian packages (some seconds)" \
    "${as_root[@]}" apt-get update
  # Ubuntu does not have the pictures; only the demo needs them.
  if ! apt-cache show dataset-fashion-mnist >/dev/null 2>&1; then
    printf '   no package dataset-fashion-mnist here: the demo needs its files, see build/bin/wf_prepare --help\n'
    local kept=()
    for package in "${missing[@]}"; do [[ $package == dataset-fashion-mnist ]] || kept+=("$package"); done
    missing=("${kept[@]}")
    [[ ${#missing[@]} -gt 0 ]] || return 0
  fi
  step apt-install.log "installing ${#missing[@]} Debian packages: ${missing[*]} (a minute or two, up to 1 GB)" \
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
}

# Prints where LibTorch is, when the machine has one that is meant to be used.
existing_torch() {
  local place
  for place in ${CMAKE_PREFIX_PATH:+${CMAKE_PREFIX_PATH//[:;]/ }} ${Torch_DIR:+"$Torch_DIR/../../.."}; do
    [[ -e $place/lib/libtorch_cpu.so ]] && { (cd "$place" && pwd); return; }
  done
  [[ -n ${VIRTUAL_ENV:-} && $VIRTUAL_ENV != "$root/.venv" ]] || return 0
  "$VIRTUAL_ENV/bin/python" - <<'PYTHON' 2>/dev/null || true
import importlib.metadata as metadata, importlib.util as util
if metadata.version("torch").startswith("2.11."):
    print(util.find_spec("torch").submodule_search_locations[0])
PYTHON
}

# A Python that can make an environment and that torch has wheels for.
find_python() {
  local python
  for python in python3 /usr/bin/python3 python3.13 python3.12 python3.11 python3.10; do
    if "$python" -c 'import ensurepip, sys, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then
      printf '%s' "$python"
      return
    fi
  done
  die "no Python from 3.10 to 3.14 with venv was found; torch $torch_version has wheels for those"
}

# What the environment must hold, one requirement a line.
requirements() {
  if [[ $mode == light ]]; then
    printf '%s\n' 'nvidia-cuda-runtime==13.0.*' 'nvidia-cuda-cupti==13.0.*'
    return
  fi
  # Torch says itself what it needs; Triton is 640 MB that nothing here uses.
  .venv/bin/python - <<'PYTHON'
import importlib.metadata as metadata
from pip._vendor.packaging.requirements import Requirement

for text in metadata.requires("torch"):
    need = Requirement(text)
    if need.name != "triton" and (need.marker is None or need.marker.evaluate({"extra": ""})):
        need.marker = None
        print(need)
PYTHON
  printf '%s\n' numpy safetensors pillow
}

install_torch() {
  cd "$root"
  local stamp=.venv/weightformer-$torch_version
  if [[ -e $stamp-full || ($mode == light && -e $stamp-light) ]]; then return; fi
  if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    rm -rf .venv
    step venv.log "making the Python environment .venv (seconds)" "$(find_python)" -m venv .venv
  fi
  local pip=(.venv/bin/python -m pip install --disable-pip-version-check)
  if ! .venv/bin/python -c "import importlib.metadata as m; assert m.version('torch').startswith('$torch_version')" 2>/dev/null; then
    step pip-torch.log "fetching LibTorch: torch $torch_version from PyPI (530 MB, half a minute on a fast line)" \
      "${pip[@]}" --no-deps "torch==$torch_version"
  fi
  requirements >"$logs/requirements.txt"
  local size="a few MB"
  [[ $mode == full ]] && size="up to 2 GB, a minute on a fast line"
  step pip-rest.log "fetching what torch needs, without Triton ($size)" \
    "${pip[@]}" -r "$logs/requirements.txt"
  touch "$stamp-$mode"
}

install_packages
command -v g++ >/dev/null || die "no C++ compiler: g++ is not on PATH"
found=$(existing_torch)
if [[ -n $found ]]; then
  printf '== using the LibTorch in %s\n' "$found"
else
  install_torch
fi
