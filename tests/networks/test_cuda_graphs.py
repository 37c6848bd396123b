"""CUDA graphs on a CPU: a recorder whose recordings run the function again in the same memory, as a GPU would."""

from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from sflow_pipeline.bundle import label_agreement, load_bundle
from sflow_pipeline.bundle.label_agreement import AgreementScorer
from sflow_pipeline.bundle.translator import Translator
from sflow_pipeline.networks.appearance.fidelity import ClassFidelity
from sflow_pipeline.networks.cuda_graphs import CudaRecorder, GraphedFunction, find_recorder
from sflow_pipeline.networks.device import Device, resolve_device


class Recording:
    """Records as ``CudaRecorder`` does: the function sees its inputs' memory once, and replays fill its outputs'."""

    def __init__(self, error: Exception | None = None, *, is_wrong: bool = False) -> None:
        self.error, self.is_wrong = error, is_wrong
        self.recorded, self.replayed = 0, 0

    def record(self, run: Callable[[], tuple[Tensor, ...]]) -> tuple[tuple[Tensor, ...], Callable[[], object]]:
        if self.error is not None:
            raise self.error
        self.recorded += 1
        outputs = run()

        def replay() -> None:
            self.replayed += 1
            for kept, new in zip(outputs, run(), strict=True):
                kept.copy_(new + 1 if self.is_wrong else new)

        return outputs, replay


class Doubled:
    """A function that remembers the memory of its inputs at every call."""

    def __init__(self, fitting: int = 99) -> None:
        self.places: list[int] = []
        self.fitting = fitting

    def __call__(self, plan: Any, inputs: Any) -> tuple[Tensor, ...]:
        if len(inputs["x"]) > self.fitting:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        self.places.append(inputs["x"].data_ptr())
        return inputs["x"] * plan, inputs["x"].sum()[None]


def give(graphed: GraphedFunction, plan: float, *numbers: float) -> list[list[float]]:
    return [tensor.tolist() for tensor in graphed(plan, {"x": torch.tensor(numbers, dtype=torch.float32)})]


def test_the_third_batch_of_a_shape_is_replayed_in_the_memory_of_the_recording() -> None:
    recorder, function = Recording(), Doubled()
    graphed = GraphedFunction(function, "cpu", recorder)
    assert give(graphed, 2.0, 1, 2) == [[2, 4], [3]]
    assert (recorder.recorded, recorder.replayed) == (0, 0)  # one batch alone is not worth a recording
    assert give(graphed, 2.0, 3, 4) == [[6, 8], [7]]
    assert (recorder.recorded, recorder.replayed) == (1, 1)  # compared once
    first = graphed(2.0, {"x": torch.tensor([5.0, 6.0])})
    assert give(graphed, 2.0, 7, 8) == [[14, 16], [15]]
    assert first[0].tolist() == [10, 12]  # results outlive the next replay
    assert recorder.replayed == 3
    assert len(set(function.places[2:])) == 1  # the recording and its replays read one place
    assert graphed.failure is None


def test_every_shape_and_plan_has_a_recording_of_its_own_and_a_smaller_last_batch_none() -> None:
    recorder = Recording()
    graphed = GraphedFunction(Doubled(), "cpu", recorder)
    for _ in range(3):
        assert give(graphed, 2.0, 1, 2) == [[2, 4], [3]]
        assert give(graphed, 3.0, 1, 2) == [[3, 6], [3]]
        assert give(graphed, 2.0, 1, 2, 3) == [[2, 4, 6], [6]]
    assert recorder.recorded == 3
    assert give(graphed, 2.0, 9) == [[18], [9]]
    assert recorder.recorded == 3


def test_only_so_many_shapes_are_recorded() -> None:
    recorder = Recording()
    graphed = GraphedFunction(Doubled(), "cpu", recorder)
    for count in range(1, 9):
        for _ in range(3):
            assert give(graphed, 1.0, *[1] * count) == [[1] * count, [count]]
    assert recorder.recorded == 4
    assert graphed.failure is None


@pytest.mark.parametrize(
    ("recorder", "reason"),
    [
        (Recording(RuntimeError("operation not permitted when stream is capturing\nmore")), "RuntimeError: operation"),
        (Recording(torch.OutOfMemoryError("CUDA out of memory.")), "too little memory"),
        (Recording(is_wrong=True), "a recording gave other numbers"),
    ],
)
def test_what_cannot_be_recorded_runs_on_as_it_is(recorder: Recording, reason: str) -> None:
    graphed = GraphedFunction(Doubled(), "cpu", recorder)
    for number in range(5):
        assert give(graphed, 2.0, number) == [[2 * number], [number]]
    assert graphed.failure is not None
    assert graphed.failure.startswith(reason)
    assert "\n" not in graphed.failure
    assert recorder.replayed <= 1


