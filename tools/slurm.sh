#!/usr/bin/env bash
# Trains on a SLURM cluster, one process a GPU:
#
#   sbatch --nodes=4 tools/slurm.sh --cfg cfg/wfm_s.yaml --data-path /where/imagenet/is --tag first
#
# Flags of sbatch before the name of the script override those below; flags after it are passed to
# wf_train. The processes find each other by the variables of SLURM. If a process is lost, the others
# exit within DIST.TIMEOUT_S and the run resumes from its last checkpoint, up to WF_RESTARTS times.
# Before the time limit and on preemption, the processes save and exit; a job that SLURM restarts
# resumes, and so does the same command when it is submitted again.
#SBATCH --job-name=weightformer
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=TERM@120
set -euo pipefail

if [[ ${1:-} == --help || ${1:-} == -h ]]; then
  sed -n '2,/^#SBATCH/{/^#SBATCH/d;s/^# \{0,1\}//p}' "$0"
  exit 0
fi
program=build/bin/wf_train
if [[ ! -x $program ]]; then
  echo "error: no $program here ($PWD): build first, and submit from the project's directory" >&2
  exit 2
fi

# srun no longer inherits this from sbatch.
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-8}

restarts=${WF_RESTARTS:-3}
for ((attempt = 0; ; ++attempt)); do
  code=0
  srun --kill-on-bad-exit=1 --wait=60 "$program" "$@" || code=$?
  # 2: bad settings, 3: the training diverged, 126 and 127: nothing ran. A restart would not help.
  case $code in 0 | 2 | 3 | 126 | 127) exit "$code" ;; esac
  if ((attempt >= restarts)); then exit "$code"; fi
  echo "wf_train ended with $code; starting again ($((attempt + 1)) of $restarts)" >&2
done
