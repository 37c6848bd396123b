"""Translators for workers: the interface that conversion needs, and a factory that builds one from a bundle."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.bundle import Bundle

if TYPE_CHECKING:
    from torch import Tensor

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
    ) -> "Translation": ...


#: Called once in every worker; must be picklable.
TranslatorFactory = Callable[[], FrameTranslator]


@dataclass(frozen=True)
class CarriedBundle(Bundle):
    """A bundle with its weights in memory, so that workers need no disk in common with the driver."""

    weights: "dict[str, dict[str, Tensor]]" = field(repr=False, compare=False)

    @classmethod
    def load(cls, bundle: Bundle) -> "CarriedBundle":
        """Read a bundle's weights now.

        Raises:
            BundleError: they are damaged.
        """
        known = {item.name: getattr(bundle, item.name) for item in fields(Bundle)}
        return cls(**known, weights=bundle.read_weights())

    def read_weights(self) -> "dict[str, dict[str, Tensor]]":
        return self.weights


@dataclass(frozen=True)
class BundleTranslatorFactory:
    """Builds the translator of a bundle on a device."""

    bundle: Bundle
    device: str
    precision: str

    def __call__(self) -> FrameTranslator:
        from sflow_pipeline.bundle.translator import Translator

        return Translator(self.bundle, self.device, self.precision)
