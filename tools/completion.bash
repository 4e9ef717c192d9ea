# shellcheck shell=bash
# Completion of flags and configuration keys in bash:
#
#   source tools/completion.bash
#
# Flags are those that --help of the typed program lists, so they are always those of its build; keys
# after --opts are those of docs/config.md, which is generated from the table of keys.

_weightformer_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
declare -A _weightformer_flags

# The first column of --help: lines that are indented by at most four blanks, up to two blanks in a row.
_weightformer_flags_of() { # PROGRAM
  "$1" --help 2>/dev/null </dev/null |
    sed -n 's/^ \{1,4\}\([^ ].*\)/\1/p' | sed 's/  .*//' | grep -oE -- '--[a-z][a-z_-]*' | sort -u
}

_weightformer() {
  local program=$1 word=${COMP_WORDS[COMP_CWORD]} index last=
  COMPREPLY=()
  if [[ $word == --* ]]; then
    [[ -n ${_weightformer_flags[$program]:-} ]] ||
      _weightformer_flags[$program]=$(_weightformer_flags_of "$program")
    mapfile -t COMPREPLY < <(compgen -W "${_weightformer_flags[$program]}" -- "$word")
    return
  fi
  # The flag that this word is a value of.
  for ((index = COMP_CWORD - 1; index > 0; --index)); do
    if [[ ${COMP_WORDS[index]} == --* ]]; then
      last=${COMP_WORDS[index]}
      break
    fi
  done
  case $last in
    --opts)
      (((COMP_CWORD - index) % 2 == 1)) || return 0 # a value
      mapfile -t COMPREPLY < <(compgen -W "$(sed -n 's/^| `\([A-Z_.0-9]*\)` .*/\1/p' \
        "$_weightformer_root/docs/config.md")" -- "$word")
      ;;
    --device) mapfile -t COMPREPLY < <(compgen -W "auto cpu cuda" -- "$word") ;;
  esac
}

# Everything else is completed as a file name.
complete -o default -F _weightformer wf_train wf_infer wf_convert wf_prepare wf_report wf_pack wf_sample \
  wf_scale wf_fid wf_export wf_ema wf_encode wf_summary wf_erf wf_explain wf_doctor wf_bench