def test_short_memory_takes_the_recordings_away_before_a_batch_fails() -> None:
    recorder, function = Recording(), Doubled()
    graphed = GraphedFunction(function, "cpu", recorder)
    for _ in range(3):
        give(graphed, 2.0, 1)
    function.fitting = 1
    with pytest.raises(torch.OutOfMemoryError):
        give(graphed, 2.0, 1, 2)
    assert graphed.failure == "too little memory"
    before = recorder.replayed
    assert give(graphed, 2.0, 4) == [[8], [4]]
    assert (recorder.recorded, recorder.replayed) == (1, before)


class Stream:
    """A stream of ``torch.cuda`` that notes what waits for what."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log

    def wait_stream(self, other: "Stream") -> None:
        self.log.append(f"{self.name} waits for {other.name}")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """``torch.cuda`` without a GPU: the current stream, and a log of what would happen."""
    log: list[str] = []
    state: dict[str, Any] = {"stream": Stream("default", log), "log": log}

    @contextmanager
    def use(stream: Stream) -> Any:
        before, state["stream"] = state["stream"], stream
        yield
        state["stream"] = before

    @contextmanager
    def graph(_graph: Any, pool: str, stream: Stream, capture_error_mode: str) -> Any:
        log.append(f"begin in {pool}, {capture_error_mode}")
        state["stream"] = stream
        yield  # an error leaves the stream where it is, as torch does
        log.append("end")

    stubs = {
        "Stream": lambda _device: Stream("side", log), "graph_pool_handle": lambda: "pool", "graph": graph,
        "device": lambda _device: nullcontext(), "current_stream": lambda: state["stream"], "stream": use,
        "CUDAGraph": lambda: SimpleNamespace(replay=lambda: log.append("replay")),
        "set_stream": lambda stream: state.update(stream=stream),
    }  # fmt: skip
    for name, stub in stubs.items():
        assert hasattr(torch.cuda, name)
        monkeypatch.setattr(torch.cuda, name, stub)
    return state


def test_a_graph_is_recorded_on_a_stream_of_its_own_after_runs_on_it(gpu: dict[str, Any]) -> None:
    log = gpu["log"]

    def run() -> tuple[Tensor, ...]:
        log.append(f"run on {gpu['stream'].name}")
        return (torch.ones(1),)

    outputs, replay = CudaRecorder("cuda").record(run)
    replay()
    assert outputs[0].tolist() == [1]
    assert log == [
        "side waits for default", "run on side", "run on side",
        "begin in pool, thread_local", "run on side", "end", "default waits for side", "replay",
    ]  # fmt: skip
    assert gpu["stream"].name == "default"


def test_a_recording_that_fails_leaves_no_stream_behind(gpu: dict[str, Any]) -> None:
    def run() -> tuple[Tensor, ...]:
        if gpu["log"] and gpu["log"][-1].startswith("begin") and gpu["stream"].name == "side":
            raise RuntimeError("operation not permitted when stream is capturing")
        return ()

    graphed = GraphedFunction(lambda _plan, inputs: (*run(), inputs["x"]), "cpu", CudaRecorder("cuda"))
    assert [give(graphed, 1.0, number) for number in range(3)] == [[[0]], [[1]], [[2]]]
    assert graphed.failure == "RuntimeError: operation not permitted when stream is capturing"
    assert gpu["stream"].name == "default"


def test_the_environment_leaves_graphs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFLOW_CUDA_GRAPHS", "0")
    assert find_recorder("cuda") is None  # without it, torch would look for a GPU


def draw_batch(translator: Translator, count: int, seed: int, size: tuple[int, int] = (64, 96)) -> list[NDArray[Any]]:
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, translator.classes, (count, size[0] // 8, size[1] // 8))
    return [
        classes.astype(np.uint8).repeat(8, 1).repeat(8, 2),
        rng.integers(0, 256, (count, *size, 3), np.uint8),
        rng.dirichlet(np.ones(5), count).astype(np.float32),
    ]


@pytest.mark.parametrize("appearance", [None, 0.5, 1.0])
def test_replayed_images_are_those_of_the_networks(appearance: float | None) -> None:
    """Images of changing renders, labels, alphas, palettes and colours: nothing of the first batch stays in a graph."""
    recorder = Recording()
    plain, graphed = (Translator(load_bundle("sflow"), "cpu", "fp32") for _ in range(2))
    for translator in {graphed, graphed._palette_translator}:
        translator._graphed = GraphedFunction(translator._paint, "cpu", recorder)
    for number in range(4):
        batch = draw_batch(plain, 1, number)
        look: dict[str, Any] = {"palette": np.array([number])}
        if appearance is not None:
            look["appearance"] = np.array([appearance], np.float32)
            look["photo_colors"] = np.array([number / 4], np.float32)
            look["color_source"] = 255 - batch[1]
            look["class_colors"] = np.random.default_rng(number).uniform(0, 1, (1, plain.classes, 4)).astype(np.float32)
        expected, found = (translator.translate(*batch, **look) for translator in (plain, graphed))
        np.testing.assert_array_equal(found.photo, expected.photo)
        np.testing.assert_array_equal(found.edge, expected.edge)
    assert (recorder.recorded, recorder.replayed) == (1, 3)
    assert graphed.graph_failure is None
    graphed.drop_graphs()
    assert graphed.graph_failure == "too little memory"
    np.testing.assert_array_equal(graphed.translate(*batch, **look).photo, expected.photo)


class OnDeviceAlone(TorchDispatchMode):
    """Refuses every operation that touches memory of the host: it would wait for a GPU, and a graph cannot hold it.

    With ``allow_host``, only operations that touch memory of both.
    """

    def __init__(self, *, allow_host: bool = False) -> None:
        super().__init__()
        self._allow_host = allow_host

    def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        tensors = [x for x in torch.utils._pytree.tree_leaves((args, kwargs, result)) if isinstance(x, Tensor)]
        is_on_host = self._allow_host and not any(x.is_meta for x in tensors)
        assert is_on_host or all(x.is_meta for x in tensors), f"{func} touches memory of the host"
        return result


def move_to_meta(holder: Any) -> None:
    """Put all tensors of an object on torch's device without memory, on which nothing can be read by the host."""
    for name, value in vars(holder).items():
        if isinstance(value, Tensor):
            setattr(holder, name, value.to("meta"))
        elif isinstance(value, torch.nn.Module):
            value.to("meta")
        elif isinstance(value, ClassFidelity):
            moved = {item.name: getattr(value, item.name).to("meta") for item in fields(value)}
            setattr(holder, name, replace(value, **moved))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("strengths", [None, (0.0,), (0.0, 0.5, 1.0), (1.0,)])
