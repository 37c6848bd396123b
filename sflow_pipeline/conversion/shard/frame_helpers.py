"""Helpers: who decodes frames and encodes rows while a worker's device paints."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from sflow_pipeline.conversion.settings import ConversionSettings

_Result = TypeVar("_Result")


class FrameHelpers(Protocol):
    """Run functions on frames; called from several threads at once."""

    @property
    def threads(self) -> int:
        """How many frames may be decoded, and how many encoded, at a time."""

    def call(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        """``function(*arguments, settings)``, wherever it runs.

        Raises:
            Exception: what the function raised.
        """


@dataclass(frozen=True)
class ThisProcess:
    """The worker's own process: ``threads`` decode, and as many encode."""

    settings: ConversionSettings
    threads: int = 1

    def call(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        """See ``FrameHelpers.call``."""
        return function(*arguments, self.settings)
