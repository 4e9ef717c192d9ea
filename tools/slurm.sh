#!/usr/bin/env bash
# Trains on a SLURM cluster, one process a GPU:
#
#   sbatch --nodes=4 tools/slurm.sh --cfg cfg/wfm_s.yaml --data-path /where/imagenet/is --tag first
#
# Flags of sbatch before the script's name override those below; what stands behind it goes to
# wf_train. The processes find each other by SLURM's variables. When a process is lost, the others
# end within DIST.TIMEOUT_S and the run goes on from its last checkpoint, up to WF_RESTARTS times.
# Before the time limit and when the job is preempted, the processes save and end; a job that SLURM
# starts again goes on, and so does the same command given anew.
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

# srun no longer takes this from sbatch by itself.
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-8}

restarts=${WF_RESTARTS:-3}
for ((attempt = 0; ; ++attempt)); do
  code=0
  srun --kill-on-bad-exit=1 --wait=60 build/bin/wf_train "$@" || code=$?
  # 2: bad settings, 3: the training diverged. Starting again would not help.
  if [[ $code -eq 0 || $code -eq 2 || $code -eq 3 || $attempt -ge $restarts ]]; then
    exit "$code"
  fi
  echo "wf_train ended with $code; starting again ($((attempt + 1)) of $restarts)" >&2
done
