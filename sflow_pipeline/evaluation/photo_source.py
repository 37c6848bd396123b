"""Where pictures with labels come from: a converted dataset, or any folder that ``inspect`` knows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.errors import UsageError
from sflow_pipeline.label_spaces import LabelSpace
from sflow_pipeline.storage.commits import STATE_PATH
from sflow_pipeline.storage.filesystem import Folder
from sflow_pipeline.storage.manifest import MANIFEST_PATH

Column = Literal["image", "render"]


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """One picture and its label, decoded.

    Attributes:
        sample_id, variant: identity; variants of one sample share the label.
        photo: (h, w, 3) uint8 RGB.
        label_map: (h, w) ids of the source's label space, the dump's label rule applied.
    """

    sample_id: str
    variant: int
    photo: NDArray[np.uint8]
    label_map: NDArray[Any]


class PhotoSource(Protocol):
    """A set of labelled pictures that can be read once or more."""

    @property
    def uri(self) -> str:
        """The folder, as given."""

    @property
    def kind(self) -> str:
        """``dataset``: converted; ``photos``: a folder of pictures with labels."""

    @property
    def label_space(self) -> LabelSpace:
        """Of the labels."""

    @property
    def facts(self) -> dict[str, Any]:
        """What the source says about itself, for reports."""

    def __len__(self) -> int:
        """How many pictures."""

    def read(self) -> Iterator[LabelledPhoto]:
        """Every picture, decoded one by one, in a fixed order.

        Raises:
            FrameError: a picture or label cannot be read, or their sizes differ.
        """


def open_photos(path: str, *, split: str | None = None, column: Column = "image") -> PhotoSource:
    """Find out what a folder is and open it.

    Args:
        path: a dataset that ``convert`` wrote, or a folder in any layout that ``inspect`` knows.
        split: only this split; every one where None.
        column: of datasets: the converted photo, or the simulator's picture it was made from.

    Raises:
        OutputError, DumpError: it is neither.
        UsageError: the split or the column is not there.
    """
    if _is_dataset(path):
        from sflow_pipeline.evaluation.dataset_photos import DatasetPhotos

        return DatasetPhotos(path, split, column)
    if column != "image":
        raise UsageError(
            f"{path}: not a converted dataset, so it has no column {column}", hint="give it without --renders"
        )
    from sflow_pipeline.evaluation.folder_photos import FolderPhotos

    return FolderPhotos(path, split)


def _is_dataset(path: str) -> bool:
    folder = Folder(path)
    try:
        return folder.stat([MANIFEST_PATH])[0].size_bytes >= 0 or bool(folder.list_files(STATE_PATH))
    except OSError:
        return False


def check_split(path: str, split: str | None, available: set[str]) -> None:
    """Refuse a split that is not there.

    Raises:
        UsageError: names those that are.
    """
    if split is not None and split not in available:
        raise UsageError(
            f"{path}: no split {split!r}, only {', '.join(sorted(available)) or 'none'}",
            hint="name one of these, or leave the option out to take every split",
        )
