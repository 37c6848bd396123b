"""A decoded row, typed: what training code works with."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.dataset.row import Row

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Scores:
    """How well the photo shows what its label and edges say, each in [0, 1], None where nothing measured it."""

    fidelity_acc: float | None
    fidelity_miou: float | None
    edge_f1: float | None
    gate: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One row, decoded. A content column that was not asked for, or that the row lacks, is None.

    Attributes:
        sample_id, sequence_id, frame_index, variant, split: identity.
        source_uri: the simulator's picture, relative to the dump.
        scores: of the photo.
        image: (h, w, 3) uint8 RGB, the photo-realistic picture.
        label: (h, w) uint8 or uint16 class ids of the dataset's label space, exactly the simulator's.
        instance, depth, flow, occlusion: (h, w) or (h, w, channels) as the simulator encoded them; bytes where the
            file is no PNG, JPEG or ``.npy``.
        render: (h, w, 3) uint8 RGB, the simulator's picture.
        edge: (h, w) uint8, the edges that the photo was asked to follow, 255 = edge.
        boxes, camera, label_table: text as it came, JSON in general.
        boxes_file: boxes where they came as another file; an array or bytes.
    """

    sample_id: str
    sequence_id: str
    frame_index: int
    variant: int
    split: str
    source_uri: str
    scores: Scores
    image: NDArray[np.uint8] | None = None
    label: NDArray[Any] | None = None
    instance: NDArray[Any] | bytes | None = None
    depth: NDArray[Any] | bytes | None = None
    flow: NDArray[Any] | bytes | None = None
    occlusion: NDArray[Any] | bytes | None = None
    label_table: str | None = None
    boxes: str | None = None
    boxes_file: NDArray[Any] | bytes | None = None
    camera: str | None = None
    render: NDArray[np.uint8] | None = None
    edge: NDArray[np.uint8] | None = None

    def to_tensors(self) -> "dict[str, torch.Tensor | str | int | float]":
        """What PyTorch's default collation takes: ``open_dataset(path, transform=Sample.to_tensors)``.

        Returns:
            image and render as (3, h, w) uint8, label as (h, w) int64, other arrays as (h, w) or (channels, h, w);
            identities, text and scores as they are. What the sample lacks is left out.
        """
        import torch

        values: dict[str, torch.Tensor | str | int | float] = {}
        for item in (*fields(self), *fields(self.scores)):
            value = getattr(self.scores if item.name in _SCORES else self, item.name)
            if isinstance(value, np.ndarray):
                value = value.astype(np.int64 if item.name == "label" else _signed(value.dtype), copy=False)
                tensor = torch.from_numpy(np.ascontiguousarray(value))
                values[item.name] = tensor.permute(2, 0, 1).contiguous() if tensor.ndim == 3 else tensor
            elif isinstance(value, str | int | float):
                values[item.name] = value
        return values


_SCORES = frozenset(item.name for item in fields(Scores))


def build_sample(row: Row, columns: tuple[str, ...]) -> Sample:
    """Decode a row.

    Raises:
        FrameError: a file is damaged.
    """
    content: dict[str, Any] = {name: row.decode(name) for name in columns}
    scores = Scores(*(row.values[item.name] for item in fields(Scores)))
    return Sample(
        row.sample_id,
        row.sequence_id,
        row.frame_index,
        row.variant,
        row.split,
        row.values["source_uri"],
        scores,
        **content,
    )


def _signed(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Torch computes little with unsigned numbers of more than eight bits; the next signed type holds them all."""
    wider = {np.dtype(np.uint16): np.int32, np.dtype(np.uint32): np.int64}
    return np.dtype(wider.get(dtype, dtype))
