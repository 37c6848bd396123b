"""GPU workers whose frames are read and written by helpers elsewhere; the GPUs are Ray's bookkeeping alone."""

import os
import signal
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

ray = pytest.importorskip("ray")

from sflow_pipeline.bundle.translator import Translation  # noqa: E402
from sflow_pipeline.conversion.engines.in_process import run_in_process  # noqa: E402
from sflow_pipeline.conversion.engines.on_ray.helpers import Helper, RayHelpers  # noqa: E402
from sflow_pipeline.conversion.engines.on_ray.shards import run_on_ray  # noqa: E402
from sflow_pipeline.conversion.gate.gate import EdgeGate  # noqa: E402
from sflow_pipeline.conversion.job.resolve_job import resolve_job  # noqa: E402
from sflow_pipeline.conversion.painting.painter_factory import PainterFactory  # noqa: E402
from sflow_pipeline.errors import FrameError  # noqa: E402
from sflow_pipeline.untrusted.limits import read_limits  # noqa: E402

pytestmark = [pytest.mark.ray, pytest.mark.slow]


class Mirror:
    """A model that mirrors pictures."""

    def translate(self, class_index, render, alpha, **look):  # noqa: ARG002
        return Translation(render[:, :, ::-1].copy(), np.zeros(render.shape[:3], np.uint8))


def gate() -> EdgeGate:
    return EdgeGate(0.1)


def tell_process(*_arguments) -> int:
    return os.getpid()


def refuse(*_arguments):
    raise FrameError("no", reason="truncated", read_digest="x")


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """Two nodes' worth of GPUs and cores, none of which is a GPU."""
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    ray.init(address="local", num_cpus=4, num_gpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def test_the_same_rows_as_without_helpers(dump, make_job, read_dataset, read_quarantine, tmp_path):
    dump.write("town01/rgb/0001.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 40)
    found = {}
    for name in ("alone", "helped", "grows"):  # where a cluster grows, nobody knows its cores at the start
        job = make_job(out_dir=str(tmp_path / name), gate="off", shard_frames=3)
        resolved = resolve_job(job)
        settings = replace(resolved.settings, device="cuda", batch_size=2)
        painter = PainterFactory(settings, Mirror, gate)
        frames: list[int] = []
        if name == "alone":
            records = list(run_in_process(resolved.tasks, settings, painter, frames.append, lambda: None))
        else:
            options = {"workers": 2, "cpus": 4 if name == "helped" else 0, "check_lock": lambda: None}
            heard = {"on_failed": frames.append, "on_warning": frames.append}
            records = list(run_on_ray(resolved.tasks, settings, painter, lambda _frames: None, **options, **heard))
        rows = read_dataset(job.out_dir)
        found[name] = sorted(records, key=lambda record: record.shard_id), rows, read_quarantine(job.out_dir)
    assert found["alone"] == found["helped"] == found["grows"]
    assert len(found["helped"][1]) == 11 and len(found["helped"][2]) == 1


def test_helpers_take_turns_and_may_die(make_job):
    settings = resolve_job(make_job()).settings
    helper = ray.remote(Helper).options(num_cpus=1, max_restarts=0)
    handles = [helper.remote(settings, read_limits()) for _ in range(2)]
    ray.get([handle.is_ready.remote() for handle in handles])
    helpers = RayHelpers(handles, settings, 2)
    deadline = time.monotonic() + 60
    seen = {os.getpid()}
    while len(seen - {os.getpid()}) < 2 and time.monotonic() < deadline:
        seen.add(helpers.call(tell_process))
    others = seen - {os.getpid()}
    assert len(others) == 2
    with pytest.raises(FrameError) as refused:
        helpers.call(refuse)
    assert (refused.value.reason, refused.value.read_digest) == ("truncated", "x")
    for pid in others:
        os.kill(pid, signal.SIGKILL)
    assert {helpers.call(tell_process) for _ in range(4)} == {os.getpid()}


def test_helpers_without_a_place_hold_nothing_up(make_job):
    settings = resolve_job(make_job()).settings
    crowded = ray.remote(Helper).options(num_cpus=64).remote(settings, read_limits())
    helpers = RayHelpers([crowded], settings, 1)
    assert helpers.call(tell_process) == os.getpid()
    ray.kill(crowded)
