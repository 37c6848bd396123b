"""Remarks on a shard that a GPU converted: memory too short for its batches, networks that run without CUDA graphs."""

from sflow_pipeline.storage.commits import ShardRecord


def list_gpu_remarks(record: ShardRecord, batch_size: int) -> dict[str, str]:
    """Subject -> what a run says about it once; empty where all was as planned.

    Args:
        record: of the shard.
        batch_size: of the settings.
    """
    remarks = {}
    if (used := record.batch_size) is not None:
        remarks["batch size"] = (
            f"{record.shard_id}: the GPU has too little memory for {batch_size} frames at once; {used} are translated, "
            f"which rounds single pixels otherwise; --batch-size {used} makes every run the same"
        )
    if (reason := record.graph_failure) is not None:
        remarks["graphs"] = f"the GPU runs without CUDA graphs ({reason}): the same images, more slowly"
    return remarks
