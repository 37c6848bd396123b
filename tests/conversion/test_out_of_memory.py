"""Too little memory: smaller batches that stay and are said once; an error with a way out for one frame."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from sflow_pipeline.bundle.translator import Translation
from sflow_pipeline.conversion import conversion_run
from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.conversion.frame.decode import decode_frame
from sflow_pipeline.conversion.gate.gate import EdgeGate
from sflow_pipeline.conversion.job.resolve_job import resolve_job
from sflow_pipeline.conversion.painting.paint import Painted, Painter
from sflow_pipeline.conversion.verify import verify
from sflow_pipeline.errors import SflowError


class SmallMemory:
    """A model that gives renders back, and whose memory holds so many frames."""

    def __init__(self, fitting: int, error: Exception | None = None) -> None:
        self.sizes: list[int] = []
        self._fitting = fitting
        self._error = error or torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    def translate(self, _class_index: Any, render: Any, _alpha: Any, **_look: Any) -> Translation:
        self.sizes.append(len(render))
        if len(render) > self._fitting:
            raise self._error
        return Translation(render, np.zeros(render.shape[:3], np.uint8))


class WithGraphs(SmallMemory):
    """The same with graphs on the GPU, until they are taken away."""

    graph_failure: str | None = None

    def drop_graphs(self) -> None:
        self.sizes.append(0)
        self.graph_failure = "too little memory"


@pytest.fixture
def paint(make_job):
    """Paints as many frames with a model on a GPU, in batches of eight."""

    def run(model: SmallMemory, count: int) -> tuple[Painter, list[Painted | Exception]]:
        settings = replace(resolve_job(make_job()).settings, device="cuda", batch_size=8)
        painter = Painter(model, EdgeGate(0.1), settings)
        return painter, painter.paint([make_frame(number) for number in range(count)], 0)

    return run


def make_frame(number: int) -> Any:
    render = np.full((16, 24, 3), 10 + number, np.uint8)
    ref = SimpleNamespace(sample_id=f"a/{number}", sequence_id="a")
    return SimpleNamespace(ref=ref, render=render, class_index=np.zeros((16, 24), np.uint8), instance_map=None)


@pytest.mark.parametrize(("fitting", "sizes"), [(8, [8]), (4, [8, 4, 4]), (1, [8, 4, 2, *[1] * 8])])
def test_a_batch_that_does_not_fit_is_halved_until_it_does(paint, fitting, sizes):
    model = SmallMemory(fitting)
    painter, painted = paint(model, 8)
    assert model.sizes == sizes
    assert [item.photo[0, 0, 0] for item in painted] == list(range(10, 18))
    model.sizes.clear()
    painter.paint([make_frame(0), make_frame(1)], 0)  # later batches begin with the smaller size
    assert model.sizes == {8: [8], 4: [4], 1: [1, 1]}[fitting]


def test_graphs_give_their_memory_back_before_a_smaller_batch_is_tried(paint):
    model = WithGraphs(4)
    painter, painted = paint(model, 8)
    assert model.sizes == [8, 0, 4, 4]
    assert [item.photo[0, 0, 0] for item in painted] == list(range(10, 18))
    assert painter.graph_failure == "too little memory"


def test_one_frame_that_does_not_fit_ends_the_run_with_a_way_out(paint):
    with pytest.raises(SflowError, match="cuda has too little free memory for a frame") as caught:
        paint(SmallMemory(0), 3)
    assert "--size" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate")]
)
def test_a_cpu_without_memory_leaves_no_frame_out_and_nothing_half(make_job, error):
    job = make_job(batch_size=2)
    with pytest.raises(SflowError, match="this machine has too little free memory") as caught:
        convert(job, build_translator=lambda: SmallMemory(0, error))
    assert "--workers" in (caught.value.hint or "")
    assert not [path for path in Path(job.out_dir).rglob("*") if path.parts[-2] in ("data", "quarantine")]
    assert convert(job).status == "clean"  # the way out leads somewhere
    assert verify(job.out_dir).problems == ()


def test_a_picture_that_memory_is_too_short_for_is_not_called_damaged(make_job, monkeypatch):
    def fail(*_arguments: Any) -> None:
        error = cv2.error("Failed to allocate")
        error.code, error.err = cv2.Error.StsNoMem, "Failed to allocate"
        raise error

    resolved = resolve_job(make_job())
    monkeypatch.setattr(cv2, "imdecode", fail)
    with pytest.raises(MemoryError):
        decode_frame(resolved.frames[0], resolved.settings)


def test_smaller_batches_are_said_once_and_recorded(make_job, monkeypatch):
    def resolve_on_gpu(*arguments: Any) -> Any:
        resolved = resolve_job(*arguments)
        return replace(resolved, settings=replace(resolved.settings, device="cuda", batch_size=4))

    monkeypatch.setattr(conversion_run, "resolve_job", resolve_on_gpu)
    job = make_job()
    summary = convert(job, build_translator=lambda: WithGraphs(2))
    said = [warning for warning in summary.warnings if "frames at once" in warning]
    assert len(said) == 1
    assert "4 frames at once; 2 are translated" in said[0]
    assert [warning for warning in summary.warnings if "CUDA graphs" in warning] == [
        "the GPU runs without CUDA graphs (too little memory): the same images, more slowly"
    ]
    shards = json.loads((Path(job.out_dir) / "manifest.json").read_text())["shards"]
    assert len(shards) == 4
    assert {shard["batch_size"] for shard in shards} == {2}
    assert verify(job.out_dir).problems == ()
