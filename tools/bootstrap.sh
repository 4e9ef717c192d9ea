#!/usr/bin/env bash
# Sets up a Debian or Ubuntu machine: packages by apt, LibTorch by pip into .venv/.
#
#   tools/bootstrap.sh           everything; Python's torch too (torchrun, tests that compare with it)
#   tools/bootstrap.sh --light   only what the C++ code links; tests that need Python's torch are skipped
#   tools/bootstrap.sh --browser everything, and Debian's headless Chromium (300 MB), in which tests open the
#                                pages that programs write; without it they are skipped
#
# Installs only what is missing; an incomplete .venv is completed. An existing LibTorch is used as
# it is: CMAKE_PREFIX_PATH or Torch_DIR in the environment, or torch 2.11 in
# the Python that `python3` starts. Every step's output is in build/logs/.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

torch_version=2.11.0
mode=full
browser=()
for argument in "$@"; do
  case $argument in
    --light) mode=light ;;
    --browser) browser=(chromium-headless-shell) ;;
    *) die "tools/bootstrap.sh: unknown argument $argument; known: --light, --browser" ;;
  esac
done

packages=(g++ cmake ninja-build ccache mold git ca-certificates binutils clang-format
  python3 python3-venv libopencv-dev libjpeg-dev libtiff-dev libyaml-cpp-dev libspdlog-dev zlib1g-dev libgloo-dev
  nlohmann-json3-dev libprotozero-dev libcli11-dev libgtest-dev
  patchelf)
# Ubuntu does not have them. The images are for the demo.
optional=(dataset-fashion-mnist "${browser[@]}")

installed() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

