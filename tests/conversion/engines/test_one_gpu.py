"""One GPU on this machine: who reads and writes its frames. The GPU is a name alone."""

import threading
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sflow_pipeline.bundle import load_bundle
from sflow_pipeline.bundle.translator import Translation, Translator
from sflow_pipeline.conversion.engines import engine, in_process
from sflow_pipeline.conversion.engines.on_ray import shards
from sflow_pipeline.conversion.gate.gate import EdgeGate, Judgement
from sflow_pipeline.conversion.job.resolve_job import resolve_job
from sflow_pipeline.conversion.motion.motion_source import MotionSource
from sflow_pipeline.conversion.painting.painter_factory import PainterFactory
from sflow_pipeline.conversion.shard import decoded_frames
from sflow_pipeline.errors import SflowError
from sflow_pipeline.networks.cuda_graphs import GraphedFunction
from sflow_pipeline.ray_cluster import ClusterFacts


class Mirror:
    """A model that mirrors pictures."""

    def translate(self, _class_index: Any, render: Any, _alpha: Any, **_look: Any) -> Translation:
        return Translation(render[:, :, ::-1].copy(), np.zeros(render.shape[:3], np.uint8))


class WithAnother:
    """A decoder whose first frame waits until a second one is being decoded."""

    def __init__(self, decode: Any) -> None:
        self._decode, self._begun, self._is_second = decode, threading.Event(), threading.Event()

    def __call__(self, frame: Any, settings: Any) -> Any:
        if self._begun.is_set():
            self._is_second.set()
        self._begun.set()
        assert self._is_second.wait(timeout=60)
        return self._decode(frame, settings)


def test_several_threads_read_and_write_the_rows_of_one(make_job, read_dataset, monkeypatch, tmp_path):
    rows = {}
    for cores in (1, 4):
        job = make_job(out_dir=str(tmp_path / str(cores)), gate="off")
        resolved = resolve_job(job)
        settings = replace(resolved.settings, device="cuda", batch_size=2)
        monkeypatch.setattr(in_process, "count_cores", lambda cores=cores: cores)
        if cores > 1:
            monkeypatch.setattr(decoded_frames, "decode_frame", WithAnother(decoded_frames.decode_frame))
        painter = PainterFactory(settings, Mirror, lambda: EdgeGate(0.1))
        records = list(in_process.run_in_process(resolved.tasks, settings, painter, lambda _n: None, lambda: None))
        rows[cores] = sorted((record.sha256 or "") for record in records), read_dataset(job.out_dir)
    assert rows[1] == rows[4]
    assert len(rows[4][1]) == 12


class Shared(Mirror):
    """A model that two threads may call, and that says when it is called a second time."""

    graph_failure: str | None = None

    def __init__(self) -> None:
        self.calls, self.is_called_again = 0, threading.Event()

    def drop_graphs(self) -> None: ...

    def translate(self, *batch: Any, **look: Any) -> Translation:
        self.calls += 1
        if self.calls > 1:
            self.is_called_again.set()
        return super().translate(*batch, **look)


class Patient(EdgeGate):
    """A gate that judges once the model has begun with another batch."""

    def __init__(self, model: Shared) -> None:
        super().__init__(0.1)
        object.__setattr__(self, "model", model)

    def judge(self, *batch: Any, **further: Any) -> list[Judgement]:
        model: Any = vars(self)["model"]
        assert model.is_called_again.wait(timeout=60)
        return super().judge(*batch, **further)


def test_a_batch_is_translated_while_the_one_before_is_judged(make_job, read_dataset, tmp_path):
    rows = {}
    model = Shared()
    ways: dict[str, Any] = {
        "alone": (Mirror, lambda: EdgeGate(0.1)),
        "overlapped": (lambda: model, lambda: Patient(model)),
    }
    for name, build in ways.items():
        job = make_job(out_dir=str(tmp_path / name), gate="off", shard_frames=12)
        resolved = resolve_job(job)
        settings = replace(resolved.settings, device="cuda", batch_size=2)
        painter = PainterFactory(settings, *build)
        records = list(in_process.run_in_process(resolved.tasks, settings, painter, lambda _n: None, lambda: None))
        rows[name] = sorted((record.sha256 or "") for record in records), read_dataset(job.out_dir)
    assert rows["alone"] == rows["overlapped"]
    assert len(rows["alone"][1]) == 12


