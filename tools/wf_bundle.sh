#!/usr/bin/env bash
# Copies programs and the libraries that they need into one directory, which runs on any Linux with
# the same or a newer glibc, wherever it is put:
#
#   tools/wf_bundle.sh [--link] DIRECTORY PROGRAM…     for example: tools/wf_bundle.sh wf build/bin/wf_infer
#
# makes DIRECTORY/bin and DIRECTORY/lib. With --link, most libraries are hard links instead of copies: for a
# directory that is packed into an archive and removed. A build with CUDA also takes LibTorch's CUDA libraries, several
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
copy=(cp -nL)
if [[ ${1:-} == --link ]]; then
  copy=(cp -nLl)
  shift
fi
[[ $# -ge 2 ]] || die "usage: tools/wf_bundle.sh [--link] DIRECTORY PROGRAM…"
for tool in patchelf readelf; do command -v $tool >/dev/null || die "no $tool here: install patchelf and binutils"; done
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
    "${copy[@]}" "$path" "$directory/lib/$name" 2>/dev/null || cp -nL "$path" "$directory/lib/$name"
  done < <(ldd "$program")
  cp "$program" "$directory/bin/"
  # DT_RPATH serves the libraries' own libraries too, DT_RUNPATH would not.
  patchelf --force-rpath --set-rpath '$ORIGIN/../lib' "$directory/bin/$(basename "$program")"
done
# A library that looks for its own elsewhere, such as in the directory of LibTorch, must look here.
for library in "$directory"/lib/*; do
  # patchelf would read all of it.
  path=$(readelf -d "$library" | sed -nE 's/.*\((RPATH|RUNPATH)\).*\[(.*)\]/\2/p')
  [[ -n $path ]] || continue
  [[ :$path: != *:/* && :$path: == *':$ORIGIN:'* ]] && continue
  cp "$library" "$library.new" # a hard link would change the original
  patchelf --set-rpath '$ORIGIN' "$library.new"
  mv -f "$library.new" "$library"
done
printf '%s: %s, %s of libraries\n' "$directory" "$(ls -m "$directory/bin")" \
  "$(du -shL "$directory/lib" | cut -f1)"
