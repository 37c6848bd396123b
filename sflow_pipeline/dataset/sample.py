"""A decoded row, typed, for training code."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from sflow_pipeline.columns import CONTENT_COLUMNS, IDENTITY_COLUMNS
from sflow_pipeline.dataset.row import Row

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Scores:
    """Measurements of the image, each in [0, 1].

    Attributes:
        edge_f1: F1 of its Laplacian edges against the edges that were requested.
    """

    edge_f1: float | None


@dataclass(frozen=True, slots=True)
class Sample:
    """One row, decoded.

    Attributes:
        sample_id, sequence_id, frame_index, variant, split: identity.
        source_uri: the simulator's picture, relative to the dump.
        scores: of the image.
        contents: column -> decoded content. Every content column can also be read as an attribute, such as
            ``sample.depth``; it is None if it was not asked for or the row has none.

    Content columns:
        image, render: (h, w, 3) uint8 RGB; the photo-realistic picture, the simulator's.
        label: (h, w) uint8 or uint16 class ids of the dataset's label space, exactly the simulator's.
        edge: (h, w) uint8, the edges that the image was asked to follow, 255 = edge.
        instance, depth, flow, occlusion and other planes: (h, w) or (h, w, channels) as the simulator encoded them;
            bytes where the file is no PNG, JPEG or ``.npy``.
        boxes, camera, label_table: text as it came, JSON in general.
        boxes_file: boxes in another file format; an array or bytes.
    """

    sample_id: str
    sequence_id: str
    frame_index: int
    variant: int
    split: str
    source_uri: str
    scores: Scores
    contents: Mapping[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        if name in CONTENT_COLUMNS:
            return self.contents.get(name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def to_tensors(self) -> "dict[str, torch.Tensor | str | int | float]":
        """What PyTorch's default collation takes: ``open_dataset(path, transform=Sample.to_tensors)``.

        Returns:
            image and render as (3, h, w) uint8, label as (h, w) int64, other arrays as (h, w) or (channels, h, w);
            identities, text and scores as they are. What the sample lacks is left out.
        """
        import torch

        values: dict[str, torch.Tensor | str | int | float] = {}
        identity = {name: getattr(self, name) for name in (*IDENTITY_COLUMNS, "source_uri")}
        for name, value in {**identity, **asdict(self.scores), **self.contents}.items():
            if isinstance(value, np.ndarray):
                value = value.astype(np.int64 if name == "label" else _signed(value.dtype), copy=False)
                tensor = torch.from_numpy(np.ascontiguousarray(value))
                values[name] = tensor.permute(2, 0, 1).contiguous() if tensor.ndim == 3 else tensor
            elif isinstance(value, str | int | float):
                values[name] = value
        return values


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
        content,
    )


def _signed(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Torch computes little with unsigned numbers of more than eight bits; the next signed type holds them all."""
    wider = {np.dtype(np.uint16): np.int32, np.dtype(np.uint32): np.int64}
    return np.dtype(wider.get(dtype, dtype))
