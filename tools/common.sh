# shellcheck shell=bash
# Shared by the scripts in this directory: paths and messages.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
logs=$root/build/logs
# Which LibTorch bootstrap.sh chose, for build.sh and for its own next run.
# shellcheck disable=SC2034
chosen=$logs/libtorch.txt
mkdir -p "$logs"

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

say() { printf '== %s\n' "$*"; }

# step LOG "what, how long" COMMAND…: runs COMMAND; on failure prints the end of its output and exits.
step() {
  local log=$logs/$1 what=$2 begin=$SECONDS
  shift 2
  say "$what"
  if ! "$@" >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    die "this failed: ${what% (*}. All of its output is in $log. Fix it and run the same command again."
  fi
  printf '   done in %d s\n' $((SECONDS - begin))
}
