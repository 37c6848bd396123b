"""A labelled picture, and the interface of every set of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.label_spaces import LabelSpace
from sflow_pipeline.simulators import LabelFormat


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """One picture and its label, decoded.

    Attributes:
        sample_id, variant: identity; variants of one sample share the label.
        photo: (h, w, 3) uint8 RGB.
        label_map: (h, w) ids of the source's label space, the dump's label rule applied.
        instance_map: (h, w) or (h, w, channels) as the frame's instance file holds it; None without one, and where
            it was not asked for.
    """

    sample_id: str
    variant: int
    photo: NDArray[np.uint8]
    label_map: NDArray[Any]
    instance_map: NDArray[Any] | None = None


class PhotoSource(Protocol):
    """A set of labelled pictures that can be read repeatedly."""

    @property
    def uri(self) -> str:
        """The folder, as given."""

    @property
    def kind(self) -> Literal["dataset", "photos"]:
        """``dataset``: converted; ``photos``: a folder of pictures with labels."""

    @property
    def label_space(self) -> LabelSpace:
        """Of the labels."""

    @property
    def label_format(self) -> LabelFormat:
        """Of the labels and the instance files."""

    @property
    def variants(self) -> int:
        """Pictures per sample."""

    @property
    def facts(self) -> dict[str, Any]:
        """Statements of the source about itself, for reports."""

    def __len__(self) -> int:
        """Number of pictures."""

    def compute_identity(self, *, with_instances: bool = False) -> str:
        """A digest that changes with the files: of a dataset by content, of a folder by names, sizes and times."""

    def list_samples(self, limit: int | None = None) -> list[str]:
        """The sample id of every picture, or of the first ``limit``, in the order of ``read``."""

    def read(self, *, with_instances: bool = False) -> Iterator[LabelledPhoto]:
        """Every picture, decoded one by one, in a fixed order.

        Raises:
            FrameError: a picture, its label or its instance file cannot be read, or their sizes differ.
        """
