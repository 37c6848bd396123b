#!/usr/bin/env bash
#SBATCH --job-name=sflow
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-task=1
#SBATCH --time=12:00:00
#SBATCH --output=%x-%j.log
#
# A conversion on several nodes: sbatch pipelines/schedules/slurm.sh [OUT_DIR]
# OUT_DIR is the out_dir of pipelines/cluster.yaml. The dump, OUT_DIR and this folder are on storage that all nodes see.
# Submitting it again continues; while another run writes OUT_DIR, the second one says so and ends with exit code 1.
set -euo pipefail

out_dir=${1:-/data/out}
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")

# Starts Ray on every node, runs the job on the first one, and stops Ray.
status=0
srun ray symmetric-run --address "${nodes[0]}:6379" --min-nodes "${#nodes[@]}" --num-cpus "$SLURM_CPUS_PER_TASK" -- \
  sflow-pipeline run pipelines/cluster.yaml || status=$?

# symmetric-run ends with 0 even where Ray did not start, so the dataset itself is asked.
sflow-pipeline verify "$out_dir"
exit "$status"
