#!/usr/bin/env bash
# Copies programs and the libraries that they need into one directory, which runs on any Linux with
# the same or a newer glibc, wherever it is put:
#
#   tools/wf_bundle.sh DIRECTORY PROGRAM…     for example: tools/wf_bundle.sh wf build/bin/wf_infer
#
# makes DIRECTORY/bin and DIRECTORY/lib. A build with CUDA also takes LibTorch's CUDA libraries, several
# GB; configure with -DWF_CUDA=OFF for a bundle without them.
set -euo pipefail

die() {
  printf 'error: %s\n' "$*" >&2
  exit 2
}

if [[ ${1:-} == --help || ${1:-} == -h ]]; then
  sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"
  exit 0
fi
[[ $# -ge 2 ]] || die "usage: tools/wf_bundle.sh DIRECTORY PROGRAM…"
command -v patchelf >/dev/null || die "no patchelf here: install the package of that name"
directory=$1
shift
for program in "$@"; do [[ -f $program && -x $program ]] || die "$program: not a program"; done
[[ ! -e $directory ]] || die "$directory: exists; give a new directory"

# The parts of glibc, which belong to the machine: its loader only works with its own version.
glibc='^(ld-linux.*|lib(c|m|mvec|dl|pthread|rt|resolv|util|anl|nsl|nss_.*)\.so.*|linux-vdso.*)$'

mkdir -p "$directory/bin" "$directory/lib"
for program in "$@"; do
  while read -r name arrow path _; do
    [[ $arrow == '=>' ]] || continue
    [[ ! $name =~ $glibc ]] || continue
    [[ $path != not ]] || die "$program: needs $name, which is not found"
    cp -nL "$path" "$directory/lib/$name"
  done < <(ldd "$program")
  cp "$program" "$directory/bin/"
  # DT_RPATH serves the libraries' own libraries too, DT_RUNPATH would not.
  patchelf --force-rpath --set-rpath '$ORIGIN/../lib' "$directory/bin/$(basename "$program")"
done
# Where the libraries looked for their own before, such as the directory of LibTorch.
for library in "$directory"/lib/*; do
  [[ -z $(patchelf --print-rpath "$library") ]] || patchelf --set-rpath '$ORIGIN' "$library"
done
printf '%s: %s, %s of libraries\n' "$directory" "$(ls -m "$directory/bin")" \
  "$(du -shL "$directory/lib" | cut -f1)"
