"""Ray workers: the same bytes as in-process; a frame that crashes workers costs one frame, a dead worker nothing."""

import os
import signal
import sys
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest

ray = pytest.importorskip("ray")

from sflow_pipeline.bundle import load_bundle  # noqa: E402
from sflow_pipeline.conversion.convert import convert  # noqa: E402
from sflow_pipeline.conversion.engines import engine  # noqa: E402
from sflow_pipeline.conversion.status.progress import SilentProgress  # noqa: E402
from sflow_pipeline.conversion.verify import verify  # noqa: E402
from sflow_pipeline.errors import LabelSpaceError, OutputError  # noqa: E402

pytestmark = [pytest.mark.ray, pytest.mark.slow]

CRASH_COLOR = (1, 2, 3)
METRIC_TAGS = ("stage", "reason", "cause", "outcome")


class CrashesOnColor:
    """A model that ends its process when it sees one colour in the corner."""

    def __init__(self, bundle_path: str) -> None:
        from sflow_pipeline.bundle.translator import Translator

        self._inner = Translator(load_bundle(bundle_path), "cpu", "fp32")

    def translate(self, class_index, render, alpha, **look):
        if tuple(render[0, 0, 0].tolist()) == CRASH_COLOR:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._inner.translate(class_index, render, alpha, **look)


class DiesOnce(CrashesOnColor):
    """A model whose first worker is killed from outside, whatever it works on."""

    def __init__(self, bundle_path: str, marker: str) -> None:
        super().__init__(bundle_path)
        self._marker = Path(marker)

    def translate(self, class_index, render, alpha, **look):
        if not self._marker.exists():
            self._marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().translate(class_index, render, alpha, **look)


class WaitsFor(CrashesOnColor):
    """A model that paints its second batch once a file exists."""

    def __init__(self, bundle_path: str, marker: str) -> None:
        super().__init__(bundle_path)
        self._marker = Path(marker)
        self._has_painted = False

    def translate(self, class_index, render, alpha, **look):
        while self._has_painted and not self._marker.exists():
            time.sleep(0.05)
        self._has_painted = True
        return super().translate(class_index, render, alpha, **look)


class FullDisk:
    def translate(self, *_batch, **_look):
        raise OutputError("the disk is full", hint="free some space")


class Steps(SilentProgress):
    """Keeps steps and counts in the order in which they came."""

    def __init__(self) -> None:
        self.events = []

    def on_step(self, text: str) -> None:
        self.events.append(text)

    def on_count(self, done: int, total: int, unit: str) -> None:
        self.events.append(f"{done} of {total} {unit}")


@pytest.fixture(scope="module", autouse=True)
def cluster():
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        _system_config={"metrics_report_interval_ms": 500},
    )
    yield
    ray.shutdown()


@pytest.fixture
def read_metrics():
    """Sums over all processes of this node's exported metrics of a dataset: (name, value of its tag) -> value."""
    parser = pytest.importorskip("prometheus_client.parser")
    (node,) = ray.nodes()
    url = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"

    def read(out_dir, until):
        for _ in range(600):
            found = Counter()
            with suppress(OSError):
                text = urllib.request.urlopen(url, timeout=10).read().decode()
                samples = [
                    sample for family in parser.text_string_to_metric_families(text) for sample in family.samples
                ]
                for name, labels, value, *_rest in samples:
                    if labels.get("dataset") == out_dir:
                        found[name, *(labels[tag] for tag in METRIC_TAGS if tag in labels)] += value
            if until(found):
                return found
            time.sleep(0.2)
        pytest.fail(f"after two minutes the node exports {dict(found)}")

    return read


def _paint_crash_color(path: Path) -> None:
    picture = cv2.imread(str(path))
    picture[0, 0] = CRASH_COLOR[::-1]
    cv2.imwrite(str(path), picture)


def test_two_workers_write_what_one_process_writes(make_job, snapshot, tmp_path):
    alone, together = make_job(out_dir=str(tmp_path / "a")), make_job(out_dir=str(tmp_path / "b"), workers=2)
    steps = Steps()
    convert(alone)
    convert(together, progress=steps)
    assert snapshot(alone.out_dir) == snapshot(together.out_dir)
    start = steps.events.index("starting the workers, each of which loads the networks")
    assert steps.events[start + 1 : start + 3] == ["converting", "1 of 2 workers ready"]


