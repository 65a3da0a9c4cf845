#!/bin/bash
# One experiment on a Slurm cluster: an array of jobs that run a part of the cells each, and a job behind
# them that writes table and plot. All of them share the folder of the results.
#
#   configs/cluster/slurm.sh NAME JOBS [options of `latco-train experiment NAME`]
#   configs/cluster/slurm.sh table1 16 --out /shared/table1
#
# The same again goes on where it was: cells that are done are not run again. Settings of the cluster go
# through sbatch's own variables (SBATCH_PARTITION, SBATCH_TIMELIMIT, SBATCH_ACCOUNT, ...), the program
# through LATCO_TRAIN.
set -euo pipefail

if (($# < 2)) || ! [[ $2 =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: $0 NAME JOBS [OPTIONS]: expected the name of an experiment and a number of jobs" >&2
    exit 2
fi
name=$1 jobs=$2
options=("${@:3}")
train=${LATCO_TRAIN:-latco-train}

if [[ -n ${SLURM_ARRAY_TASK_ID:-} ]]; then
    exec "$train" experiment "$name" "${options[@]}" --cell "$SLURM_ARRAY_TASK_ID/$jobs"
fi
if [[ ${LATCO_STEP:-} == merge ]]; then
    exec "$train" experiment "$name" "${options[@]}"
fi

# One thread plans, and its CPU time is what is measured: more cores would not help. A job of a node that
# fails is queued again and goes on.
array=$(sbatch --parsable --job-name="latco-$name" --array="0-$((jobs - 1))" --cpus-per-task=1 \
    --requeue --open-mode=append "$0" "$name" "$jobs" "${options[@]}")
merge=$(LATCO_STEP=merge sbatch --parsable --job-name="latco-$name-merge" \
    --dependency="afterok:$array" --cpus-per-task=1 --requeue --open-mode=append \
    "$0" "$name" "$jobs" "${options[@]}")
echo "array $array of $jobs jobs, then $merge writes table and plot"
