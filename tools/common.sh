# shellcheck shell=bash
# Shared by the scripts beside it: where things are, and how a step is told.

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

# step LOG "what, how long" COMMAND…: runs quietly; on failure shows the end of its output and stops.
step() {
  local log=$logs/$1 what=$2 begin=$SECONDS
  shift 2
  say "$what"
  if ! "$@" >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    die "this failed: ${what% (*}. All of its output is in $log. Put it right and run the same command again."
  fi
  printf '   done in %d s\n' $((SECONDS - begin))
}
