"""Failures of Ray as errors of this package."""

from ray.exceptions import RayActorError, RayError, RayTaskError

from sflow_pipeline.errors import SflowError, first_line


def describe_cluster_failure(error: RayError) -> SflowError:
    """What a run ends with when the cluster fails."""
    return SflowError(
        f"the Ray cluster failed: {first_line(error)}",
        hint="run the same command again when it is back; finished shards are kept",
    )


def find_cause(error: RayTaskError) -> Exception:
    """The error as it was raised in the worker."""
    cause = error.cause
    return (
        cause if isinstance(cause, SflowError) else SflowError(f"a worker failed: {cause!r}", hint="please report this")
    )


def is_node_lost(error: Exception) -> bool:
    """Whether a worker died because its node did, or was taken away."""
    text = str(error)
    return isinstance(error, RayActorError) and (
        error.preempted or "node has died" in text or "node died" in text or "NODE_DIED" in text
    )
