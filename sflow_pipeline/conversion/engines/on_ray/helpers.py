"""Processes anywhere in a cluster that decode frames and encode rows for workers whose node is short of cores.

A GPU paints hundreds of frames a second, of which each takes some hundredths of a second of a core to read and write. A
worker hands that to helpers, which need a core and no GPU, so Ray puts them on any node. A helper that dies costs
nothing: what it had is done again by the worker itself.
"""

import itertools
import random
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import ray
from ray.exceptions import ObjectLostError, OutOfMemoryError, RayActorError, RayTaskError

from sflow_pipeline.conversion.engines.threads import limit_opencv
from sflow_pipeline.conversion.settings import ConversionSettings
from sflow_pipeline.untrusted.limits import Limits, apply_limits

#: More do not help: so many cores read and write about as fast as a large GPU paints.
MOST_PER_WORKER = 12
#: Frames that a helper has at once: one to work on and one on its way.
_AT_ONCE = 2
_Result = TypeVar("_Result")
_GONE = (RayActorError, OutOfMemoryError, ObjectLostError)


class Helper:
    """Actor that runs functions on frames; it has the settings of the run."""

    def __init__(self, settings: ConversionSettings, limits: Limits) -> None:
        limit_opencv()
        apply_limits(limits)
        self._settings = settings

    def is_ready(self) -> bool:
        """Returns once it has started."""
        return True

    def run(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """``function(*arguments, settings)``."""
        return function(*arguments, self._settings)


class RayHelpers:
    """A worker's view of the helpers: those that have started take turns, and the worker does what they do not.

    Args:
        handles: of ``Helper`` actors, which may still be starting.
        settings: of the run.
        threads: how many of them this worker may keep busy.
    """

    def __init__(self, handles: Sequence[Any], settings: ConversionSettings, threads: int) -> None:
        self.threads = max(1, threads) * _AT_ONCE
        self._settings = settings
        self._lock = threading.Lock()
        self._starting = {handle.is_ready.remote(): handle for handle in random.sample(list(handles), len(handles))}
        self._ready: list[Any] = []
        self._turn = itertools.count()

    def call(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        """See ``FrameHelpers.call``."""
        handle = self._choose()
        if handle is None:
            return function(*arguments, self._settings)
        try:
            result: _Result = ray.get(handle.run.remote(function, arguments))
        except RayTaskError as error:
            raise error.cause from None
        except _GONE:
            with self._lock, suppress(ValueError):
                self._ready.remove(handle)
            return function(*arguments, self._settings)
        return result

    def _choose(self) -> Any:
        """The next helper that has started; None where there is none, yet or any more."""
        with self._lock:
            if self._starting:
                waiting = list(self._starting)
                started, _ = ray.wait(waiting, num_returns=len(waiting), timeout=0)
                for reference in started:
                    handle = self._starting.pop(reference)
                    with suppress(*_GONE):
                        ray.get(reference)
                        self._ready.append(handle)
            return self._ready[next(self._turn) % len(self._ready)] if self._ready else None


def start_helpers(settings: Any, limits: Limits, count: int) -> list[Any]:
    """Helpers that may have to wait for their place.

    Args:
        settings: of the run, or a reference to them.
        limits: on what is read.
        count: how many.
    """
    helper = ray.remote(Helper).options(num_cpus=1, max_restarts=0, max_task_retries=0)
    return [helper.remote(settings, limits) for _ in range(count)]


def count_own_helpers() -> int:
    """How many helpers the node of this worker has cores for: those that are left for each of its GPUs."""
    own = ray.get_runtime_context().get_node_id()
    resources: dict[str, float] = next((node["Resources"] for node in ray.nodes() if node["NodeID"] == own), {})
    return count_helpers(int(resources.get("CPU", 1) / max(1, resources.get("GPU", 1))), 1)


def count_helpers(cpus: int, workers: int) -> int:
    """How many helpers there is room for beside GPU workers, which take a core each.

    >>> count_helpers(cpus=64, workers=2), count_helpers(cpus=8, workers=1), count_helpers(cpus=4, workers=4)
    (24, 7, 0)
    """
    return max(0, min(cpus - workers, MOST_PER_WORKER * workers))
