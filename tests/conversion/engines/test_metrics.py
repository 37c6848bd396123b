"""Metrics of Ray: named in the documentation, without effect where they do not work."""

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray")

from ray.util import metrics

from sflow_pipeline.conversion.engines.on_ray.metrics import METRICS, RayMetrics
from sflow_pipeline.storage.commits import ShardRecord


def _make_record(**fields: Any) -> ShardRecord:
    return ShardRecord("s", "train", "f", path=None, sha256=None, size_bytes=0, rows=0, frames=4, **fields)


def test_every_metric_is_documented() -> None:
    text = (Path(__file__).parents[3] / "docs/scale.md").read_text()
    endings = {metrics.Counter: "_total"}  # as Ray exports it
    exported = {f"ray_{name}{endings.get(facts.kind, '')}" for name, facts in METRICS.items()}
    assert exported == set(re.findall(r"^\| `(ray_sflow_\w+)` \|", text, re.MULTILINE))


def test_a_shard_is_counted_with_its_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = {}

    def inc(self: metrics.Counter, value: float, tags: dict[str, str]) -> None:
        counted[self._name, *tags.values()] = value

    monkeypatch.setattr(metrics.Counter, "inc", inc)
    RayMetrics("out").record_shard(_make_record(reasons={"no_label": 2, "damaged": 1}, rejected=3))
    assert counted == {
        ("sflow_shards", "out", "converted"): 1,
        ("sflow_rejected", "out"): 3,
        ("sflow_quarantined", "out", "no_label"): 2,
        ("sflow_quarantined", "out", "damaged"): 1,
    }


def test_metrics_that_do_not_work_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fail(*_arguments: Any, **_options: Any) -> None:
        asked.append(1)
        raise RuntimeError("no metrics here")

    monkeypatch.setattr(metrics.Counter, "inc", fail)
    recorder = RayMetrics("out")
    for _ in range(3):
        recorder.record_shard(_make_record())
    recorder.record_stage("paint", 0.1)
    assert asked == [1]
