"""Default worker count of a job."""

import math
from collections.abc import Sequence

from sflow_pipeline.config.job import ConvertJob
from sflow_pipeline.conversion.shard_task import ShardTask
from sflow_pipeline.storage.process_identity import count_cores

#: Starting Ray costs about as much time as converting so many small frames.
_FRAMES_PER_START = 100


def choose_workers(job: ConvertJob, device: str, tasks: Sequence[ShardTask], cpus: int | None, gpus: int | None) -> int:
    """The job's worker count, or one worker per GPU or core, at most one per shard.

    Args:
        job: may state a number.
        device: that frames are converted on.
        tasks: the shards to convert.
        cpus, gpus: of the cluster; None for this machine's.
    """
    if job.workers is not None:
        return job.workers
    if device.startswith("cuda"):
        if gpus is None:
            import torch

            gpus = torch.cuda.device_count() if device == "cuda" else 1
        return max(1, min(gpus, len(tasks)))
    if cpus is None:
        cpus = count_cores()
    frames = sum(len(task.frames) for task in tasks)
    return max(1, min(cpus, len(tasks), math.ceil(frames / _FRAMES_PER_START)))