class Recording:
    """Records a function as a CUDA graph would: replays fill the memory of its outputs from that of its inputs."""

    def __init__(self) -> None:
        self.threads: set[str] = set()

    def record(self, run: Any) -> Any:
        outputs = run()

        def replay() -> None:
            self.threads.add(threading.current_thread().name)
            for kept, new in zip(outputs, run(), strict=True):
                kept.copy_(new)

        return outputs, replay


def test_two_threads_that_share_a_graph_do_not_mix_their_frames(make_job, random_bundle, read_dataset, tmp_path):
    rows, recorder = {}, Recording()
    for name in ("eager", "graphs"):
        job = make_job(out_dir=str(tmp_path / name), gate="off", shard_frames=12)
        resolved = resolve_job(job)
        settings = replace(resolved.settings, device="cuda", batch_size=1)
        translator = Translator(load_bundle(random_bundle), "cpu", "fp32")
        if name == "graphs":
            translator._graphed = GraphedFunction(translator._paint, "cpu", recorder)
        painter = PainterFactory(settings, lambda translator=translator: translator)
        records = list(in_process.run_in_process(resolved.tasks, settings, painter, lambda _n: None, lambda: None))
        rows[name] = sorted((record.sha256 or "") for record in records), read_dataset(job.out_dir)
    assert rows["eager"] == rows["graphs"]
    assert len(rows["graphs"][1]) == 12
    assert len({row["image"]["bytes"] for row in rows["graphs"][1]}) > 1
    assert recorder.threads


def test_images_that_depend_on_one_another_are_painted_one_after_the_other(make_job):
    settings = replace(resolve_job(make_job()).settings, device="cuda")
    model = Shared()
    chosen = {
        "independent": settings,
        "cpu": replace(settings, device="cpu"),
        "in order": replace(settings, use_previous=True),
        "smoothed": replace(settings, motion=MotionSource((), "plain")),
    }
    factories = {name: PainterFactory(value, lambda: model) for name, value in chosen.items()}
    seconds = {name: factory.build_second(factory()) for name, factory in factories.items()}
    assert [name for name, second in seconds.items() if second is not None] == ["independent"]
    assert PainterFactory(settings, Mirror).build_second(PainterFactory(settings, Mirror)()) is None


@pytest.fixture
def convert(make_job, monkeypatch):
    """Where frames are converted with one worker, so many cores and frames, and what is said about it."""

    def run(
        cores: int, frames: int, device: str = "cuda", *, gpus: int = 1, error: Exception | None = None, **fields: Any
    ) -> tuple[str, list[str]]:

        @contextmanager
        def connect(_address: Any, cpus: int, **_options: Any) -> Any:
            if error is not None:
                raise error
            yield ClusterFacts(cpus, gpus)

        monkeypatch.setattr("sflow_pipeline.ray_cluster.connect", connect)
        monkeypatch.setattr(engine, "count_cores", lambda: cores)
        monkeypatch.setattr(in_process, "run_in_process", lambda *_given: ["in process"])
        monkeypatch.setattr(shards, "run_on_ray", lambda *_given, cpus, **_options: [f"helped by {cpus}"])
        job = make_job(**{"workers": None, **fields})
        resolved = resolve_job(job)
        settings = replace(resolved.settings, device=device)
        tasks = [replace(resolved.tasks[0], frames=[resolved.frames[0]] * frames)]
        said: list[str] = []
        with ExitStack() as stack:
            chooser = engine.Engine(job, stack, said.append)
            heard = dict.fromkeys(("on_ready", "on_frames", "on_failed", "on_warning"), lambda _heard: None)
            lock: Any = type("Lock", (), {"check": None, "fence": type("Fence", (), {"check": None})})
            painter: Any = None
            (place,) = chooser.convert(tasks, settings, painter, lock, 1, **heard)
        return str(place), said

    return run


def test_a_gpu_with_many_frames_has_processes_that_read_and_write_for_it(convert):
    assert convert(16, 5000)[0] == "helped by 16"
    for cores, frames, device, workers in (
        (16, 4999, "cuda", None),
        (2, 5000, "cuda", None),
        (16, 5000, "cuda", 1),  # "which needs no Ray"
        (16, 5000, "cuda:1", None),  # Ray numbers GPUs anew
        (16, 5000, "cpu", None),
    ):
        assert convert(cores, frames, device, workers=workers)[0] == "in process"


def test_without_ray_it_reads_and_writes_itself(convert):
    place, said = convert(16, 5000, error=SflowError("Ray cannot start on this machine", hint="-"))
    assert place == "in process"
    assert said[-2] == "Ray cannot start on this machine; frames are read and written by this process"
    assert convert(16, 5000, gpus=0)[0] == "in process"  # Ray would wait for a GPU that it does not see