install_packages() {
  local missing=() wanted=() as_root=() package
  command -v dpkg-query >/dev/null || die "this is not Debian or Ubuntu: install ${packages[*]} and LibTorch $torch_version by hand, then configure with cmake --preset release -DCMAKE_PREFIX_PATH=/where/libtorch/is"
  for package in "${packages[@]}"; do installed "$package" || missing+=("$package"); done
  if [[ ${#missing[@]} -eq 0 ]]; then
    # Nothing to install, or not available.
    for package in "${optional[@]}"; do
      installed "$package" && continue
      compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null && ! apt-cache show "$package" >/dev/null 2>&1 && continue
      wanted+=("$package")
    done
    [[ ${#wanted[@]} -gt 0 ]] || return 0
  fi
  if [[ $EUID -ne 0 ]]; then
    command -v sudo >/dev/null || die "packages are missing (${missing[*]:-${wanted[*]}}), and this is neither root nor a user with sudo: have them installed and run this again"
    as_root=(sudo)
  fi
  step apt-update.log "asking for the list of packages (seconds, 10 to 50 MB)" \
    "${as_root[@]}" apt-get update
  # apt-get update ends well even when it fetched nothing.
  for package in "${missing[@]}"; do
    apt-cache show "$package" >/dev/null 2>&1 ||
      die "apt has no package $package. Is the network there, and is this Debian 12, Ubuntu 24.04 or later? See $logs/apt-update.log, then run the same command again."
  done
  for package in "${optional[@]}"; do
    installed "$package" && continue
    if apt-cache show "$package" >/dev/null 2>&1; then
      missing+=("$package")
    elif [[ $package == dataset-* ]]; then
      say "no package $package here: the demo needs its files, see build/bin/wf_prepare --help"
    else
      say "no package $package here: tests that need a browser are skipped, unless chromium or google-chrome is there"
    fi
  done
  [[ ${#missing[@]} -eq 0 ]] ||
    step apt-install.log "installing ${missing[*]} and what they need (a minute or two, up to 420 MB to fetch)" \
      "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
}

# Sets found to an existing LibTorch of this machine, or to "".
find_existing_torch() {
  local place places=() version=
  found=
  IFS=':;' read -ra places <<<"${CMAKE_PREFIX_PATH:-}"
  [[ -z ${Torch_DIR:-} ]] || places+=("$Torch_DIR/../../..")
  for place in "${places[@]}"; do
    if [[ -e $place/lib/libtorch_cpu.so ]]; then
      found=$(cd "$place" && pwd)
      return
    fi
  done
  # A previous choice is kept, a complete .venv or another directory.
  place=$(cat "$chosen" 2>/dev/null) || true
  if [[ -e $place/lib/libtorch_cpu.so ]]; then
    found=$place
    return
  fi
  [[ ! -e $stamp ]] || return 0
  read -r version place < <(python3 - 2>/dev/null <<'PYTHON'
import importlib.metadata as metadata, importlib.util as util
print(metadata.version("torch"), util.find_spec("torch").submodule_search_locations[0])
PYTHON
  ) || return 0
  [[ $place != "$root"/.venv/* && -e $place/lib/libtorch_cpu.so ]] || return 0
  if [[ $version == "${torch_version%.*}".* ]]; then
    found=$place
  else
    say "python3 has torch $version; this needs ${torch_version%.*}, so .venv gets its own"
  fi
}

# A Python with venv and with wheels of torch.
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
  printf '%s\n' onnx onnxruntime # tests run exported models
  # The dependencies declared by torch, except Triton, 640 MB that nothing here uses.
  .venv/bin/python - <<'PYTHON'
import importlib.metadata as metadata
from pip._vendor.packaging.requirements import Requirement

for text in metadata.requires("torch"):
    need = Requirement(text)
    if need.name != "triton" and (need.marker is None or need.marker.evaluate({"extra": ""})):
        need.marker = None
        print(need)
PYTHON
  printf '%s\n' numpy safetensors pillow tensorboard webdataset
}

# Removes incompletely installed packages from the database of pip, so that it installs them again.
# Fails if that is pip itself.
forget_damaged() {
  .venv/bin/python - <<'PYTHON'
import importlib.metadata as metadata, os, shutil, sys

def complete(package):
    sizes = [(file.locate(), file.size) for file in package.files or [] if file.size is not None]
    return sizes and all(os.path.isfile(path) and os.path.getsize(path) == size for path, size in sizes)

damaged = [package for package in metadata.distributions() if not complete(package)]
for package in damaged:
    print("damaged:", package._path)
    shutil.rmtree(package._path)
sys.exit(not any(package.metadata["Name"] == "pip" for package in metadata.distributions()))
PYTHON
}

has_torch() {
  .venv/bin/python -c "import importlib.metadata as m; assert m.version('torch').split('+')[0] == '$torch_version'"
}

install_torch() {
  local pip=(.venv/bin/python -m pip install --disable-pip-version-check) size="13 MB, seconds" python
  if ! forget_damaged >"$logs/venv-check.log" 2>&1; then
    rm -rf .venv
    python=$(find_python)
    step venv.log "making the Python environment .venv (5 seconds)" "$python" -m venv .venv
  fi
  has_torch 2>/dev/null ||
    step pip-torch.log "fetching LibTorch: torch $torch_version by pip (530 MB, half a minute on a fast line)" \
      "${pip[@]}" --no-deps "torch==$torch_version"
  requirements >"$logs/requirements.txt"
  [[ $mode == light ]] || size="up to 1.9 GB, a minute on a fast line"
  step pip-rest.log "fetching what torch needs and is not there yet, without Triton ($size)" \
    "${pip[@]}" -r "$logs/requirements.txt"
  printf '%s\n' "torch $torch_version $mode, recipe $recipe" >"$stamp"
}

install_packages
command -v g++ >/dev/null || die "no C++ compiler: g++ is not on PATH"
cmake=$(cmake --version | sed -n '1s/[^0-9]*//p')
dpkg --compare-versions "$cmake" ge 3.25 ||
  die "CMake is $cmake; this needs 3.25 (Debian 12, Ubuntu 24.04; or pip install cmake)"

cd "$root"
stamp=.venv/weightformer.txt
recipe=$(cksum <tools/bootstrap.sh | cut -d' ' -f1) # after a change here, missing packages are added
find_existing_torch
if [[ -n $found ]]; then
  say "using the LibTorch in $found (to choose another: rm $chosen)"
  printf '%s\n' "$found" >"$chosen"
else
  # A full environment serves --light too.
  case $(cat "$stamp" 2>/dev/null) in
    "torch $torch_version full, recipe $recipe" | "torch $torch_version $mode, recipe $recipe") ;;
    *) install_torch ;;
  esac
  printf '%s\n' "./.venv, $(<"$stamp")" >"$chosen"
fi