def test_nothing_between_input_and_image_waits_for_a_gpu(precision: str, strengths: tuple[float, ...] | None) -> None:
    translator = Translator(load_bundle("sflow"), "cpu", precision)
    arrays = dict(zip(("class_index", "render", "alpha"), draw_batch(translator, 3, 0), strict=True))
    arrays["palette"] = np.zeros(3, np.int64)
    if strengths is not None:
        arrays["appearance"] = np.resize(np.array(strengths, np.float32), 3)
        arrays["photo_colors"] = np.zeros(3, np.float32)
        arrays["color_source"] = arrays["render"]
        arrays["class_colors"] = np.zeros((3, translator.classes, 4), np.float32)
    inputs = {name: torch.from_numpy(array).to("meta") for name, array in arrays.items()}
    move_to_meta(translator)
    assert resolve_device("cpu", precision).dtype == translator.dtype
    with torch.inference_mode(), OnDeviceAlone():
        photo, edge = translator._paint(strengths, inputs)
    assert (photo.shape, photo.dtype) == ((3, 64, 96, 3), torch.uint8)
    assert (edge.shape, edge.dtype) == ((3, 64, 96), torch.uint8)


class ReadError(Exception):
    """The device is read."""


def test_the_gate_reads_a_batch_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the pinned copies to the device and the one back, nothing of the checks waits for a GPU."""
    bundle = load_bundle("sflow")
    state = bundle.read_segmenter()
    assert state is not None
    scorer = AgreementScorer(bundle, state, Device("cpu"), bundle.metadata.gate)
    pairs = [(np.zeros((192, 64, 3), np.uint8), np.zeros((192, 64), np.uint8))] * 2
    truth = torch.zeros(2, 96, 32, dtype=torch.uint8, device="meta")
    logits = torch.zeros(2, bundle.label_space.num_classes, 96, 32, device="meta")
    move_to_meta(scorer)

    def read(tensors: Any) -> Any:
        assert all(tensor.is_meta for tensor in tensors)
        raise ReadError

    monkeypatch.setattr(label_agreement, "fetch", read)
    monkeypatch.setattr(label_agreement, "send", lambda x, _device: torch.zeros(x.shape, dtype=x.dtype, device="meta"))
    with torch.inference_mode(), OnDeviceAlone(allow_host=True), pytest.raises(ReadError):
        scorer._compare(pairs, logits, truth)
