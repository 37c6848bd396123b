#!/usr/bin/env bash
# A conversion on a Ray cluster that runs already: RAY_API_SERVER_ADDRESS=http://HEAD:8265 pipelines/schedules/ray_job_submit.sh
# Run it from the folder that holds pipelines/, which is sent along; sflow-pipeline is installed on the cluster's nodes.
# Ends with 0 if the job succeeded, else with 1. While another run writes the same dataset, the second one says so and fails.
set -euo pipefail

: "${RAY_API_SERVER_ADDRESS:?is the address of the cluster\'s dashboard, such as http://head:8265}"
exec ray job submit --working-dir . --entrypoint-num-cpus 1 --submission-id "sflow-$(date -u +%Y%m%dT%H%M%SZ)" -- \
  sflow-pipeline run pipelines/cluster.yaml
