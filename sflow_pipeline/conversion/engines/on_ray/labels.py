"""Counting of labels by Ray's workers, before the first frame is converted: tasks of some hundred labels each."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from sflow_pipeline.conversion.engines.on_ray.failures import describe_cluster_failure, find_cause
from sflow_pipeline.conversion.engines.threads import limit_opencv
from sflow_pipeline.conversion.labels.counts import LabelCounts, count_labels
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.conversion.source.source_index import SourceFrame
from sflow_pipeline.untrusted.limits import Limits, apply_limits, read_limits

#: Labels of one task: seconds of work for large ones, so that a lost node costs little.
_TASK_LABELS = 512
#: Counting a label twice does no harm, and nodes come and go.
_RETRIES = 20


def count_on_ray(
    groups: Sequence[Sequence[SourceFrame]], settings: ConversionSettings, cpus: int
) -> Iterator[LabelCounts]:
    """The counts of each group, in order; Ray must be connected.

    Args:
        groups: of frames.
        settings: label space and encoding.
        cpus: of the cluster; twice as many tasks wait, so that a cluster that grows by need sees it.

    Raises:
        SflowError: the cluster failed, or a worker raised an error that is not about a label.
    """
    count = ray.remote(_count).options(num_cpus=1, max_retries=_RETRIES)
    stored, limits = ray.put(settings), read_limits()
    waiting: deque[Any] = deque()
    try:
        for batch in _gather(groups):
            waiting.append(count.remote(stored, limits, batch))
            if len(waiting) > 2 * max(cpus, 8):
                yield from ray.get(waiting.popleft())
        while waiting:
            yield from ray.get(waiting.popleft())
    except RayTaskError as error:
        raise find_cause(error) from error
    except RayError as error:
        raise describe_cluster_failure(error) from error
    finally:
        for reference in waiting:
            ray.cancel(reference, force=True)


def _count(settings: ConversionSettings, limits: Limits, groups: Sequence[Sequence[SourceFrame]]) -> list[LabelCounts]:
    limit_opencv()
    apply_limits(limits)
    return [count_labels(group, settings) for group in groups]


def _gather(groups: Sequence[Sequence[SourceFrame]]) -> Iterator[list[Sequence[SourceFrame]]]:
    """Groups in batches of about as many labels as one task counts."""
    batch: list[Sequence[SourceFrame]] = []
    for group in groups:
        batch.append(group)
        if sum(map(len, batch)) >= _TASK_LABELS:
            yield batch
            batch = []
    if batch:
        yield batch
