"""Translators for workers: the interface that conversion needs, and a factory that builds one from a bundle."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.bundle import Bundle

if TYPE_CHECKING:
    from sflow_pipeline.bundle.translator import Translation


class FrameTranslator(Protocol):
    """Translates batches of frames; see ``sflow_pipeline.bundle.translator.Translator.translate``."""

    def translate(
        self,
        class_index: NDArray[np.uint8],
        render: NDArray[np.uint8],
        alpha: NDArray[np.float32],
        instance_map: NDArray[np.int64] | None = None,
        palette: NDArray[np.int64] | None = None,
        appearance: NDArray[np.float32] | None = None,
        photo_colors: NDArray[np.float32] | None = None,
        color_source: NDArray[np.uint8] | None = None,
        class_colors: NDArray[np.float32] | None = None,
        previous: NDArray[np.uint8] | None = None,
    ) -> "Translation": ...


@runtime_checkable
class GraphedTranslator(FrameTranslator, Protocol):
    """One that replays CUDA graphs, which change no byte and hold memory; several threads may call it."""

    @property
    def graph_failure(self) -> str | None:
        """Why there are none; None where there are some or nothing failed."""

    def drop_graphs(self) -> None:
        """Give their memory back, and make no more."""


#: Called once in every worker; must be picklable.
TranslatorFactory = Callable[[], FrameTranslator]


@dataclass(frozen=True)
class BundleTranslatorFactory:
    """Builds the translator of a bundle on a device."""

    bundle: Bundle
    device: str
    precision: str
    shifts: int = 1

    def __call__(self) -> FrameTranslator:
        from sflow_pipeline.bundle.translator import Translator

        return Translator(self.bundle, self.device, self.precision, self.shifts)
