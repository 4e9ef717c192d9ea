#!/usr/bin/env bash
# A bundle runs where nothing but glibc is, and gives the answers of the build.
#
#   bundle.sh SOURCE_ROOT BIN_DIR
#
# Exit code 77: this user can neither chroot nor make a user namespace, or there is no patchelf.
set -euo pipefail
source_root=$1 bin=$2
command -v patchelf >/dev/null || exit 77
as_root=(unshare -m)
[[ $EUID -eq 0 ]] || as_root=(unshare -rm)
"${as_root[@]}" chroot / true 2>/dev/null || exit 77
work=$(mktemp -d "$bin/bundle_XXXXXX") # on the file system of LibTorch, for hard links
trap 'rm -rf "$work"' EXIT
golden=$source_root/tests/golden

fails_with() {
  local expected=$1 output
  shift
  ! output=$("$source_root/tools/wf_bundle.sh" "$@" 2>&1) && [[ $output == "error: "*"$expected"* ]] && return
  printf 'not refused by "%s": %s\n' "$expected" "$output" >&2
  exit 1
}
fails_with "usage" "$work/wf"
fails_with "no_such: not a program" "$work/wf" "$bin/no_such"
fails_with "exists; give a new directory" "$work" "$bin/wf_infer"

"$source_root/tools/wf_bundle.sh" --link "$work/wf" "$bin/wf_infer" "$bin/wf_convert"
for file in "$work/wf/bin/"* "$work/wf/lib/"*; do
  if readelf -d "$file" | grep -E '\((RPATH|RUNPATH)\).*\[(.*:)?/'; then
    echo "$file looks for libraries elsewhere" >&2
    exit 1
  fi
done

# A root directory with the moved bundle, glibc and the input.
root=$work/root
loader=$(patchelf --print-interpreter "$bin/wf_infer")
glibc=$(dirname "$(ldd "$bin/wf_infer" | awk '$1 == "libc.so.6" {print $3}')")
mkdir -p "$root/elsewhere" "$root/proc" "$root/dev" "$root$(dirname "$loader")" "$root$glibc"
mv "$work/wf" "$root/elsewhere/wf"
cp -L "$loader" "$root$loader"
for name in c m mvec dl pthread rt resolv util; do
  for file in "$glibc/lib$name.so."*; do
    [[ ! -e $file ]] || cp -L "$file" "$root$glibc/"
  done
done
cp "$golden/checkpoints/published_trainer.pth" "$root/weights.pth"
cp "$golden/images/rgb_420.jpg" "$root/cat.jpg"
# The kernel's own directories: the loader finds the directory of a program by /proc, LibTorch reads /dev/urandom.
in_root() {
  "${as_root[@]}" bash -c 'for d in proc dev; do mount --rbind /$d "$0/$d"; done && exec env -i OMP_NUM_THREADS=1 "$(command -v chroot)" "$0" "$@"' \
    "$root" "/elsewhere/wf/bin/$1" "${@:2}"
}

expected=$(cd "$root" && OMP_NUM_THREADS=1 "$bin/wf_infer" weights.pth cat.jpg --json --device cpu)
answer=$(in_root wf_infer weights.pth cat.jpg --json --device cpu)
printf '%s\n' "$answer"
[[ $answer == "$expected" && $answer == *probability* ]]
in_root wf_convert weights.pth weights.safetensors
[[ $(in_root wf_infer weights.safetensors cat.jpg --json --device cpu) == "$expected" ]]
