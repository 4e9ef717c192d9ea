#!/usr/bin/env bash
# Runs the steps of tools/Dockerfile without Docker, in a bare Debian that debootstrap makes.
#
#   replay_dockerfile.sh DIRECTORY [STEPS]
#
# Runs the first STEPS instructions, or all. Needs root, debootstrap and the network, several GB and as long as the demo from nothing. DIRECTORY/root
# is the root directory of that system; if it exists, it is used as it is. Lines NAME=value of
# DIRECTORY/environment are set in every step (for a proxy or certificates). Ends with the exit code of
# the first step that fails. Exit code 77: skipped.
set -euo pipefail
source_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
[[ $# -eq 1 || $# -eq 2 ]] || { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[[ $EUID -eq 0 ]] || { echo "skipped: chroot needs root"; exit 77; }
steps=${2:-1000}
mkdir -p "$1"
directory=$(cd "$1" && pwd)
root=$directory/root workdir=/

cleanup() { umount -R "$root/dev" 2>/dev/null || true; umount "$root/proc" 2>/dev/null || true; }
trap cleanup EXIT

step() { printf '== %s\n' "$1"; }

run_in_root() { # WORDS…
  local settings=()
  [[ ! -e $directory/environment ]] || mapfile -t settings <"$directory/environment"
  chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/root "${settings[@]}" /bin/bash -c 'cd "$0" && exec "$@"' "$workdir" "$@"
}

from() { # IMAGE, such as debian:12
  local suite
  case $1 in
    debian:12) suite=bookworm ;;
    *) echo "error: no suite of debootstrap is known for $1" >&2; exit 2 ;;
  esac
  if [[ ! -e $root/bin/bash ]]; then
    command -v debootstrap >/dev/null || { echo "skipped: no debootstrap"; exit 77; }
    debootstrap --variant=minbase "$suite" "$root" >"$directory/debootstrap.log"
  fi
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev" && mount --make-rslave "$root/dev"
  cp /etc/resolv.conf /etc/hosts "$root/etc/"
}

copy() { # SOURCES… DESTINATION, as COPY: without what .dockerignore names
  local destination=${!#} sources=("${@:1:$#-1}")
  [[ $destination == /* ]] || destination=$workdir/$destination
  mkdir -p "$root$destination"
  if [[ ${sources[*]} == . ]]; then
    tar -C "$source_root" --exclude-from=<(sed 's#^[^*]#./&#' "$source_root/.dockerignore") -cf - . |
      tar -C "$root$destination" -xf -
  else
    (cd "$source_root" && cp -r "${sources[@]}" "$root$destination")
  fi
}

while read -r instruction arguments; do
  [[ -n $instruction && $instruction != \#* ]] || continue
  ((steps-- > 0)) || break
  step "$instruction $arguments"
  case $instruction in
    FROM) from "$arguments" ;;
    WORKDIR) workdir=$arguments && mkdir -p "$root$workdir" ;;
    COPY) read -ra words <<<"$arguments" && copy "${words[@]}" ;;
    RUN) run_in_root /bin/sh -c "$arguments" </dev/null ;;
    CMD) run_in_root /bin/sh -c "$(sed 's/[]["]//g; s/,/ /g' <<<"$arguments")" </dev/null ;;
    *) echo "error: this script does not know $instruction" >&2; exit 2 ;;
  esac
done <"$source_root/tools/Dockerfile"
