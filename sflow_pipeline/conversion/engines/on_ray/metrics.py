"""Counters of a conversion in Ray's own metrics, which every node exports for Prometheus."""

import threading
from dataclasses import dataclass
from typing import Any

from ray.util import metrics

from sflow_pipeline.conversion.stage_timer import Stage
from sflow_pipeline.storage.commits import ShardRecord

_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


@dataclass(frozen=True)
class MetricFacts:
    """Kind, description and tags of a metric; all have the tag ``dataset``, too."""

    kind: type[Any]
    description: str
    tags: tuple[str, ...] = ()


#: Ray exports ``ray_NAME``, and ``ray_NAME_total`` for a counter.
METRICS = {
    "sflow_frames": MetricFacts(metrics.Counter, "Frames that went through workers; again in a shard tried again."),
    "sflow_shards": MetricFacts(metrics.Counter, "Shards by outcome: converted or failed.", ("outcome",)),
    "sflow_shards_waiting": MetricFacts(metrics.Gauge, "Shards that no worker has yet."),
    "sflow_shards_running": MetricFacts(metrics.Gauge, "Shards that a worker has, or waits with for its place."),
    "sflow_workers_ready": MetricFacts(metrics.Gauge, "Workers that have loaded the networks so far."),
    "sflow_retries": MetricFacts(metrics.Counter, "Shards tried again: the worker died, or its node.", ("cause",)),
    "sflow_quarantined": MetricFacts(metrics.Counter, "Frames that could not be converted.", ("reason",)),
    "sflow_rejected": MetricFacts(metrics.Counter, "Images that the gate left out."),
    "sflow_stage_seconds": MetricFacts(
        metrics.Histogram, "Seconds of a stage: of a frame, for paint of a batch, for write of a row.", ("stage",)
    ),
}


class RayMetrics:
    """Records values of one run; metrics that do not work are given up, and the run goes on.

    Args:
        dataset: tag of every value: the output folder, without secrets.
    """

    def __init__(self, dataset: str) -> None:
        self._dataset = dataset
        self._opened: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._works = True

    def record(self, name: str, value: float, **tags: str) -> None:
        """Add to a counter, set a gauge, or note one value of a histogram.

        Args:
            name: of ``METRICS``.
            value: 0 adds nothing to a counter.
            tags: those of the metric.
        """
        kind = METRICS[name].kind
        if not self._works or (kind is metrics.Counter and value <= 0):
            return
        every = {"dataset": self._dataset, **tags}
        try:
            metric = self._open(name)
            if kind is metrics.Counter:
                metric.inc(value, tags=every)
            elif kind is metrics.Gauge:
                metric.set(value, tags=every)
            else:
                metric.observe(value, tags=every)
        except Exception:  # noqa: BLE001  a conversion does not depend on being watched
            self._works = False

    def record_shard(self, record: ShardRecord) -> None:
        """A shard is committed."""
        self.record("sflow_shards", 1, outcome="converted")
        self.record("sflow_rejected", record.rejected)
        for reason, frames in record.reasons.items():
            self.record("sflow_quarantined", frames, reason=reason)

    def record_stage(self, stage: Stage, seconds: float) -> None:
        """See ``OnStage``."""
        self.record("sflow_stage_seconds", seconds, stage=stage)

    def _open(self, name: str) -> Any:
        with self._lock:
            if name not in self._opened:
                facts = METRICS[name]
                more = {"boundaries": list(_SECONDS)} if facts.kind is metrics.Histogram else {}
                self._opened[name] = facts.kind(
                    name, description=facts.description, tag_keys=("dataset", *facts.tags), **more
                )
            return self._opened[name]
