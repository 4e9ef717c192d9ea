#!/usr/bin/env bash
# What bash offers for the programs after `source tools/completion.bash`.
#
#   completion.sh SOURCE_ROOT BIN PROGRAM…
set -euo pipefail
root=$1 bin=$2
shift 2
# shellcheck source=/dev/null
source "$root/tools/completion.bash"
failed=0

# Sets `offered` to what is offered for the last word of a command.
offer() {
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
  _weightformer "$1" "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}"
  offered=" ${COMPREPLY[*]:-} "
}

expect() { # WHAT CONDITION…
  local what=$1
  shift
  "$@" && return
  echo "failed: $what; offered:$offered" >&2
  failed=1
}

has() { [[ $offered == *" $1 "* ]]; }
lacks() { [[ $offered != *" $1 "* ]]; }

[[ $# -gt 10 ]]
for program in "$@"; do
  expect "a completion of $program" complete -p "$program" >/dev/null
  offer "$bin/$program" --
  # wf_bench has its own parser; the others list their flags in the source.
  defined=$(grep -ohE 'add_(option|flag)\("[^"]+"' "$root/tools/$program.cpp" | grep -oE -- '--[a-z-]+') ||
    defined="--model --mode --batch"
  [[ $program != wf_train ]] || defined="--cfg --opts --batch-size --print-config --zip"
  for flag in $defined; do expect "$program $flag" has "$flag"; done
done

offer "$bin/wf_train" --ca
expect "one flag" test "$offered" == " --cache-mode "
offer "$bin/wf_train" --
for flag in --cfg --opts --data-path --resume --pretrained --use-checkpoint --amp --eval --throughput --tag; do
  expect "wf_train $flag" has "$flag"
done
offer "$bin/wf_train" --cfg a.yaml --opts TRAIN.LR
expect "a key" has TRAIN.LR_SCALING
expect "no other key" lacks TRAIN.EPOCHS
offer "$bin/wf_train" --opts TRAIN.EPOCHS 1
expect "nothing for a value" test "$offered" == "  "
offer "$bin/wf_train" --opts TRAIN.EPOCHS 1 DATA.BATCH
expect "the second key" has DATA.BATCH_SIZE
offer "$bin/wf_infer" --device c
expect "devices" test "$offered" == " cpu cuda "
offer "$bin/wf_train" --cfg cfg/w
expect "file names are left to bash" test "$offered" == "  "
exit $failed