def test_a_frame_that_crashes_workers_costs_itself_alone(
    dump, make_job, read_dataset, read_quarantine, random_bundle, read_metrics
):
    _paint_crash_color(dump.root / "town01/rgb/0002.png")
    job = make_job(workers=2, max_bad_fraction=0.2)
    warnings = []
    summary = convert(job, build_translator=lambda: CrashesOnColor(str(random_bundle)))
    assert summary.status == "quarantined"
    assert [(row["sample_id"], row["reason"]) for row in read_quarantine(job.out_dir)] == [
        ("town01/0002", "killed_worker")
    ]
    assert len(read_dataset(job.out_dir)) == 11
    assert any("died twice" in warning for warning in summary.warnings), warnings
    assert verify(job.out_dir).problems == ()

    shards = float(summary.shards_converted)
    found = read_metrics(job.out_dir, lambda found: found["ray_sflow_shards_total", "converted"] == shards)
    assert found["ray_sflow_quarantined_total", "killed_worker"] == 1
    assert found["ray_sflow_retries_total", "worker"] == 2
    assert found["ray_sflow_frames_total",] >= summary.frames


def test_two_crashing_frames_in_one_shard(dump, make_job, read_quarantine, random_bundle):
    for frame in (0, 1):
        _paint_crash_color(dump.root / f"town02/rgb/000{frame}.png")
    job = make_job(workers=2, max_bad_fraction=0.2)
    convert(job, build_translator=lambda: CrashesOnColor(str(random_bundle)))
    assert {row["sample_id"] for row in read_quarantine(job.out_dir)} == {"town02/0000", "town02/0001"}


def test_a_dead_worker_costs_nothing(make_job, snapshot, random_bundle, tmp_path):
    clean, hurt = make_job(out_dir=str(tmp_path / "a")), make_job(out_dir=str(tmp_path / "b"), workers=2)
    convert(clean)
    marker = str(tmp_path / "marker")
    summary = convert(hurt, build_translator=lambda: DiesOnce(str(random_bundle), marker))
    assert summary.status == "clean"
    assert any("trying again on another worker" in warning for warning in summary.warnings)
    assert snapshot(clean.out_dir) == snapshot(hurt.out_dir)


def test_workers_for_whom_there_is_no_place_hold_nothing_up(make_job, snapshot, tmp_path):
    clean, crowded = make_job(out_dir=str(tmp_path / "a")), make_job(out_dir=str(tmp_path / "b"), workers=4)
    convert(clean)
    assert convert(crowded).status == "clean"  # the cluster has two CPUs, as after the loss of nodes
    assert snapshot(clean.out_dir) == snapshot(crowded.out_dir)


def test_errors_come_back_as_they_were_raised(make_job):
    with pytest.raises(OutputError) as caught:
        convert(make_job(workers=2), build_translator=FullDisk)
    assert caught.value.hint == "free some space"


def test_labels_are_checked_by_workers_with_the_same_words(dump, make_job, monkeypatch):
    monkeypatch.setattr(engine, "_FEWEST_LABELS", 0)
    monkeypatch.setattr(engine, "count_in_threads", None)  # the driver counts none
    job = make_job(workers=2)
    convert(job)
    assert verify(job.out_dir).problems == ()
    for path in ("town02/semantic/0003.png", "town01/semantic/0004.png"):
        dump.write(path, cv2.imencode(".png", np.full((32, 48), 77, np.uint8))[1].tobytes())
    with pytest.raises(LabelSpaceError) as of_workers:
        convert(job)
    monkeypatch.undo()
    with pytest.raises(LabelSpaceError) as of_driver:
        convert(make_job())
    assert of_workers.value.message == of_driver.value.message
    assert "first town01/semantic/0004.png, town02/semantic/0003.png" in of_driver.value.message


def test_damaged_frames_on_ray(dump, make_job, read_quarantine):
    dump.write("town01/rgb/0001.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 40)
    job = make_job(workers=2, max_bad_fraction=0.2)
    assert convert(job).status == "quarantined"
    assert [row["sample_id"] for row in read_quarantine(job.out_dir)] == ["town01/0001"]


def test_labels_are_untouched(dump, make_job, read_dataset):
    job = make_job(workers=2)
    convert(job)
    rows = read_dataset(job.out_dir)
    assert len(rows) == 12
    for row in rows:
        assert row["label"]["bytes"] == (dump.root / row["label"]["path"]).read_bytes()
        assert np.frombuffer(row["image"]["bytes"], np.uint8).size > 0


def test_a_run_is_seen_in_the_metrics_of_ray(make_job, random_bundle, read_metrics, tmp_path):
    marker = tmp_path / "marker"
    job = make_job(workers=1, address="auto", batch_size=1)
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(convert, job, build_translator=lambda: WaitsFor(str(random_bundle), str(marker)))
        try:
            seen = read_metrics(job.out_dir, lambda found: found["ray_sflow_stage_seconds_count", "paint"] >= 1)
        finally:
            marker.touch()
        shards = float(run.result().shards_converted)
    assert seen["ray_sflow_stage_seconds_count", "decode"] >= 1
    assert seen["ray_sflow_stage_seconds_sum", "paint"] > 0
    done = read_metrics(job.out_dir, lambda found: found["ray_sflow_shards_total", "converted"] == shards)
    assert done["ray_sflow_frames_total",] == 12
    assert done["ray_sflow_shards_waiting",] == done["ray_sflow_shards_running",] == 0
