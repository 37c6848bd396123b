"""CUDA graphs: what a function does on a GPU is recorded once per shape and replayed, all kernels in one launch."""

import os
import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from sflow_pipeline.errors import first_line
from sflow_pipeline.networks.device import fetch, send
from sflow_pipeline.networks.memory_shortage import is_out_of_memory

#: ``0`` in this environment variable leaves graphs out.
SWITCH = "SFLOW_CUDA_GRAPHS"
#: Runs before a recording, on its stream: libraries choose kernels and take their workspaces in the first ones.
_WARM_UP = 2
#: Graphs of one function; further shapes run kernel by kernel.
_MOST_GRAPHS = 4

Tensors = Mapping[str, Tensor]


@runtime_checkable
class Recorder(Protocol):
    """Records what a function does on a device."""

    def record(self, run: Callable[[], tuple[Tensor, ...]]) -> tuple[tuple[Tensor, ...], Callable[[], object]]:
        """The outputs of ``run``, and what computes them again in the same memory from what its inputs hold then."""


class CudaRecorder:
    """Records CUDA graphs, which share one pool of memory: none may run while the outputs of another are needed.

    Args:
        device: ``cuda`` or ``cuda:N``.
    """

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)
        self._stream = torch.cuda.Stream(self._device)
        self._pool = torch.cuda.graph_pool_handle()

    def record(self, run: Callable[[], tuple[Tensor, ...]]) -> tuple[tuple[Tensor, ...], Callable[[], object]]:
        """See ``Recorder.record``."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self._device):
            before = torch.cuda.current_stream()
            try:
                self._stream.wait_stream(before)
                with torch.cuda.stream(self._stream):
                    for _ in range(_WARM_UP):
                        run()
                # Other threads may use the GPU meanwhile.
                with torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode="thread_local"):
                    outputs = run()
            finally:
                torch.cuda.set_stream(before)  # a recording that fails leaves its own stream behind
            before.wait_stream(self._stream)
        return outputs, graph.replay


@dataclass(frozen=True)
class _Graph:
    inputs: dict[str, Tensor]
    outputs: tuple[Tensor, ...]
    replay: Callable[[], object]


class GraphedFunction:
    """A function that runs on a GPU, from tensors of the host to tensors of the host; one call at a time.

    The first call of a shape runs kernel by kernel; so does the second, and is then recorded and compared with the
    recording, bit by bit. From the third on the recording is replayed: the same kernels on the same numbers. Where it
    cannot be recorded, memory included, the function goes on kernel by kernel.

    Args:
        function: of a plan and the inputs by name, all on the device, without waiting for it; what it decides, it
            decides by the plan, shapes and names alone.
        device: its device.
        recorder: None runs the function kernel by kernel.
    """

    def __init__(
        self, function: Callable[[Hashable, Tensors], tuple[Tensor, ...]], device: str, recorder: Recorder | None
    ) -> None:
        self._function, self._device, self._recorder = function, device, recorder
        self._graphs: dict[Hashable, _Graph] = {}
        self._seen: set[Hashable] = set()
        self._lock = threading.Lock()
        #: Why nothing is recorded any more; None where nothing failed.
        self.failure: str | None = None

    def __call__(self, plan: Hashable, inputs: Tensors) -> list[Tensor]:
        """The outputs, in memory that no later call changes."""
        with self._lock:
            key = (plan, tuple((name, tuple(tensor.shape), tensor.dtype) for name, tensor in sorted(inputs.items())))
            graph = self._graphs.get(key)
            if graph is None:
                return self._run(key, plan, inputs)
            for name, tensor in inputs.items():
                send(tensor, self._device, graph.inputs[name])
            graph.replay()
            return fetch(graph.outputs)

    def drop(self, reason: str) -> None:
        """Give the memory of all recordings back, and record no more."""
        with self._lock:
            self._stop(reason)

    def _run(self, key: Hashable, plan: Hashable, inputs: Tensors) -> list[Tensor]:
        try:
            return self._run_once(key, plan, inputs)
        except Exception as error:
            if not self._graphs or not is_out_of_memory(error):
                raise
        self._stop("too little memory")  # out of the handler, whose error holds tensors
        return self._run_once(key, plan, inputs)

    def _run_once(self, key: Hashable, plan: Hashable, inputs: Tensors) -> list[Tensor]:
        placed = {name: send(tensor, self._device) for name, tensor in inputs.items()}
        outputs = self._function(plan, placed)
        results = fetch(outputs)
        if self._recorder is not None and key in self._seen and len(self._graphs) < _MOST_GRAPHS:
            self._record(self._recorder, key, plan, placed, outputs)
        self._seen.add(key)
        return results

    def _record(
        self, recorder: Recorder, key: Hashable, plan: Hashable, placed: Tensors, expected: tuple[Tensor, ...]
    ) -> None:
        try:
            inputs = {name: torch.zeros_like(tensor) for name, tensor in placed.items()}
            outputs, replay = recorder.record(lambda: self._function(plan, inputs))
            for name, tensor in placed.items():
                inputs[name].copy_(tensor)
            replay()
            is_right = all(torch.equal(*pair) for pair in zip(outputs, expected, strict=True))
        except Exception as error:  # noqa: BLE001  whatever it is: the function itself has just run
            reason = "too little memory" if is_out_of_memory(error) else f"{type(error).__name__}: {first_line(error)}"
            self._stop(reason)
            return
        if is_right:
            self._graphs[key] = _Graph(inputs, outputs, replay)
        else:
            self._stop("a recording gave other numbers")

    def _stop(self, reason: str) -> None:
        if self._recorder is not None:
            self.failure = reason
        self._recorder = None
        self._graphs.clear()


def find_recorder(device: str) -> Recorder | None:
    """What records graphs on a device; None where there are none, or where the environment leaves them out.

    >>> find_recorder("cpu") is None
    True
    """
    if torch.device(device).type != "cuda" or os.environ.get(SWITCH) == "0":
        return None
    return CudaRecorder(device)
