"""Progress events of a conversion."""

from typing import Any, Protocol

from tqdm.auto import tqdm

from sflow_pipeline.conversion.plan.plan import Plan
from sflow_pipeline.storage.commits import ShardRecord


class Progress(Protocol):
    """Receives events, all in the caller's thread."""

    def on_step(self, text: str) -> None:
        """A step before or after the conversion of frames begins."""

    def on_count(self, done: int, total: int, unit: str) -> None:
        """So much of the current step is done, such as labels counted or workers ready."""

    def on_warning(self, text: str) -> None:
        """A warning; the job goes on."""

    def on_plan(self, plan: Plan) -> None:
        """The plan is made."""

    def on_engine(self, workers: int, device: str, precision: str) -> None:
        """Workers, device and precision are chosen."""

    def on_frames(self, frames: int) -> None:
        """So many more frames went through; a shard that is tried again counts again."""

    def on_shard(self, record: ShardRecord) -> None:
        """A shard is committed."""


class SilentProgress:
    """Ignores all events."""

    def on_step(self, text: str) -> None: ...

    def on_count(self, done: int, total: int, unit: str) -> None: ...

    def on_warning(self, text: str) -> None: ...

    def on_plan(self, plan: Plan) -> None: ...

    def on_engine(self, workers: int, device: str, precision: str) -> None: ...

    def on_frames(self, frames: int) -> None: ...

    def on_shard(self, record: ShardRecord) -> None: ...


class TqdmProgress(SilentProgress):
    """A bar for scripts and notebooks."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None

    def on_plan(self, plan: Plan) -> None:
        self._bar = tqdm(total=plan.frames_to_convert, unit="frame")

    def on_warning(self, text: str) -> None:
        tqdm.write(f"warning: {text}")

    def on_frames(self, frames: int) -> None:
        if self._bar is not None:
            self._bar.update(frames)
            if self._bar.total is not None and self._bar.n >= self._bar.total:
                self._bar.close()
