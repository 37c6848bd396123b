"""A decoded row, typed, for training code."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from sflow_pipeline.columns import BY_NAME, CONTENT_COLUMNS, IDENTITY_COLUMNS
from sflow_pipeline.dataset.row import Row

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Scores:
    """Measurements of the image; shares and F1 in [0, 1], None where nothing was measured.

    Attributes:
        edge_f1: F1 of its Laplacian edges against the edges that were requested.
        boundary_f1: F1 of its Laplacian edges against the boundaries between the label's classes.
        clipped: share of its pixels that are black or white.
        pixel_accuracy, miou: agreement of the bundle's segmenter with the label.
        rare_recall: mean recall of the classes that cover less than 5 % of the label.
        unfamiliar: share of its pixels that the segmenter gives no class with a probability of at least 0.5.
        render_pixel_accuracy, render_miou: the same for the simulator's picture.
        weakest_class: whose recall falls short of its mean on real photos by most.
        failed_checks: the gate's checks below their thresholds, by comma; empty where all are passed.
    """

    edge_f1: float | None
    boundary_f1: float | None = None
    clipped: float | None = None
    pixel_accuracy: float | None = None
    miou: float | None = None
    rare_recall: float | None = None
    unfamiliar: float | None = None
    render_pixel_accuracy: float | None = None
    render_miou: float | None = None
    weakest_class: str | None = None
    failed_checks: str | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One row, decoded.

    Attributes:
        sample_id, sequence_id, frame_index, variant, split: identity.
        source_uri: the simulator's picture, relative to the dump; the label in a dump without pictures.
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
            identities and text as they are; scores, too, NaN and "" where the sample has none. Other columns that it
            lacks are left out: collation needs samples that hold the same.
        """
        import torch

        values: dict[str, torch.Tensor | str | int | float] = {}
        identity = {name: getattr(self, name) for name in (*IDENTITY_COLUMNS, "source_uri")}
        scores = {name: _fill(name, value) for name, value in asdict(self.scores).items()}
        for name, value in {**identity, **scores, **self.contents}.items():
            if isinstance(value, np.ndarray):
                value = value.astype(np.int64 if name == "label" else _signed(value.dtype), copy=False)
                tensor = torch.from_numpy(np.ascontiguousarray(value))
                values[name] = tensor.permute(2, 0, 1).contiguous() if tensor.ndim == 3 else tensor
            elif isinstance(value, str | int | float):
                values[name] = value
        return values


def _fill(name: str, value: str | float | None) -> str | float:
    """A score, or what stands for one that is missing: of one type in every sample."""
    if value is not None:
        return value
    return "" if BY_NAME[name].holds == "string" else math.nan


def build_sample(row: Row, columns: tuple[str, ...]) -> Sample:
    """Decode a row.

    Raises:
        FrameError: a file is damaged.
    """
    content: dict[str, Any] = {name: row.decode(name) for name in columns}
    scores = Scores(*(row.values.get(item.name) for item in fields(Scores)))  # older datasets have fewer
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
    """This machine's byte order, and signed: torch computes little with unsigned numbers of more than eight bits."""
    native = dtype.newbyteorder("=")
    wider = {np.dtype(np.uint16): np.int32, np.dtype(np.uint32): np.int64}
    return np.dtype(wider.get(native, native))
